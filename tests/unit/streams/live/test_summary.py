"""The summary: the promise as a number, and plain JSON."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from streams.live.summary import AlertSummary, Summary

ALERT = AlertSummary(
    "a", "firing", "entity:bank", "Банк", "critical", "2024-05-01T12:00:00+00:00", "x", 1e-9, {"ru": 2}, ["1", "2"], ["[ru] x"]
)


def summary(documents_in: int, indexed: int, duplicates: int, dead: int, filtered: int, in_index: int) -> Summary:
    return Summary(
        documents_in=documents_in,
        indexed=indexed,
        duplicates=duplicates,
        dead_lettered=dead,
        filtered=filtered,
        near_copies=1,
        in_index=in_index,
        languages={"ru": 2},
        sentiments={"negative": 2},
        dead_letter_reasons={},
        alerts=[ALERT],
        webhooks_verified=1,
        scorer="onnx",
        startup_seconds=1.0,
        seconds=2.0,
        documents_per_second=3.0,
    )


@pytest.mark.parametrize(
    ("counts", "balanced"),
    [
        ((10, 5, 2, 2, 1, 5), True),
        ((0, 0, 0, 0, 0, 0), True),
        ((10, 10, 0, 0, 0, 10), True),
        ((11, 5, 2, 2, 1, 5), False),
        ((9, 5, 2, 2, 1, 5), False),
        ((10, 5, 2, 2, 1, 4), False),
        ((10, 5, 2, 2, 1, 6), False),
    ],
)
def test_the_books_balance_when_every_document_has_one_end_and_the_index_agrees(counts: tuple[int, ...], balanced: bool) -> None:
    assert summary(*counts).balanced is balanced


def test_the_json_has_everything_and_the_verdict() -> None:
    data = json.loads(json.dumps(summary(10, 5, 2, 2, 1, 5).to_json(), ensure_ascii=False))
    assert set(data) == {field.name for field in fields(Summary)} | {"balanced"}
    assert data["balanced"] is True
    assert data["alerts"][0]["evidence"] == ["1", "2"]
    assert data["alerts"][0]["name"] == "Банк"
