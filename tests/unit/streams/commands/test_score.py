"""`bellwether score`: the service's own way of scoring, over a file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from bag_cascade import SURE, UNSURE, write_cascade
from bag_model import write_model
from typer.testing import CliRunner

from streams.cli import app
from streams.documents import ScoredDocument, read_scored

NEWSWIRE = Path(__file__).resolve().parents[4] / "streams" / "newswire"
RUNNER = CliRunner()


def lines(count: int) -> list[str]:
    return (NEWSWIRE / "newswire.jsonl").read_text(encoding="utf-8").splitlines()[:count]


def scored(path: Path) -> list[ScoredDocument]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [read_scored(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_every_readable_line_is_scored_and_the_rest_is_told(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join([*lines(30), "{broken", '{"source": "s", "text": "no time"}', ""]), encoding="utf-8")
    out = tmp_path / name
    result = RUNNER.invoke(app, ["score", str(source), "--out", str(out), "-s", f"enrich.entities={NEWSWIRE / 'entities.jsonl'}"])
    assert result.exit_code == 0, result.output
    documents = scored(out)
    assert len(documents) == 30
    assert [document.url for document in documents] == [json.loads(line)["url"] for line in lines(30)]
    withheld = [document.unscored for document in documents if document.sentiment is None]
    assert {one.reason for one in withheld if one is not None} == {"language.not_vouched"}
    assert 0 < len(withheld) < 15
    assert f"{len(withheld)} of them without a sentiment: language.not_vouched" in result.output
    assert any(document.entities for document in documents)
    assert "30 documents scored" in result.output
    assert result.output.count("1 left out") == 2


def test_foreign_fields_are_mapped_and_zones_stated(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    row = {"body": "Shares of the bank collapsed after the regulator froze its accounts.", "day": "2026-03-02 10:00", "who": "ACME"}
    source.write_text(json.dumps(row), encoding="utf-8")
    out = tmp_path / "out.jsonl"
    arguments = ["score", str(source), "-o", str(out), "--map", "text=body,published_at=day,tags=who,source:=archive"]
    assert RUNNER.invoke(app, arguments).exit_code == 1
    assert RUNNER.invoke(app, [*arguments, "--zone", "Asia/Tokyo"]).exit_code == 0
    (document,) = scored(out)
    assert (document.published_at.isoformat(), document.tags, document.source) == ("2026-03-02T01:00:00+00:00", ("ACME",), "archive")
    assert document.sentiment is not None
    assert document.sentiment.label.value == "negative"


def test_a_cascade_scores_as_in_the_service(tmp_path: Path) -> None:
    bag = write_model(tmp_path / "bag")
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"source": "s", "text": text, "published_at": "2026-03-02T10:00:00Z", "language_hint": "en"} for text in (SURE, UNSURE)]
    source.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    arguments = ["score", str(source), "--out", str(out), "-s", f"scoring.model={bag.root}", "-s", "scoring.cascade=on"]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 1
    assert "has no cascade.json" in str(result.exception)
    write_cascade(bag)
    assert RUNNER.invoke(app, arguments).exit_code == 0
    assert [document.model_stage for document in scored(out)] == ["static", "encoder"]


def test_the_source_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(lines(1)[0], encoding="utf-8")
    result = RUNNER.invoke(app, ["score", str(source), "--out", str(source)])
    assert result.exit_code != 0
    assert "is the file that is read" in str(result.exception)
    assert source.read_text(encoding="utf-8") == lines(1)[0]


def test_a_place_that_cannot_be_written_and_a_file_that_is_not_there_are_one_line(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(lines(1)[0], encoding="utf-8")
    result = RUNNER.invoke(app, ["score", str(source), "--out", str(tmp_path / "no" / "such.jsonl")])
    assert "cannot be written" in str(result.exception)
    result = RUNNER.invoke(app, ["score", str(tmp_path / "absent.jsonl"), "--out", str(tmp_path / "o.jsonl")])
    assert "does not exist" in str(result.exception)
