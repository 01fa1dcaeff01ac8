"""Reading an artifact back: the float weights that its int8 graph stands for, and its heads, so that it can be written anew.

A user has the artifact and not the run that made it. Every precision can therefore be made from the artifact alone: the restored
weights are what the int8 graph computes with, so fp32 and fp16 graphs of them answer as it does, without the noise of int8 activations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.artifact import REINSTALL, Artifact
from models.encoder.pretrained import PretrainedModel
from models.encoder.quantization import BLOCK, Blocks, Rows, unpack_nibbles
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.errors import ModelError, require
from models.training.heads import Head

__all__ = ["Restored", "restore", "with_weights"]

_PARTS = ("query", "key", "value")
_DENSE = ("attention.output.dense", "intermediate.dense", "output.dense")
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


@dataclass(frozen=True)
class Restored:
    """An encoder with its trimmed tokenizer, ``layers`` whose pooled states the heads see, and the heads at their temperature."""

    encoder: Encoder
    layers: tuple[int, ...]
    heads: Mapping[str, Head]


class _Weights:
    """The initializers of a graph by name, as float32."""

    def __init__(self, model: Any) -> None:
        self._onnx = require("onnx")
        self._raw = {one.name: one for one in model.graph.initializer}

    def plain(self, name: str) -> NDArray[np.float32]:
        """An initializer that is not quantised."""
        return np.asarray(self._onnx.numpy_helper.to_array(self._raw[name]), np.float32)

    def words(self) -> NDArray[np.float32]:
        """The embedding ``[pieces, hidden]``."""
        raw = self._raw["word.weight"]
        if raw.data_type != self._onnx.TensorProto.INT4:
            return self.plain("word.weight")
        rows, columns = raw.dims
        levels = unpack_nibbles(np.frombuffer(raw.raw_data, np.uint8).reshape(rows, columns // 2))
        return Blocks(levels, self.plain("word.scale").astype(np.float32).reshape(rows, columns // BLOCK)).restored()

    def matrix(self, name: str) -> NDArray[np.float32]:
        """A matrix ``[out, in]``: graphs hold it the other way about."""
        if f"{name}.scale" not in self._raw:
            return self.plain(f"{name}.weight").T
        levels = np.asarray(self._onnx.numpy_helper.to_array(self._raw[f"{name}.weight"]), np.int8).T
        return Rows(levels, self.plain(f"{name}.scale")).restored()


def _tensors(weights: _Weights, layers: int) -> dict[str, NDArray[np.float32]]:
    tensors = {
        "embeddings.word_embeddings.weight": weights.words(),
        # The graph has token type 0 in its positions.
        "embeddings.position_embeddings.weight": weights.plain("position.weight"),
        "embeddings.LayerNorm.weight": weights.plain("embeddings.LayerNorm.weight"),
        "embeddings.LayerNorm.bias": weights.plain("embeddings.LayerNorm.bias"),
    }
    tensors["embeddings.token_type_embeddings.weight"] = np.zeros((2, tensors["embeddings.LayerNorm.bias"].size), np.float32)
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        matrices, biases = np.split(weights.matrix(f"{prefix}qkv"), 3), np.split(weights.plain(f"{prefix}qkv.bias"), 3)
        for part, matrix, bias in zip(_PARTS, matrices, biases, strict=True):
            tensors[f"{prefix}attention.self.{part}.weight"] = np.ascontiguousarray(matrix)
            tensors[f"{prefix}attention.self.{part}.bias"] = bias
        for name in _DENSE:
            tensors[f"{prefix}{name}.weight"] = np.ascontiguousarray(weights.matrix(f"{prefix}{name}"))
            tensors[f"{prefix}{name}.bias"] = weights.plain(f"{prefix}{name}.bias")
        for name in _NORMS:
            for kind in ("weight", "bias"):
                tensors[f"{prefix}{name}.{kind}"] = weights.plain(f"{prefix}{name}.{kind}")
    return tensors


def _attribute(nodes: Mapping[str, Any], name: str, attribute: str) -> Any:
    onnx = require("onnx")
    return next(onnx.helper.get_attribute_value(one) for one in nodes[name].attribute if one.name == attribute)


def restore(artifact: Artifact) -> Restored:
    """Read the graph of ``artifact``.

    Raises:
        ModelError: the extra ``train`` is missing, or the graph is not one that this package wrote in int8.
    """
    model = require("onnx").load(str(artifact.onnx_path))
    weights, nodes = _Weights(model), {node.name: node for node in model.graph.node}
    config = json.loads((artifact.root / "config.json").read_text(encoding="utf-8"))
    layers = sum(name.endswith(".attended_state") for name in nodes)
    try:
        tensors = _tensors(weights, layers)
        pieces, hidden = tensors["embeddings.word_embeddings.weight"].shape
        fields = {
            "hidden_size": hidden,
            "intermediate_size": tensors["encoder.layer.0.intermediate.dense.bias"].size,
            "num_hidden_layers": layers,
            "num_attention_heads": int(_attribute(nodes, "encoder.layer.0.attended", "num_heads")),
            "layer_norm_eps": float(_attribute(nodes, "state0", "epsilon")),
            "vocab_size": pieces,
            "max_position_embeddings": len(tensors["embeddings.position_embeddings.weight"]),
            "type_vocab_size": 2,
            "hidden_act": "gelu",
            "model_type": "bert",
        }
        tasks = [name.removesuffix("_logits") for name in nodes if name.endswith("_logits")]
        heads = {task: Head(weights.plain(f"{task}.head.weight"), weights.plain(f"{task}.head.bias")) for task in tasks}
        feature_layers = tuple(int(layer) for layer in config["feature_layers"])
        share = float(config["vocabulary_corpus_share"])
    except (KeyError, ValueError, StopIteration) as error:
        raise ModelError(f"{artifact.onnx_path} is not an int8 graph of this package: {error!r}", mend=REINSTALL) from error
    vocabulary = Vocabulary(np.arange(pieces, dtype=np.int64), share)
    return Restored(Encoder(tensors, fields, vocabulary, artifact.tokenizer_path), feature_layers, heads)


def with_weights(restored: Restored, pretrained: PretrainedModel) -> Restored:
    """``restored`` with the unquantised weights of ``pretrained``, the encoder that it was made from (a run's ``…-tuned`` folder).

    Pieces are matched by their text, so the trimmed vocabulary stays as it is.

    Raises:
        ModelError: ``pretrained`` has another shape, or lacks a piece.
    """
    mend = "give the …-tuned folder of the run that made this artifact"
    old, new = restored.encoder, pretrained.tensors()
    ids = Tokenizer.from_file(str(pretrained.tokenizer_path)).get_vocab()
    pieces = sorted(Tokenizer.from_file(str(old.tokenizer_path)).get_vocab().items(), key=lambda item: item[1])
    try:
        kept = np.array([ids[piece] for piece, _ in pieces], np.int64)
    except KeyError as error:
        raise ModelError(f"{pretrained.label} has no piece {error}", mend=mend) from error
    new["embeddings.word_embeddings.weight"] = new["embeddings.word_embeddings.weight"][kept]
    for name, values in old.tensors.items():
        if name not in new or new[name].shape != values.shape:
            raise ModelError(f"{pretrained.label} has no {name} of shape {values.shape}", mend=mend)
    tensors = {name: new[name] for name in old.tensors}
    return Restored(
        Encoder(tensors, old.config, Vocabulary(kept, old.vocabulary.corpus_share), old.tokenizer_path), restored.layers, restored.heads
    )
