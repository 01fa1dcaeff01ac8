"""Weight quantisation of the encoder: 4-bit blocks for the embedding table, 7-bit rows for the matrices.

The block rule is that of llama.cpp's Q4_0: the value of greatest magnitude in a block of 32 becomes exactly -8. It is lossless for
weights that were stored by the same rule, which is so for the 4-bit package the encoder is unpacked from.

Matrix weights use the range -64..64 although they are stored as int8: on processors without VNNI the product of an unsigned and a
signed byte is summed pairwise in 16 bits, and 255 * 64 * 2 still fits where 255 * 127 * 2 would saturate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "ROW_LIMIT", "Blocks", "Rows", "pack_nibbles", "quantize_blocks", "quantize_rows", "unpack_nibbles"]

BLOCK = 32
ROW_LIMIT = 64


@dataclass(frozen=True)
class Blocks:
    """``levels`` int8 ``[rows, columns]`` in -8..7; ``scales`` float32 ``[rows, columns / BLOCK]``, each a number of 16 bits."""

    levels: NDArray[np.int8]
    scales: NDArray[np.float32]

    def restored(self) -> NDArray[np.float32]:
        """The float32 weights that the levels stand for."""
        rows, columns = self.levels.shape
        levels = self.levels.reshape(rows, columns // BLOCK, BLOCK).astype(np.float32)
        restored: NDArray[np.float32] = (levels * self.scales[:, :, None]).reshape(rows, columns)
        return restored


@dataclass(frozen=True)
class Rows:
    """``levels`` int8 ``[rows, columns]`` in -64..64; ``scales`` float32 ``[rows]``."""

    levels: NDArray[np.int8]
    scales: NDArray[np.float32]

    def restored(self) -> NDArray[np.float32]:
        """The float32 weights that the levels stand for."""
        restored: NDArray[np.float32] = self.levels.astype(np.float32) * self.scales[:, None]
        return restored


def quantize_blocks(weights: NDArray[np.float32]) -> Blocks:
    """Quantise ``weights`` ``[rows, columns]`` to 4 bits; columns must be a multiple of :data:`BLOCK`.

    Raises:
        ValueError: the columns do not divide into blocks.
    """
    rows, columns = weights.shape
    if columns % BLOCK:
        raise ValueError(f"{columns} columns are not a multiple of {BLOCK}")
    blocks = weights.reshape(rows, columns // BLOCK, BLOCK)
    peak = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2, keepdims=True), axis=2)
    # What a file keeps of a scale is 16 bits; the 4-bit package's own are no longer, so nothing of it is lost.
    scales = (peak / np.float32(-8.0)).astype(np.float16).astype(np.float32)
    levels = np.clip(np.rint(blocks / np.where(scales == 0, 1.0, scales)), -8, 7).astype(np.int8)
    return Blocks(levels=levels.reshape(rows, columns), scales=scales[:, :, 0].astype(np.float32))


def quantize_rows(weights: NDArray[np.float32]) -> Rows:
    """Quantise ``weights`` ``[rows, columns]`` to -64..64 with one scale a row."""
    scales = (np.abs(weights).max(axis=1) / ROW_LIMIT).astype(np.float32)
    safe = np.where(scales == 0, np.float32(1.0), scales)
    return Rows(levels=np.rint(weights / safe[:, None]).astype(np.int8), scales=scales)


def pack_nibbles(levels: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Two 4-bit two's-complement levels a byte, the even column in the low nibble; the last dimension halves (ONNX INT4)."""
    nibbles = levels.astype(np.uint8) & 15
    return np.bitwise_or(nibbles[..., 0::2], np.left_shift(nibbles[..., 1::2], 4)).astype(np.uint8)


def unpack_nibbles(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """What :func:`pack_nibbles` packed: the last dimension doubles."""
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1).astype(np.int8)
    levels: NDArray[np.int8] = np.where(nibbles > 7, nibbles - 16, nibbles).astype(np.int8)
    return levels
