from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.encoder.quantization import BLOCK, ROW_LIMIT, pack_nibbles, quantize_blocks, quantize_rows

matrices = arrays(np.float32, st.tuples(st.integers(1, 4), st.sampled_from([BLOCK, 2 * BLOCK])), elements=st.floats(-8, 8, width=32))


@given(matrices)
def test_blocks_restore_within_one_step_and_are_then_exact(weights: np.ndarray) -> None:
    blocks = quantize_blocks(weights)
    steps = np.repeat(np.abs(blocks.scales), BLOCK, axis=1)
    restored = blocks.restored()
    # The one level that -8..7 lacks on the far side is worth a whole step. Weights below a millionth have no scale of 16 bits.
    assert np.all(np.abs(restored - weights) <= steps * 1.01 + 5e-7)
    assert np.array_equal(blocks.scales.astype(np.float16), blocks.scales)
    assert np.array_equal(quantize_blocks(restored).restored(), restored)


@given(matrices)
def test_rows_restore_within_half_a_step(weights: np.ndarray) -> None:
    rows = quantize_rows(weights)
    assert np.abs(rows.levels.astype(int)).max() <= ROW_LIMIT
    assert np.all(np.abs(rows.restored() - weights) <= rows.scales[:, None] * 0.501 + 1e-30)


def test_weights_stored_by_the_block_rule_come_back_to_the_bit() -> None:
    random = np.random.default_rng(0)
    levels = random.integers(-8, 8, (5, 3, BLOCK))
    levels[..., 0] = -8
    scales = random.normal(0, 0.01, (5, 3, 1)).astype(np.float16).astype(np.float32)
    stored = (levels * scales).astype(np.float32).reshape(5, 3 * BLOCK)
    assert np.array_equal(quantize_blocks(stored).restored(), stored)


def test_no_pair_of_products_overflows_sixteen_bits() -> None:
    assert np.iinfo(np.int16).max >= 2 * 255 * ROW_LIMIT


def test_nibbles_are_two_complement_even_column_low() -> None:
    packed = pack_nibbles(np.array([[1, -1, -8, 7]], np.int8))
    assert packed.tolist() == [[0x1 | 0xF << 4, 0x8 | 0x7 << 4]]


def test_a_row_of_zeros_stays_zero() -> None:
    zeros = np.zeros((2, BLOCK), np.float32)
    assert not quantize_rows(zeros).restored().any()
    assert not quantize_blocks(zeros).restored().any()


def test_columns_must_divide_into_blocks() -> None:
    with pytest.raises(ValueError, match="33 columns"):
        quantize_blocks(np.zeros((1, 33), np.float32))
