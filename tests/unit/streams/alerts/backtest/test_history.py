"""History is read in every form it comes in, and nothing of it is dropped silently."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.backtest.history import read_history
from streams.alerts.sighting import sighting
from streams.documents import EntityMention, Language, ScoredDocument, Sentiment, Timings, Topic
from streams.errors import BellwetherError

AT = datetime(2026, 3, 2, 10, 15, 30, tzinfo=UTC)
MINUTE = int(AT.timestamp() // 60)


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return path


def scored() -> ScoredDocument:
    return ScoredDocument(
        id="d1",
        source="wire",
        url="https://wire.example/1",
        title="银行挤兑",
        text="ودائع البنك",
        author="Ada",
        published_at=AT,
        tags=("Banks", "قروض"),
        language=Language(code="ar", confidence=0.9),
        sentiment=Sentiment(negative=0.7, neutral=0.2, positive=0.1),
        topic=Topic(label="economy", probabilities={"economy": 1.0}),
        duplicate_of="d0",
        entities=(EntityMention(id="acme", name="Acme", matched="ACME"),),
        model_id="m",
        timings=Timings(received_at=AT, scored_at=AT),
        origin="t-0-1",
    )


def test_a_document_of_the_service_becomes_the_sighting_that_the_service_makes_of_it(tmp_path: Path) -> None:
    document = scored()
    path = write(tmp_path / "scored.jsonl", document.model_dump_json(), document.model_dump_json(exclude_none=True))
    history = read_history(path)
    assert history.sightings == [sighting(document)] * 2
    assert history.faults == []
    assert history.unscored == 0


def test_a_packed_file_reads_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.jsonl", scored().model_dump_json())
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_history(packed).sightings == read_history(plain).sightings


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"label": "negative"}, (True, True, -1.0)),
        ({"sentiment_true": "positive"}, (True, False, 1.0)),
        ({"sentiment": "Neutral"}, (True, False, 0.0)),
        ({"sentiment": -0.8}, (True, True, -0.8)),
        ({"sentiment": -0.2}, (True, False, -0.2)),
        ({"sentiment": {"negative": 0.1, "neutral": 0.2, "positive": 0.7}}, (True, False, 0.6)),
        ({"label": "bearish"}, (True, True, -1.0)),
        ({}, (False, False, 0.0)),
    ],
)
def test_sentiment_in_every_form(tmp_path: Path, fields: dict[str, Any], expected: tuple[bool, bool, float]) -> None:
    history = read_history(write(tmp_path / "a.jsonl", {"id": "1", "ts": "2026-03-02T10:15:30Z", **fields}))
    (found,) = history.sightings
    assert (found.scored, found.negative, found.score) == expected
    assert history.unscored == (not expected[0])


@pytest.mark.parametrize("name", ["published_at", "ts", "timestamp", "created_at", "date"])
def test_the_time_under_every_name(tmp_path: Path, name: str) -> None:
    history = read_history(write(tmp_path / "a.jsonl", {"id": "1", name: "2026-03-02T11:15:30+01:00"}))
    assert history.sightings[0].minute == MINUTE


def test_a_time_without_a_zone_needs_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {"id": "1", "ts": "2026-03-02T11:15:30"}, {"id": "2", "ts": "2026-03-02T10:15:30Z"})
    history = read_history(path)
    assert [item.id for item in history.sightings] == ["2"]
    assert [(fault.line, "--zone" in fault.reason) for fault in history.faults] == [(1, True)]
    both = read_history(path, zone=ZoneInfo("Europe/Berlin"))
    assert {item.minute for item in both.sightings} == {MINUTE}
    assert both.faults == []


def test_entities_as_ids_objects_and_targets(tmp_path: Path) -> None:
    at = {"ts": "2026-03-02T10:15:30Z"}
    path = write(
        tmp_path / "a.jsonl",
        {"id": "1", "entities": ["acme", {"id": "b", "name": "B Bank"}, {"id": "c"}], **at},
        {"id": "2", "target": "AAPL", **at},
        {"id": "3", "ticker": "兆日科技", **at},
        {"id": "4", "outlet": "Reuters", "source": "set", "tags": ["A", "b"], **at},
    )
    found = {item.id: item for item in read_history(path).sightings}
    assert (found["1"].entities, found["1"].names) == (("acme", "b", "c"), ("acme", "B Bank", "c"))
    assert found["2"].entities == ("AAPL",)
    assert found["3"].names == ("兆日科技",)
    assert (found["4"].source, found["4"].tags, found["4"].tag_names) == ("Reuters", ("a", "b"), ("A", "b"))


def test_lines_that_cannot_be_read_are_counted_with_number_and_reason(tmp_path: Path) -> None:
    good = {"id": "1", "ts": "2026-03-02T10:15:30Z"}
    path = write(
        tmp_path / "a.jsonl", good, "{broken", "", {"id": "2"}, {**good, "label": "furious"}, {**good, "sentiment": 3}, {**good, "tags": 5}
    )
    history = read_history(path)
    assert len(history.sightings) == 1
    assert [fault.line for fault in history.faults] == [2, 4, 5, 6, 7]
    assert "furious" in history.faults[2].reason
    assert "no published_at" in history.faults[1].reason


def test_a_line_without_an_id_gets_one_from_its_bytes(tmp_path: Path) -> None:
    row = {"ts": "2026-03-02T10:15:30Z", "text": "same"}
    first, second, other = read_history(write(tmp_path / "a.jsonl", row, row, {**row, "text": "other"})).sightings
    assert len({first.id, second.id, other.id}) == 2


def test_counts_become_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "timestamp,value,negative,key\n2026-03-02 10:15:00,3,2,acme\n2026-03-02 10:20:00,0,,acme\n2026-03-02 10:25:00,2,,b\n",
        encoding="utf-8",
    )
    history = read_history(path, zone=ZoneInfo("UTC"))
    assert [(item.minute - MINUTE, item.entities, item.scored, item.negative) for item in history.sightings] == [
        (0, ("acme",), True, True),
        (0, ("acme",), True, True),
        (0, ("acme",), True, False),
        (10, ("b",), False, False),
        (10, ("b",), False, False),
    ]
    assert len({item.id for item in history.sightings}) == 5


@pytest.mark.parametrize(
    "row", ["2026-03-02 10:15,-1,", "2026-03-02 10:15,2,3", "yesterday,2,1", "2026-03-02 10:15,many,", "2026-03-02 10:15,9e9,"]
)
def test_impossible_counts_are_faults(tmp_path: Path, row: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"timestamp,value,negative\n2026-03-02 10:00,1,\n{row}\n", encoding="utf-8")
    history = read_history(path, zone=ZoneInfo("UTC"))
    assert (len(history.sightings), [fault.line for fault in history.faults]) == (1, [3])


def test_faults_of_the_whole_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match="cannot be read"):
        read_history(tmp_path / "absent.jsonl")
    with pytest.raises(BellwetherError, match="no readable line; line 1"):
        read_history(write(tmp_path / "a.jsonl", "{broken"))
    damaged = tmp_path / "b.jsonl.gz"
    damaged.write_bytes(gzip.compress(b'{"id": "1", "ts": "2026-03-02T10:15:30Z"}\n' * 5000)[:60])
    with pytest.raises(BellwetherError, match="cannot be read"):
        read_history(damaged)
    columns = tmp_path / "c.csv"
    columns.write_text("when,what\n1,2\n", encoding="utf-8")
    with pytest.raises(BellwetherError, match="columns timestamp and value"):
        read_history(columns)


@given(order=st.permutations(list(range(8))))
def test_the_order_of_the_file_decides_nothing(order: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    rows = [{"id": str(i), "ts": f"2026-03-02T1{i % 3}:15:30Z"} for i in range(8)]
    folder = tmp_path_factory.mktemp("history")
    straight = read_history(write(folder / "a.jsonl", *rows)).sightings
    assert read_history(write(folder / "b.jsonl", *(rows[i] for i in order))).sightings == straight
    assert [item.minute for item in straight] == sorted(item.minute for item in straight)


def test_real_streams_are_read_whole() -> None:
    folder = Path(__file__).resolve().parents[6] / "shared" / "data" / "streams"
    if not folder.exists():
        pytest.skip("needs the shared data beside the repository")
    history = read_history(folder / "xueqiu_news_zh.jsonl.gz", zone=ZoneInfo("UTC"))
    assert (len(history.sightings), len(history.faults), history.unscored) == (6000, 0, 0)
    assert history.days == pytest.approx(1059, abs=1)
