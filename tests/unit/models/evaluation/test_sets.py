from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from models.data import LABELS
from models.errors import ModelError
from models.evaluation.sets import class_of, read_sets
from models.targets import clause_of


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n"
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def row(text: str, label: str, **others: object) -> dict[str, object]:
    return {"text": text, "label": label, **others}


def test_any_folder_of_lines_is_read_and_its_tasks_are_found(tmp_path: Path) -> None:
    write(tmp_path / "posts.jsonl", row("up", "Bullish", lang="en"), row("down", "NEG"), row("flat", "neutral"))
    write(tmp_path / "news.jsonl.gz", row("goal", "Sports", lang="de"), row("vote", "politics and government"))
    write(tmp_path / "events.jsonl", row("buys", "M&A", source="wire"), row("beats", "earnings", source="wire"))
    tone, topic, event = sorted(read_sets(tmp_path), key=lambda one: list(LABELS).index(one.task))
    assert (tone.name, tone.task, topic.name, topic.task, event.name, event.task) == (
        "posts",
        "sentiment",
        "news",
        "topic",
        "wire",
        "event",
    )
    assert [(one.text, one.label, one.lang) for one in tone.examples] == [("up", 2, "en"), ("down", 0, "und"), ("flat", 1, "und")]
    assert [LABELS["topic"][one.targets[0]] for one in topic.examples] == ["sport", "politics and government"]
    assert [LABELS["event"][one.targets[0]] for one in event.examples] == ["mergers and acquisitions", "earnings"]


def test_one_file_is_enough_and_sets_are_told_apart_by_source(tmp_path: Path) -> None:
    path = write(tmp_path / "all.jsonl", row("a", "good", source="x"), row("b", "neutral", source="y"), row("c", "bad", source="x"))
    assert {one.name: len(one.examples) for one in read_sets(path)} == {"x": 2, "y": 1}


def test_the_benchmark_goes_by_the_tables_of_its_sources(tmp_path: Path) -> None:
    write(tmp_path / "benchmark" / "sib200.jsonl", row("t", "travel", lang="en", source="sib200", split="test"))
    write(tmp_path / "train" / "topic" / "sib200.jsonl", row("never", "travel", lang="en", source="sib200", split="train"))
    (only,) = read_sets(tmp_path)
    assert [(one.text, LABELS["topic"][one.targets[0]]) for one in only.examples] == [("t", "lifestyle and leisure")]


def test_train_rows_conflicts_and_labels_without_a_class_are_left_out_and_counted(tmp_path: Path) -> None:
    write(
        tmp_path / "x.jsonl",
        row("one", "positive"),
        row("one", "negative"),
        row("two", "neutral", split="train"),
        row("three", "neutral", split="dev"),
        row("three", "neutral", split="dev"),
    )
    (only,) = read_sets(tmp_path)
    assert [one.text for one in only.examples] == ["three"]
    assert only.left_out == {"of the train split": 1, "several answers to one text": 2}
    write(
        tmp_path / "y" / "t.jsonl", row("ipo", "IPO", source="twitter_financial_topic"), row("m", "Macro", source="twitter_financial_topic")
    )
    (events,) = read_sets(tmp_path / "y", task="event")
    assert events.left_out == {"label left out by our tables": 1}


def test_two_classes_are_asked_for_two(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", row("one", "positive"), row("two", "negative"))
    (only,) = read_sets(tmp_path)
    assert only.classes == (0, 2)
    assert "no neutral labels" in only.note


def test_labels_toward_a_target_are_a_set_of_their_own(tmp_path: Path) -> None:
    text = "Aurelia soars on strong results, while Borealis collapses after a failed trial"
    write(
        tmp_path / "x.jsonl",
        row(text, "positive", target="Aurelia", source="wire"),
        row(text, "negative", target="Borealis", source="wire"),
        row("Nothing much.", "neutral", source="wire"),
        row("Caldera opens a shop in town, and waits", "neutral", target="Caldera", source="wire"),
    )
    plain, toward = read_sets(tmp_path)
    assert (plain.name, len(plain.examples)) == ("wire", 1)
    assert (toward.name, len(toward.examples)) == ("wire, toward a target", 3)
    assert {one.text for one in toward.examples[:2]} == {text}
    assert "the whole text is scored" in toward.note
    _, cut = read_sets(tmp_path, targets="clause")
    assert [one.text for one in cut.examples] == [
        "Aurelia soars on strong results",
        "while Borealis collapses after a failed trial",
        "Caldera opens a shop in town, and waits",
    ], "a text with one target is left whole"


@pytest.mark.parametrize(
    ("text", "target", "clause"),
    [
        ("Sensex turns choppy; RIL, ICICI, HDFC top losers", "Sensex", "Sensex turns choppy; RIL"),
        ("Sensex falls by two per cent; RIL, ICICI, HDFC top losers", "ICICI", "ICICI HDFC top losers"),
        ("Profits rose. Acme fell sharply in Paris", "acme", "Acme fell sharply in Paris"),
        ("Profits rose at others", "Acme", "Profits rose at others"),
    ],
)
def test_clauses(text: str, target: str, clause: str) -> None:
    assert clause_of(text, target) == clause


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a", "label": "positive"}\n{"text": "b", "label": "amber"}\n', r"x\.jsonl, line 2: label 'amber' is no sentiment"),
        ('{"text": "a", "label": 1}\n', r"x\.jsonl, line 1: field 'label' is 1, not text"),
        ('{"text": "a"}\n', r"line 1: field 'label' is missing"),
        ('{"label": "positive", "text": ""}\n', r"line 1: field 'text' is missing or empty"),
        ("\n[]\n", r"line 2: not a JSON object"),
        ('{"text": \n', r"line 1: not JSON"),
        ('{"text": "a", "label": "positive", "split": "train"}\n', r"nothing to measure .* of the train split"),
        ("\n", r"nothing to measure .* no lines"),
        ('{"text": "half \\ud83d a rocket", "label": "positive"}\n', r"x\.jsonl, line 1: half a character"),
        ("[" * 100_000 + "\n", r"x\.jsonl, line 1: not JSON"),
        ('{"text": "a", "label": "positive", "likes": ' + "9" * 5_000 + "}\n", r"x\.jsonl, line 1: not JSON"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_the_mend(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        read_sets(tmp_path)
    assert caught.value.mend


def test_a_mark_of_byte_order_before_the_first_line_is_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a", "label": "positive"}\n')
    (only,) = read_sets(tmp_path)
    assert [one.text for one in only.examples] == ["a"]


@pytest.mark.parametrize("spoil", ["head", "middle", "end"])
def test_a_packed_file_that_is_damaged_is_named(tmp_path: Path, spoil: str) -> None:
    content = bytearray(gzip.compress(b'{"text": "a", "label": "positive"}\n' * 2_000))
    if spoil == "end":
        content = content[:50]
    else:
        content[0 if spoil == "head" else 30] ^= 0xFF
    (tmp_path / "x.jsonl.gz").write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot read .*x\.jsonl\.gz"):
        read_sets(tmp_path)


def test_the_new_classes_of_an_adapted_model_are_labels_too(tmp_path: Path) -> None:
    write(tmp_path / "desk.jsonl", row("a", "Red_Tape"), row("b", "sports"))
    classes = {**LABELS, "topic": (*LABELS["topic"], "red tape")}
    (only,) = read_sets(tmp_path, classes=classes)
    assert [one.targets[0] for one in only.examples] == [len(LABELS["topic"]), LABELS["topic"].index("sport")]
    assert only.classes == tuple(range(len(LABELS["topic"]) + 1))
    with pytest.raises(ModelError, match="label 'Red_Tape' is no"):
        read_sets(tmp_path)
    with pytest.raises(ModelError, match="is no event") as caught:
        read_sets(tmp_path, task="event", classes={**classes, "event": ("earnings", "strikes")})
    assert caught.value.mend.startswith("use earnings, strikes, or")


def test_a_named_task_names_the_line_that_does_not_fit(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", row("a", "sport"), row("b", "positive"))
    with pytest.raises(ModelError, match=r"line 2: label 'positive' is no topic") as caught:
        read_sets(tmp_path, task="topic")
    assert "economy, business and finance" in caught.value.mend
    for arguments in ({"task": "mood"}, {"targets": "word"}):
        with pytest.raises(ModelError, match=r"--ta"):
            read_sets(tmp_path, **arguments)  # type: ignore[arg-type]


def test_a_folder_without_lines_and_a_broken_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no \.jsonl"):
        read_sets(tmp_path)
    (tmp_path / "x.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(ModelError, match="cannot read"):
        read_sets(tmp_path)


def test_a_source_of_ours_may_be_written_with_our_names_too() -> None:
    assert class_of("topic", "sib200", "travel") == class_of("topic", "elsewhere", "Travel")
    assert class_of("sentiment", "umsab", "bullish") == 2
    assert class_of("topic", "thucnews_zh", "sport") == LABELS["topic"].index("sport")
