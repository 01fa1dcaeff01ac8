from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_model import SENTIMENTS, WORDS, write_model

from models.adaptation.graph import FEATURES, ServedModel
from models.artifact import load_artifact
from models.calibration.temperature import softmax
from models.errors import ModelError
from models.inference import Runner
from models.training.heads import Head

TEXTS = ["profit today", "loss then bank", "match now again soon"]


def outputs(path: Path, tokenizer: Path, name: str, width: int) -> np.ndarray:
    found = np.zeros((len(TEXTS), width), np.float32)
    with Runner(path, tokenizer, max_length=16, threads=1) as runner:
        for rows, (values,) in runner.results(TEXTS, [name]):
            found[rows] = values
    return found


def test_heads_on_the_cut_graph_answer_as_the_whole_graph(tmp_path: Path) -> None:
    artifact = write_model(tmp_path / "bag")
    served = ServedModel(artifact.onnx_path)
    assert list(served.heads) == ["sentiment", "topic"]
    assert served.width == len(WORDS)
    (tmp_path / "cut.onnx").write_bytes(served.features_only())
    features = outputs(tmp_path / "cut.onnx", artifact.tokenizer_path, FEATURES, served.width)
    whole = outputs(artifact.onnx_path, artifact.tokenizer_path, "sentiment", 3)
    np.testing.assert_allclose(softmax(served.heads["sentiment"].logits(features)), whole, atol=1e-6)


def test_a_head_of_more_classes_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    artifact = write_model(tmp_path / "bag")
    served = ServedModel(artifact.onnx_path)
    old = served.heads["topic"]
    wider = Head(np.pad(old.weights, ((0, 0), (0, 2))), np.append(old.bias, [-9.0, 9.0]).astype(np.float32))
    (tmp_path / "wider.onnx").write_bytes(served.with_heads({"topic": wider}))
    changed = outputs(tmp_path / "wider.onnx", artifact.tokenizer_path, "topic", 5)
    assert (changed.argmax(1) == 4).all()
    for name in ("sentiment", "embedding"):
        width = len(SENTIMENTS) if name == "sentiment" else len(WORDS)
        before = outputs(artifact.onnx_path, artifact.tokenizer_path, name, width)
        np.testing.assert_array_equal(outputs(tmp_path / "wider.onnx", artifact.tokenizer_path, name, width), before)
    assert ServedModel(artifact.onnx_path).heads["topic"].weights.shape == old.weights.shape, "the file itself is untouched"


def test_a_head_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    served = ServedModel(write_model(tmp_path / "bag").onnx_path)
    for task, width in (("event", served.width), ("topic", 3)):
        with pytest.raises(ValueError, match="no place for a head"):
            served.with_heads({task: Head(np.zeros((width, 2), np.float32), np.zeros(2, np.float32))})


@pytest.mark.parametrize("content", [b"no graph at all", b""])
def test_what_is_no_graph_of_ours_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx"):
        ServedModel(tmp_path / "model.onnx")


def test_the_shipped_graph_has_the_heads_that_its_config_names() -> None:
    artifact = load_artifact()
    heads = ServedModel(artifact.onnx_path).heads
    assert heads["sentiment"].weights.shape[1] == len(artifact.sentiment_labels)
    assert heads["topic"].weights.shape[1] == len(artifact.topic_labels)
