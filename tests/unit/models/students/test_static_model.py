from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.encoder.quantization import quantize_rows
from models.errors import ModelError
from models.students.static_model import BLOCK, StaticModel, bags
from models.training.heads import Head

PIECES, BUCKETS, WIDTH, INNER = 40, 16, 8, 12

texts = st.lists(st.lists(st.integers(0, PIECES - 1), min_size=1, max_size=9), min_size=1, max_size=12)


def head(random: np.random.Generator, inputs: int, outputs: int) -> Head:
    return Head(random.normal(0, 1, (inputs, outputs)).astype(np.float32), random.normal(0, 1, outputs).astype(np.float32))


def static() -> StaticModel:
    random = np.random.default_rng(4)
    table = quantize_rows(random.normal(0, 1, (PIECES + BUCKETS, WIDTH)).astype(np.float32))
    heads = {"sentiment": head(random, INNER, 3), "topic": head(random, INNER, 5)}
    return StaticModel(table, PIECES, head(random, WIDTH, INNER), heads, head(random, INNER, 6))


@given(texts)
@settings(max_examples=40, deadline=None)
def test_a_bag_holds_the_pieces_and_a_bucket_for_each_pair(tokens: list[list[int]]) -> None:
    whole = bags(tokens, PIECES, BUCKETS)
    for index, ids in enumerate(tokens):
        rows = whole.rows[whole.starts[index] : whole.starts[index + 1]].tolist()
        assert rows[: len(ids)] == ids
        assert len(rows) == 2 * len(ids) - 1
        assert all(PIECES <= row < PIECES + BUCKETS for row in rows[len(ids) :])
    assert whole.starts[-1] == len(whole.rows)


def test_a_pair_goes_to_its_own_bucket_wherever_it_stands_and_order_counts() -> None:
    first, second, turned = (bags([ids], PIECES, 1 << 20).rows for ids in ([1, 2, 3], [9, 9, 2, 3], [3, 2]))
    assert first[-1] == second[-1]
    assert turned[-1] != first[-1]


def test_a_text_without_a_token_is_an_error_and_no_text_is_none() -> None:
    with pytest.raises(ValueError, match="without a token"):
        bags([[1], []], PIECES, BUCKETS)
    assert static().score([]).sentiment.shape == (0, 3)


def test_the_mean_is_that_of_the_restored_vectors() -> None:
    model = static()
    tokens = [[3, 4, 5], [7]]
    table, whole = model.table.restored(), bags(tokens, PIECES, BUCKETS)
    expected = [table[whole.rows[whole.starts[row] : whole.starts[row + 1]]].mean(0) for row in range(2)]
    assert model.means(tokens) == pytest.approx(np.array(expected), abs=1e-5)


@given(texts)
@settings(max_examples=25, deadline=None)
def test_a_text_scores_the_same_alone_and_in_any_company(tokens: list[list[int]]) -> None:
    model = static()
    together = model.score(tokens * (BLOCK // len(tokens) + 2))
    for row, ids in enumerate(tokens):
        for whole, alone in zip(together, model.score([ids]), strict=True):
            assert np.array_equal(whole[row], alone[0])
            assert np.array_equal(whole[row + len(tokens)], alone[0])


def test_scores_are_probabilities_and_the_embedding_has_unit_length() -> None:
    scores = static().score([[1, 2, 3]] * 3)
    assert scores.sentiment.sum(1) == pytest.approx(1, abs=1e-5)
    assert scores.topic.shape == (3, 5)
    assert np.linalg.norm(scores.embedding, axis=1) == pytest.approx(1, abs=1e-5)
    assert {part.dtype for part in scores} == {np.dtype(np.float32)}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    model, path = static(), tmp_path / "static.npz"
    model.save(path)
    loaded = StaticModel.load(path)
    assert loaded.pieces == PIECES
    for ours, theirs in zip(model.score([[1, 2], [3]]), loaded.score([[1, 2], [3]]), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("content", [None, b"", b"no archive", "torn"], ids=str)
def test_a_file_that_is_no_static_model_is_named(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "static.npz"
    static().save(path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40] if isinstance(content, str) else content)
    with pytest.raises(ModelError, match=r"static\.npz"):
        StaticModel.load(path)


def test_another_archive_is_no_static_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "static.npz", other=np.zeros(3))
    with pytest.raises(ModelError, match="is not a static model"):
        StaticModel.load(tmp_path / "static.npz")
