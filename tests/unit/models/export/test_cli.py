from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_encoder import write_text
from typer.testing import CliRunner

from models.artifact import load_artifact
from models.cli import app
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.export.cli import check_texts
from models.export.writing import write_artifact
from models.training.heads import Head


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_text(tmp_path / "data", events=True)
    return tmp_path / "data"


@pytest.fixture
def model(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path, tmp_path: Path) -> Path:
    pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    pieces = len(json.loads(small_tokenizer.read_text(encoding="utf-8"))["model"]["vocab"])
    tensors = {**small_tensors, "embeddings.word_embeddings.weight": small_tensors["embeddings.word_embeddings.weight"][:pieces]}
    encoder = Encoder(tensors, {**small_config, "vocab_size": pieces}, Vocabulary(np.arange(pieces), 0.9), small_tokenizer)
    random = np.random.default_rng(2)
    heads = {
        task: Head(random.normal(0, 0.1, (64, n)).astype(np.float32), np.zeros(n, np.float32))
        for task, n in (("sentiment", 3), ("topic", 12))
    }
    options: dict[str, Any] = {"version": "1", "temperatures": {"sentiment": 1.0, "topic": 1.0}, "max_length": 20, "prefix": ""}
    return write_artifact(tmp_path / "small", encoder, (3,), heads, languages=["en"], provenance={}, **options).root


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["export", *map(str, arguments)])
    return done.exit_code, done.output


def test_texts_of_the_check_are_dev_texts_of_every_set(data: Path) -> None:
    texts = check_texts(data, 5)
    assert texts == check_texts(data, 5)
    assert 5 <= len(texts) <= 500
    assert len(set(texts)) > 1


def test_a_checked_export_says_how_far_it_is_from_pytorch(model: Path, data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    pytest.importorskip("transformers", reason="the extra 'train' is not installed")
    code, told = run(model, "--precision", "fp16", "--check", "--data", data, "--rows", 1, "--out", tmp_path / "half")
    assert code == 0, told
    assert "sentiment: differs by" in told
    assert "embedding: cosine" in told
    assert "small/1-fp16+" in told
    load_artifact(tmp_path / "half").verify()


def test_mistakes_are_one_line_and_the_mend(model: Path, tmp_path: Path) -> None:
    for arguments, said in (
        ((model, "--precision", "fp8"), "--precision is 'fp8'"),
        ((model, "--out", model), "is the artifact that is exported"),
        ((tmp_path / "none",), "no config.json"),
        ((model, "--check", "--data", tmp_path / "none"), "no labelled text under"),
    ):
        code, told = run(*arguments)
        assert code == 1, told
        assert said in told.replace("\n", " ")
        assert "mend:" in told


def test_a_folder_of_others_and_an_unwritable_one_are_refused_before_any_work(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.onnx").write_text("mine")
    (tmp_path / "file").write_text("")
    for out, said in (("mine", "is not empty and holds more than"), ("file", "cannot write")):
        # Text for --check is looked for after the folder.
        code, told = run(model, "--check", "--data", tmp_path / "none", "--out", tmp_path / out)
        assert code == 1, told
        assert said in told.replace("\n", " ")
        assert "--out" in told
    assert (tmp_path / "mine" / "model.onnx").read_text() == "mine"
