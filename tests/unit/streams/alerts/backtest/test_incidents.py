"""Labelled incidents in every form they come in."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from streams.alerts.backtest.incidents import Incident, read_incidents
from streams.documents import Key
from streams.errors import BellwetherError

START, END = "2026-03-02T10:00:00Z", "2026-03-02T12:00:00Z"
MINUTE = 29540760
ROW = {"key": "entity:acme", "start": START, "end": END}


def test_json_lines_lists_tables_and_windows_give_the_same(tmp_path: Path) -> None:
    files = {
        "a.jsonl": json.dumps(ROW) + "\n\n",
        "b.json": json.dumps([ROW]),
        "c.json": json.dumps({"entity:acme": [[START, END]]}),
        "d.csv": f"key,start,end\nentity:acme,{START},{END}\n",
        "e.json": json.dumps(ROW),
    }
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        assert read_incidents(path) == [Incident("entity:acme", MINUTE, MINUTE + 120)], name


def test_they_are_ordered_and_keep_what_is_known_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    later = {**ROW, "start": "2026-03-02T11:00:00Z", "rule": "bank-run", "kind": "step"}
    path.write_text("\n".join(json.dumps(row) for row in (later, ROW)), encoding="utf-8")
    first, second = read_incidents(path)
    assert (first.start, second.start) == (MINUTE, MINUTE + 60)
    assert (second.rule, second.kind) == ("bank-run", "step")


def test_naive_times_need_a_zone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{**ROW, "start": "2026-03-02 10:00", "end": "2026-03-02 12:00"}]), encoding="utf-8")
    with pytest.raises(BellwetherError, match=r"incident 1: .*--zone"):
        read_incidents(path)
    assert read_incidents(path, zone=ZoneInfo("UTC"))[0].start == MINUTE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps([{"key": "a", "start": START}]), "'end' is missing"),
        (json.dumps([{**ROW, "end": START}]), "ends before it begins"),
        (json.dumps([{**ROW, "key": ""}]), "key is empty"),
        (json.dumps([{**ROW, "start": 5}]), "incident 1"),
        ("{nothing", "neither JSON nor JSON lines"),
        (json.dumps({"a": [["only one"]]}), "list of spans"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BellwetherError, match=message):
        read_incidents(path)
    with pytest.raises(BellwetherError, match="cannot be read"):
        read_incidents(tmp_path / "absent.json")


def test_an_incident_concerns_its_key_and_keys_that_it_is_a_part_of() -> None:
    acme = Key(kind="entity", value="acme", name="Acme")
    pair = Key(kind="entity+topic", value="acme|economy", name="Acme, economy")
    other = Key(kind="entity", value="acme-2", name="Acme 2")
    assert [Incident("acme", 0, 1).concerns("r", key) for key in (acme, pair, other)] == [True, True, False]
    assert [Incident("entity:acme", 0, 1).concerns("r", key) for key in (acme, pair, other)] == [True, False, False]
    assert not Incident("acme", 0, 1, rule="s").concerns("r", acme)
    assert Incident("acme", 0, 1, rule="r").concerns("r", acme)
