from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.adaptation.labels import LEAST, Labelled, likely_task, read_labels, resolve_classes
from models.data import SENTIMENT_LABELS
from models.errors import ModelError

ROWS = [{"text": "Rates rise", "label": "banks", "lang": "en"}, {"text": "Öl fällt,\nstark", "label": " oil ", "lang": "DE"}]
EXPECTED = [Labelled("Rates rise", "banks", "en"), Labelled("Öl fällt,\nstark", "oil", "de")]


def lines(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_the_same_labels_are_read_from_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(lines(ROWS) + "\n", encoding="utf-8")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines(ROWS).encode()))
    (tmp_path / "c.csv").write_text('\ufefflang,text,label\nen,Rates rise,banks\nDE,"Öl fällt,\nstark",oil\n', encoding="utf-8")
    for name in ("a.jsonl", "b.jsonl.gz", "c.csv"):
        assert read_labels(tmp_path / name).rows == EXPECTED, name


def test_a_language_may_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nhello,greeting\n")
    assert read_labels(tmp_path / "a.csv").rows == [Labelled("hello", "greeting", "und")]


def test_a_text_with_two_labels_teaches_nothing_and_one_said_twice_counts_once(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in (("a b", "x"), ("a b", "y"), ("c d", "x"), ("c d", "x"))]
    (tmp_path / "a.jsonl").write_text(lines(rows))
    found = read_labels(tmp_path / "a.jsonl")
    assert [row.text for row in found.rows] == ["c d"]
    assert found.dropped == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"text": "a", "label": "b"}\n{"text": "a"', "line 2: not JSON"),
        ("a.jsonl", b'["a", "b"]', "line 1: not a JSON object"),
        ("a.jsonl", b'{"text": "a", "label": 3}', "line 1: text or label is missing"),
        ("a.jsonl", b'{"text": "  ", "label": "b"}', "line 1: text or label is missing"),
        ("a.jsonl", b'{"text": "\\ud800", "label": "b"}', "line 1: half a character"),
        ("a.jsonl", b'{"text": "a", "label": "b"}\n' + b"[" * 100_000, "line 2: not JSON that can be read"),
        ("a.jsonl", b'{"text": "a", "label": "b", "id": ' + b"9" * 5_000 + b"}", "line 1: not JSON that can be read"),
        ("a.jsonl.gz", gzip.compress(b"a" * 1_000)[:-12] + b"\x07" * 12, "cannot read"),
        ("a.jsonl.gz", gzip.compress(b"{}")[:10] + b"\xff" * 20, "cannot read"),
        ("a.jsonl", b"", "holds no labelled text"),
        ("a.jsonl", b"\xff\xfe", "cannot read"),
        ("a.jsonl.gz", b"no gzip", "cannot read"),
        ("a.csv", b"headline,label\na,b\n", "line 2: text or label is missing"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        read_labels(tmp_path / name)
    assert '"text"' in caught.value.mend


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no labels file .*none\.csv"):
        read_labels(tmp_path / "none.csv")


def many(**counts: int) -> list[Labelled]:
    return [Labelled(f"{label} {number}", label, "en") for label, count in counts.items() for number in range(count)]


def test_new_classes_come_after_the_known_ones_and_case_does_not_matter() -> None:
    classes, places = resolve_classes(many(oil=5, SPORT=5, banks=6), "topic", ["health", "sport"])
    assert classes == ["health", "sport", "banks", "oil"]
    assert places == [3] * 5 + [1] * 5 + [2] * 6


def test_a_slip_of_the_pen_is_no_new_class() -> None:
    with pytest.raises(ModelError, match=r"1 texts with the label 'sprot' \(or is it 'sport'\?\)"):
        resolve_classes(many(sprot=1, sport=20, oil=20), "topic", ["health", "sport"])


def test_a_sentiment_is_one_of_three_or_a_word_that_means_one() -> None:
    with pytest.raises(ModelError, match="'sideways' is no sentiment"):
        resolve_classes(many(sideways=10, negative=10), "sentiment", SENTIMENT_LABELS)
    classes, places = resolve_classes(many(Bullish=5, negative=5, bearish=6), "sentiment", SENTIMENT_LABELS)
    assert classes == list(SENTIMENT_LABELS)
    assert places == [2] * 5 + [0] * 11


def test_what_the_labels_look_like_decides_the_task() -> None:
    assert likely_task(many(bullish=1, BEARISH=1, neutral=1)) == "sentiment"
    assert likely_task(many(banks=1, sport=1)) == "topic"
    with pytest.raises(ModelError, match="'bearish' looks like a sentiment, 'sideways' does not") as caught:
        likely_task(many(bullish=1, bearish=1, sideways=1))
    assert "--task" in caught.value.mend


def test_a_topic_of_the_users_is_not_taken_for_ours_of_a_like_name() -> None:
    assert resolve_classes(many(business=5, sport=5), "topic", ["economy, business and finance", "sport"])[0][-1] == "business"


def test_one_known_class_alone_teaches_nothing_and_one_new_class_does() -> None:
    with pytest.raises(ModelError, match="every text has the label 'sport'"):
        resolve_classes(many(sport=20), "topic", ["health", "sport"])
    assert resolve_classes(many(oil=20), "topic", ["health", "sport"])[0] == ["health", "sport", "oil"]


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(st.characters(categories=["L"]), min_size=1, max_size=6), st.integers(LEAST, 9), min_size=2, max_size=5))
def test_every_row_gets_the_class_that_it_names(counts: dict[str, int]) -> None:
    folded: dict[str, int] = {}
    for name, count in counts.items():
        folded.setdefault(name.casefold(), count)
    rows = [Labelled(f"{name} {number}", name, "en") for name, count in folded.items() for number in range(count)]
    classes, places = resolve_classes(rows, "topic", ["sport"])
    assert [classes[place].casefold() for place in places] == [row.label.casefold() for row in rows]
    assert classes[0] == "sport"
