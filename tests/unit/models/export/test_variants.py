from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import Artifact, load_artifact
from models.encoder.restoration import Restored, restore
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.errors import ModelError
from models.export.variants import demand_own, export_precision, write_variant
from models.export.writing import write_artifact
from models.training.heads import Head

pytest.importorskip("onnx", reason="the extra 'train' is not installed")


@pytest.fixture
def artifact(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path, tmp_path: Path) -> Artifact:
    pieces = len(json.loads(small_tokenizer.read_text(encoding="utf-8"))["model"]["vocab"])
    tensors = {**small_tensors, "embeddings.word_embeddings.weight": small_tensors["embeddings.word_embeddings.weight"][:pieces]}
    encoder = Encoder(tensors, {**small_config, "vocab_size": pieces}, Vocabulary(np.arange(pieces), 0.9), small_tokenizer)
    random = np.random.default_rng(2)
    sizes = (("sentiment", 3), ("topic", 12))
    heads = {task: Head(random.normal(0, 0.1, (64, n)).astype(np.float32), np.zeros(n, np.float32)) for task, n in sizes}
    options: dict[str, Any] = {"version": "1", "temperatures": {"sentiment": 1.0, "topic": 1.0}, "max_length": 20, "prefix": ""}
    return write_artifact(tmp_path / "small", encoder, (3,), heads, languages=["en"], provenance={}, **options)


@pytest.fixture
def restored(artifact: Artifact) -> Restored:
    return restore(artifact)


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_an_export_is_a_whole_model_folder_and_nothing_else(artifact: Artifact, restored: Restored, tmp_path: Path) -> None:
    made = write_variant(artifact, restored, "fp16", tmp_path / "new" / "half")
    made.verify()
    assert set(contents(made.root)) == {"model.onnx", "tokenizer.json", "config.json"}
    assert made.model_id.startswith("small/1-fp16+")


def test_an_earlier_export_is_replaced(artifact: Artifact, restored: Restored, tmp_path: Path) -> None:
    write_variant(artifact, restored, "fp32", tmp_path / "out")
    (tmp_path / "out" / "calibration.json").write_text("{}")
    made = write_variant(artifact, restored, "fp16", tmp_path / "out")
    made.verify()
    assert "-fp16+" in made.model_id
    assert not made.calibration_path.exists(), "that of the earlier export is not this one's"


@pytest.mark.parametrize("name", ["thesis.txt", "model.onnx", "config.json", ".hidden"])
def test_files_of_others_are_not_written_over(artifact: Artifact, restored: Restored, tmp_path: Path, name: str) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / name).write_text("[1, 2]")
    with pytest.raises(ModelError, match="holds more than") as caught:
        write_variant(artifact, restored, "fp16", root)
    assert "--out" in caught.value.mend
    assert contents(root) == {name: b"[1, 2]"}


def test_another_model_is_not_written_over(artifact: Artifact, restored: Restored, tmp_path: Path) -> None:
    made = write_variant(artifact, restored, "fp32", tmp_path / "fp32")
    before = contents(artifact.root)
    with pytest.raises(ModelError, match="holds more than"):
        write_variant(made, restored, "fp16", artifact.root)
    assert contents(artifact.root) == before
    # A model that was adapted from an export says the precision too, and holds what no export has.
    (made.root / "training.json").write_text("{}")
    with pytest.raises(ModelError, match="holds more than"):
        demand_own(made.root)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_place_that_cannot_be_written_is_one_line(artifact: Artifact, restored: Restored, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot write") as caught:
        write_variant(artifact, restored, "fp16", tmp_path / place)
    assert "may write to" in caught.value.mend


def test_what_fails_half_way_leaves_the_earlier_export_whole(
    artifact: Artifact, restored: Restored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_variant(artifact, restored, "fp32", tmp_path / "out")
    before = contents(made.root)

    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.export.variants.shutil.copyfile", full)
    with pytest.raises(ModelError, match="No space left"):
        write_variant(artifact, restored, "fp16", made.root)
    assert contents(made.root) == before
    load_artifact(made.root).verify()


def test_a_precision_that_there_is_not() -> None:
    assert export_precision("fp16") == "fp16"
    with pytest.raises(ModelError, match="fp8"):
        export_precision("fp8")
