"""A whole model folder on a bag of words: a real ONNX graph with the tensors of a shipped one, small enough to answer at once.

Every word has a direction of its own and the features are their sum, so what a head can learn is known beforehand.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tokenizers import Tokenizer, models, pre_tokenizers

from models.adaptation.old_texts import OldText
from models.artifact import Artifact, load_artifact
from models.training.heads import Head

__all__ = ["FILLERS", "SENTIMENTS", "TOPICS", "WORDS", "old_texts", "sentence", "write_model"]

SENTIMENTS = {"negative": ["loss", "crash"], "neutral": ["report", "meeting"], "positive": ["profit", "win"]}
TOPICS = {"economy": ["bank", "market"], "health": ["doctor", "vaccine"], "sport": ["match", "goal"]}
#: Words that the base heads know nothing of.
OTHERS = ["rate", "hike", "pipeline", "barrel", "bullish", "bearish"]
FILLERS = ["today", "again", "there", "soon", "then", "now"]
WORDS = ["?", *(word for group in (*SENTIMENTS.values(), *TOPICS.values()) for word in group), *OTHERS, *FILLERS]
LANGS = ("de", "en", "fr")

_FIELDS: Mapping[str, Mapping[str, tuple[int, int | str, bool]]] = {
    "Model": {"ir_version": (1, 3, False), "graph": (7, "Graph", False), "opset_import": (8, "Opset", True)},
    "Opset": {"domain": (1, 9, False), "version": (2, 3, False)},
    "Graph": {
        "node": (1, "Node", True),
        "name": (2, 9, False),
        "initializer": (5, "Tensor", True),
        "input": (11, "Value", True),
        "output": (12, "Value", True),
    },
    "Node": {
        "input": (1, 9, True),
        "output": (2, 9, True),
        "op_type": (4, 9, False),
        "attribute": (5, "Attribute", True),
    },
    "Attribute": {"name": (1, 9, False), "i": (3, 3, False), "type": (20, 5, False)},
    "Tensor": {"dims": (1, 3, True), "data_type": (2, 5, False), "name": (8, 9, False), "raw_data": (9, 12, False)},
    "Value": {"name": (1, 9, False), "type": (2, "Type", False)},
    "Type": {"tensor_type": (1, "TensorType", False)},
    "TensorType": {"elem_type": (1, 5, False), "shape": (2, "Shape", False)},
    "Shape": {"dim": (1, "Dim", True)},
    "Dim": {"dim_value": (1, 3, False), "dim_param": (2, 9, False)},
}
FLOAT, INT64 = 1, 7


def _model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="bag.proto", package="bag", syntax="proto2")
    for message, fields in _FIELDS.items():
        declared = file.message_type.add(name=message)
        for name, (number, kind, repeated) in fields.items():
            field = declared.field.add(name=name, number=number, label=3 if repeated else 1)
            field.type = 11 if isinstance(kind, str) else kind
            if isinstance(kind, str):
                field.type_name = f".bag.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bag.Model"))


def _declare(value: Any, name: str, kind: int, dims: Sequence[str | int]) -> None:
    value.name = name
    value.type.tensor_type.elem_type = kind
    for dim in dims:
        value.type.tensor_type.shape.dim.add(**({"dim_param": dim} if isinstance(dim, str) else {"dim_value": dim}))


def _graph(vectors: np.ndarray, heads: Mapping[str, Head]) -> bytes:
    model = _model_class()(ir_version=8)
    model.opset_import.add(domain="", version=17)
    graph = model.graph
    graph.name = "bag"

    def constant(name: str, values: np.ndarray) -> str:
        kind = INT64 if values.dtype == np.int64 else FLOAT
        graph.initializer.add(dims=values.shape, data_type=kind, name=name, raw_data=values.tobytes())
        return name

    def node(operator: str, inputs: list[str], output: str, **attributes: int) -> str:
        made = graph.node.add(input=inputs, output=[output], op_type=operator)
        for name, number in attributes.items():
            made.attribute.add(name=name, i=number, type=2)
        return output

    for name in ("input_ids", "attention_mask"):
        _declare(graph.input.add(), name, INT64, ["batch", "sequence"])
    words = node("Gather", [constant("word.weight", vectors.astype(np.float32)), "input_ids"], "words")
    total = node("ReduceSum", [words, constant("axis", np.array([1], np.int64))], "total", keepdims=0)
    node("Identity", [total], "features")
    for name, head in heads.items():
        weights, bias = constant(f"{name}.head.weight", head.weights), constant(f"{name}.head.bias", head.bias)
        node("Softmax", [node("Gemm", ["features", weights, bias], f"{name}_logits")], name, axis=1)
        _declare(graph.output.add(), name, FLOAT, ["batch", len(head.bias)])
    node("LpNormalization", ["features"], "embedding", axis=1, p=2)
    _declare(graph.output.add(), "embedding", FLOAT, ["batch", vectors.shape[1]])
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _head(vectors: np.ndarray, classes: Mapping[str, Sequence[str]]) -> Head:
    columns = [3.0 * sum(vectors[WORDS.index(word)] for word in words) for words in classes.values()]
    # Without a word that it knows the head answers the first class.
    return Head(np.stack(columns, axis=1).astype(np.float32), np.array([0.5, *[0.0] * (len(columns) - 1)], np.float32))


def write_model(root: Path) -> Artifact:
    """Sentiment by the words of :data:`SENTIMENTS`, topic by those of :data:`TOPICS`."""
    root.mkdir()
    vectors, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(len(WORDS), len(WORDS))))
    heads = {"sentiment": _head(vectors, SENTIMENTS), "topic": _head(vectors, TOPICS)}
    (root / "model.onnx").write_bytes(_graph(vectors, heads))
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, "?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(root / "tokenizer.json"))
    config = {
        "model_id": "bag/1.0+00000000",
        "sentiment_labels": list(SENTIMENTS),
        "topic_labels": list(TOPICS),
        "max_length": 16,
        "prefix": "",
        "temperatures": {"sentiment": 1.0, "topic": 1.0},
        "languages": list(LANGS),
        "sha256": {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")},
        "made_from": {"model": "a bag of words"},
    }
    (root / "config.json").write_text(json.dumps(config))
    return load_artifact(root)


def sentence(chance: random.Random, words: Sequence[str]) -> str:
    """One of ``words`` among five fillers."""
    chosen = [*(chance.choice(FILLERS) for _ in range(5)), chance.choice(list(words))]
    chance.shuffle(chosen)
    return " ".join(chosen)


def old_texts(count: int, *, seed: int = 5, noise: float = 0.1) -> list[OldText]:
    """Texts with a word of a sentiment and one of a topic, in three languages; ``noise``: share of labels that are wrong."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        tone, theme = chance.randrange(3), chance.randrange(3)
        text = sentence(chance, list(SENTIMENTS.values())[tone]) + " " + chance.choice(list(TOPICS.values())[theme])
        answers = {"sentiment": tone, "topic": theme if chance.random() > noise else (theme + 1) % 3}
        made.append(OldText(text, LANGS[number % 3], "bag", number % 4 != 0, answers))
    return made
