from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models.artifact import Artifact, load_artifact
from models.errors import ModelError
from models.inference import TOKEN_BUDGET, Encoder, Runner, Scores

TEXTS = (
    "Profits doubled and the shares rose.",
    "Прибыль удвоилась, акции выросли.",
    "利润翻倍，股价上涨。",
    "الأرباح تضاعفت والأسهم ارتفعت",
    "कंपनी का मुनाफा दोगुना हुआ",
    "売上は減少した",
    "x",
    "😀🔥",
    "The bank froze withdrawals. " * 40,
    "  \n\t ",
    "",
    "\x00\u200b\ufeff",
)


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    try:
        return load_artifact()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoder(artifact: Artifact) -> Iterator[Encoder]:
    with Encoder(artifact, threads=2) as opened:
        yield opened


def _same(left: Scores, right: Scores) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(left, right, strict=True))


def _rows(scores: Scores, rows: slice | list[int]) -> Scores:
    return Scores(*(array[rows] for array in scores))


def test_probabilities_and_unit_embeddings(encoder: Encoder, artifact: Artifact) -> None:
    scores = encoder.score(TEXTS)
    assert scores.sentiment.shape == (len(TEXTS), 3)
    assert scores.topic.shape == (len(TEXTS), len(artifact.topic_labels))
    assert len(scores.embedding) == len(TEXTS)
    for probabilities in scores[:2]:
        assert probabilities.min() >= 0
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(scores.embedding, axis=1), 1, atol=1e-4)
    assert all(array.dtype == np.float32 for array in scores)


def test_different_texts_score_differently(encoder: Encoder) -> None:
    embedding = encoder.score(TEXTS[:6]).embedding
    assert len(np.unique(embedding, axis=0)) == 6


def test_alone_or_in_company_bit_by_bit_the_same(encoder: Encoder) -> None:
    together = encoder.score(TEXTS)
    for row, text in enumerate(TEXTS):
        assert _same(encoder.score([text]), _rows(together, slice(row, row + 1))), text[:30]


def test_the_number_of_threads_changes_nothing(encoder: Encoder, artifact: Artifact) -> None:
    with Encoder(artifact, threads=1) as single, Encoder(artifact, threads=3) as triple:
        assert _same(single.score(TEXTS), encoder.score(TEXTS))
        assert _same(triple.score(TEXTS), encoder.score(TEXTS))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(range(len(TEXTS))), max_size=12))
def test_order_is_kept_for_any_choice_and_repetition(encoder: Encoder, rows: list[int]) -> None:
    whole = encoder.score(TEXTS)
    assert _same(encoder.score([TEXTS[row] for row in rows]), _rows(whole, rows))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=4))
@example(["\U0010ffff\ud7ff\ufffe"])
def test_any_unicode_has_a_score(encoder: Encoder, texts: list[str]) -> None:
    scores = encoder.score(texts)
    assert all(len(array) == len(texts) and np.isfinite(array).all() for array in scores)


def test_nothing_in_nothing_out(encoder: Encoder, artifact: Artifact) -> None:
    empty = encoder.score([])
    assert empty.sentiment.shape == (0, 3)
    assert empty.topic.shape == (0, len(artifact.topic_labels))
    assert empty.embedding.shape == (0, encoder.score(["x"]).embedding.shape[1])


def test_a_lone_surrogate_is_refused(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encoder.score(["good", "bad \ud800"])


def test_a_huge_text_is_read_as_far_as_the_model_looks(encoder: Encoder, artifact: Artifact) -> None:
    beginning = "The bank froze withdrawals. " * artifact.max_length
    huge = beginning + "x" * 10_000_000
    assert len(encoder.tokenize([huge])[0]) == artifact.max_length
    assert _same(encoder.score([huge]), encoder.score([beginning]))


def test_ten_thousand_texts(encoder: Encoder) -> None:
    texts = [f"{number}" for number in range(10_000)]
    scores = encoder.score(texts)
    assert len(scores.sentiment) == 10_000
    for row in (0, 1, 4_999, 9_999):
        assert _same(encoder.score([texts[row]]), _rows(scores, slice(row, row + 1)))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 600), max_size=80), st.integers(1, 1024))
def test_batches_hold_every_text_once_without_padding(encoder: Encoder, lengths: list[int], budget: int) -> None:
    tokens = [[row] * length for row, length in enumerate(lengths)]
    batches = list(encoder.batches(tokens, budget))
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(tokens)))
    for batch in batches:
        assert len(batch.rows) == 1 or batch.input_ids.size <= budget
        assert batch.attention_mask.all()
        for row, ids in zip(batch.rows, batch.input_ids, strict=True):
            assert ids.tolist() == tokens[row]


def test_a_small_list_is_shared_among_the_threads(encoder: Encoder) -> None:
    tokens = [[1] * 10] * 4
    assert sum(map(len, tokens)) < TOKEN_BUDGET
    assert [len(batch.rows) for batch in encoder.batches(tokens)] == [2, 2]


def test_many_threads_may_score_at_once(encoder: Encoder) -> None:
    expected = encoder.score(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        assert all(_same(found, expected) for found in pool.map(encoder.score, [TEXTS] * 16))


def test_truncation_and_prefix(artifact: Artifact) -> None:
    with Runner(artifact.onnx_path, artifact.tokenizer_path, max_length=8, prefix="query: ") as prefixed:
        (ids,) = prefixed.tokenize(["one two three four five six seven eight nine ten"])
        assert len(ids) == 8
        with Runner(artifact.onnx_path, artifact.tokenizer_path, max_length=8) as plain:
            assert plain.tokenize(["query: one two three four five six seven eight"]) == [ids]


def _copy(artifact: Artifact, folder: Path) -> Path:
    for path in (artifact.onnx_path, artifact.tokenizer_path, artifact.root / "config.json", artifact.calibration_path):
        shutil.copy(path, folder)
    return folder


def test_a_damaged_file_is_named(artifact: Artifact, tmp_path: Path) -> None:
    folder = _copy(artifact, tmp_path)
    graph = bytearray((folder / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (folder / "model.onnx").write_bytes(graph)
    with pytest.raises(ModelError, match=r"model\.onnx is damaged"):
        Encoder(load_artifact(folder))


def test_labels_that_do_not_fit_the_graph_are_refused(artifact: Artifact, tmp_path: Path) -> None:
    folder = _copy(artifact, tmp_path)
    config = (folder / "config.json").read_text(encoding="utf-8")
    (folder / "config.json").write_text(config.replace(f'"{artifact.topic_labels[0]}"', '"one", "two"', 1), encoding="utf-8")
    with pytest.raises(ModelError, match=r"its config\.json names"):
        Encoder(load_artifact(folder))


def test_a_closed_encoder_may_be_closed_again(artifact: Artifact) -> None:
    opened = Encoder(artifact)
    opened.close()
    opened.close()
    with pytest.raises(RuntimeError):
        opened.score(["late"])


def test_one_beside_another_has_its_own_threads_and_the_same_graph(artifact: Artifact) -> None:
    texts = ["Profits doubled.", "Убытки выросли вдвое."]
    first = Encoder(artifact, threads=2)
    beside = first.beside()
    assert (beside.threads, first.threads) == (1, 2)
    assert beside.session is first.session
    np.testing.assert_array_equal(beside.score(texts).sentiment, first.score(texts).sentiment)
    first.close()
    assert beside.score(texts).sentiment.shape == (2, 3)
    beside.close()
    with pytest.raises(RuntimeError):
        beside.score(texts)
