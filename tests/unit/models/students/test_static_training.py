from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.data import LABELS, Example
from models.errors import ModelError
from models.students.static_model import bags
from models.students.static_training import StaticTraining, _some, _thinned, lessons_of, read_static_training, start_table, train_static
from models.students.teacher import TeacherAnswers
from models.texts.mixture import Lesson, Lessons
from models.training.configuration import Mixing
from models.training.heads import Head

CONFIGS = Path(__file__).resolve().parents[4] / "models" / "configs"
GOOD, BAD, PIECES, HIDDEN = 5, 6, 20, 8


def tokenize(texts: list[str]) -> list[list[int]]:
    """Tokens stand in the text, between a start and an end."""
    return [[0, *map(int, text.split()), 1] for text in texts]


def lesson(number: int) -> Lesson:
    """Piece 5 is good and 6 is bad, unless piece 7 stands right before them."""
    filler, turned, good = 8 + number % 7, number % 3 == 0, number % 2 == 0
    text = f"{filler} {8 + number // 7 % 12} {'7 ' if turned else ''}{GOOD if good else BAD} {8 + number // 84 % 12}"
    right = 2 if good != turned else 0
    example = Example(text, "en", "umsab", "train", "sentiment", (right,), (0, 1, 2))
    topic = Example(text, "en", "reuters21578", "train", "topic", (3,), tuple(range(len(LABELS["topic"]))))
    return Lesson(text, "en", "umsab", {"sentiment": example, "topic": topic})


@pytest.fixture
def lessons() -> Lessons:
    return Lessons({("umsab", "en"): [lesson(number) for number in range(600)]}, [lesson(number) for number in range(600, 700)])


def test_the_file_that_ships_is_read_and_asks_about_the_texts_of_the_students() -> None:
    from models.students.student import read_distillation

    chosen, student = read_static_training(CONFIGS / "student-static.toml"), read_distillation(CONFIGS / "student-6.toml")
    assert (chosen.mixing, chosen.seed) == (student.mixing, student.seed)
    assert chosen.texts > student.texts, "the first texts of one pass are the same"
    assert chosen.streams > 0
    assert chosen.train_length == student.train_length


@pytest.mark.parametrize(
    "line", ["width = 0", "softness = 0.0", "passes = 0", 'width = "wide"', "wdth = 3", "[mixing]\nrow = 1", "width ="]
)
def test_impossible_settings_are_errors(tmp_path: Path, line: str) -> None:
    path = tmp_path / "static.toml"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(ModelError, match=r"static\.toml"):
        read_static_training(path)


def test_asked_lessons_come_first_and_each_text_once(lessons: Lessons) -> None:
    chosen = StaticTraining(texts=50, labelled=400, mixing=Mixing(rows=300, topic=0.0, finance=0.0))
    asked, everything = lessons_of(lessons, chosen)
    assert 0 < len(asked) <= 50 < len(everything)
    assert everything[: len(asked)] == asked
    assert len({one.text for one in everything}) == len(everything)


def test_stream_texts_are_asked_about_and_have_no_label(lessons: Lessons) -> None:
    chosen = StaticTraining(texts=50, labelled=400, mixing=Mixing(rows=300, topic=0.0, finance=0.0))
    asked, everything = lessons_of(lessons, chosen, ["9 9", "10 10"])
    assert [one.text for one in asked[:2]] == ["9 9", "10 10"]
    assert not any(one.answers for one in asked[:2])
    assert everything[: len(asked)] == asked
    assert asked[2:] == lessons_of(lessons, chosen)[0]


def test_thinned_bags_keep_their_first_row_and_lose_about_the_share() -> None:
    whole = bags([[1, *range(2, 12)] for _ in range(300)], PIECES, 9)
    thin = _thinned(whole, 0.3, np.random.default_rng(0))
    assert np.diff(thin.starts).min() >= 1
    assert thin.rows[thin.starts[:-1]].tolist() == [1] * 300
    assert thin.starts[-1] == len(thin.rows) == pytest.approx(0.7 * len(whole.rows), rel=0.1)
    same = _thinned(whole, 0.0, np.random.default_rng(0))
    assert np.array_equal(same.rows, whole.rows)
    assert np.array_equal(same.starts, whole.starts)


def test_the_table_begins_with_the_words_main_directions_and_nearly_nothing_for_pairs() -> None:
    random = np.random.default_rng(1)
    words = (random.normal(0, 1, (PIECES, 2)) @ random.normal(0, 1, (2, HIDDEN))).astype(np.float32)
    table = start_table(words, StaticTraining(width=4, buckets=6))
    assert table.shape == (PIECES + 6, 4)
    assert table.dtype == np.float32
    assert np.abs(table[:PIECES, 2:]).max() < 1e-3 < np.abs(table[:PIECES, :2]).mean(), "two directions make these words"
    near = np.corrcoef(np.linalg.norm(words - words.mean(0), axis=1), np.linalg.norm(table[:PIECES], axis=1))[0, 1]
    assert near > 0.999


def test_some_bags_are_those_of_the_chosen_texts() -> None:
    tokens = [[1, 2], [3, 4, 5], [6], [7, 8]]
    chosen = np.array([3, 1])
    assert _some(bags(tokens, PIECES, 9), chosen).rows.tolist() == bags([tokens[3], tokens[1]], PIECES, 9).rows.tolist()


def test_it_learns_words_and_pairs_and_the_embedding_of_the_teacher(lessons: Lessons) -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    chosen = StaticTraining(
        width=8,
        buckets=512,
        inner=16,
        texts=200,
        labelled=500,
        passes=8,
        batch=16,
        threads=1,
        table_rate=3e-2,
        rate=1e-2,
        dropout=0.0,
        mixing=Mixing(rows=400, topic=0.0, finance=0.0),
    )
    asked, _ = lessons_of(lessons, chosen)
    good = np.array([[one.answers["sentiment"].targets[0] == 2] for one in asked])
    features = np.where(good, 1.0, -1.0) * np.ones((1, HIDDEN))
    heads = {"sentiment": Head(np.tile(np.array([[-0.3, 0.0, 0.3]], np.float32), (HIDDEN, 1)), np.zeros(3, np.float32))}
    answers = TeacherAnswers([one.text for one in asked], features.astype(np.float16), (4,), heads)
    words = np.random.default_rng(0).normal(0, 1, (PIECES, HIDDEN)).astype(np.float32)
    model, scores = train_static(lessons, tokenize, words, answers, chosen, lambda *_: None)
    assert scores["sentiment"].score > 90, "a mean of words alone cannot tell a turned word"
    assert scores["topic"].score == 100
    dev = lessons.dev[:20]
    found = model.score(tokenize([one.text for one in dev]))
    expected = np.array([one.answers["sentiment"].targets[0] for one in dev])
    assert (found.sentiment.argmax(1) == expected).mean() > 0.9
    assert (np.sign(found.embedding.sum(1)) == np.where(expected == 2, 1, -1)).mean() > 0.9
