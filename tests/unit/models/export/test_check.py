from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import Artifact
from models.encoder.restoration import Restored, restore
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.errors import ModelError
from models.export.check import CheckReport, HeadCheck, check_export
from models.export.variants import write_variant
from models.export.writing import write_artifact
from models.training.heads import Head

for module in ("onnx", "torch", "transformers"):
    pytest.importorskip(module, reason="the extra 'train' is not installed")

TEXTS = ["profit rise", "bank loss", "market fall bad", "good", "bad bad loss", "rise market profit bank good"]


@pytest.fixture
def artifact(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path, tmp_path: Path) -> Artifact:
    pieces = len(json.loads(small_tokenizer.read_text(encoding="utf-8"))["model"]["vocab"])
    tensors = {**small_tensors, "embeddings.word_embeddings.weight": small_tensors["embeddings.word_embeddings.weight"][:pieces]}
    encoder = Encoder(tensors, {**small_config, "vocab_size": pieces}, Vocabulary(np.arange(pieces), 0.9), small_tokenizer)
    random = np.random.default_rng(2)
    heads = {
        task: Head(random.normal(0, 0.1, (64, n)).astype(np.float32), np.zeros(n, np.float32))
        for task, n in (("sentiment", 3), ("topic", 12))
    }
    options: dict[str, Any] = {"version": "1", "temperatures": {"sentiment": 1.0, "topic": 1.0}, "max_length": 20, "prefix": ""}
    return write_artifact(tmp_path / "small", encoder, (3,), heads, languages=["en"], provenance={}, **options)


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-6), ("fp16", 1e-3)])
def test_portable_graphs_are_what_pytorch_computes(artifact: Artifact, tmp_path: Path, precision: Any, bound: float) -> None:
    restored = restore(artifact)
    report = check_export(write_variant(artifact, restored, precision, tmp_path / precision), restored, precision, TEXTS, quiet)
    report.demand()
    assert set(report.heads) == {"sentiment", "topic"}
    assert all(one.mean < bound for one in report.heads.values())
    assert report.texts == len(TEXTS)


def test_int8_is_near_and_is_told_apart(artifact: Artifact) -> None:
    report = check_export(artifact, restore(artifact), "int8", TEXTS, quiet)
    assert report.cosine > 0.99
    assert 0 < report.heads["sentiment"].mean < 0.05


def test_a_graph_of_other_weights_is_found_out(artifact: Artifact, tmp_path: Path) -> None:
    restored = restore(artifact)
    made = write_variant(artifact, restored, "fp32", tmp_path / "made")
    name = "encoder.layer.2.output.dense.weight"
    tensors = {**restored.encoder.tensors, name: -restored.encoder.tensors[name]}
    other = Restored(dataclasses.replace(restored.encoder, tensors=tensors), restored.layers, restored.heads)
    with pytest.raises(ModelError, match="fp32 export is too far from PyTorch in sentiment, topic, embedding"):
        check_export(made, other, "fp32", TEXTS, quiet).demand()


def test_no_text_is_no_check(artifact: Artifact) -> None:
    with pytest.raises(ModelError, match="no text to check"):
        check_export(artifact, restore(artifact), "int8", [], quiet)


def test_not_a_number_is_no_agreement() -> None:
    report = CheckReport("fp16", 3, {"sentiment": HeadCheck(float("nan"), float("nan"), 1.0)}, 1.0)
    with pytest.raises(ModelError, match="in sentiment"):
        report.demand()
