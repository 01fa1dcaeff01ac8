"""The arithmetic of the audit; its questions to real servers are tested with the agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import audit
from streams.audit import MISSING_SHOWN, AuditReport
from streams.errors import BellwetherError
from streams.settings import load_settings
from streams.topics import PartitionInfo, TopicInfo

AT = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = st.integers(0, 50)


class Sink:
    """Knows which delivery each document of the index came from."""

    def __init__(self, stored: dict[str, str]) -> None:
        self.stored = stored

    async def origins(self, wanted: Sequence[tuple[str, datetime]]) -> dict[str, str]:
        return {id: self.stored[id] for id, _ in wanted if id in self.stored}


async def _look_up(stored: dict[str, str], *waiting: tuple[str, str]) -> AuditReport:
    report = AuditReport(produced=len(waiting))
    await audit._look_up(Sink(stored), [(origin, id, AT) for origin, id in waiting], report)  # type: ignore[arg-type]
    return report


@given(COUNT, COUNT, COUNT, COUNT, COUNT)
def test_it_balances_when_every_document_has_an_end(indexed: int, duplicates: int, dead: int, filtered: int, lost: int) -> None:
    ended = indexed + duplicates + dead + filtered
    report = AuditReport(ended + lost, indexed, duplicates, dead, filtered, lost)
    assert report.balanced == (lost == 0)
    assert report.to_json()["balanced"] == report.balanced
    assert AuditReport(ended + 1, indexed, duplicates, dead, filtered, 0).balanced is False


async def test_the_delivery_that_stands_in_the_index_is_indexed_and_the_others_are_duplicates() -> None:
    report = await _look_up({"a": "raw-0-2", "b": "raw-0-3"}, ("raw-0-1", "a"), ("raw-0-2", "a"), ("raw-0-3", "b"), ("raw-0-4", "c"))
    assert (report.indexed, report.duplicates, report.lost, report.missing) == (2, 1, 1, ["raw-0-4"])


async def test_a_document_that_somebody_else_put_there_is_a_duplicate() -> None:
    report = await _look_up({"a": ""}, ("raw-0-1", "a"))
    assert (report.indexed, report.duplicates, report.balanced) == (0, 1, True)


async def test_all_that_is_missing_is_counted_and_a_hundred_are_named() -> None:
    report = await _look_up({}, *((f"raw-0-{number}", f"{number}") for number in range(MISSING_SHOWN + 50)))
    assert report.lost == MISSING_SHOWN + 50
    assert report.missing == [f"raw-0-{number}" for number in range(MISSING_SHOWN)]


@pytest.mark.parametrize("absent", ["documents.raw", "documents.dead"])
async def test_a_topic_that_is_missing_is_named_before_anything_is_read(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there = (PartitionInfo(0, 0, 0, None, 1, 1),)

    def described(_: Any) -> list[TopicInfo]:
        return [TopicInfo(name, () if name == absent else there) for name in ("documents.raw", "documents.scored", "documents.dead")]

    monkeypatch.setattr(audit, "describe", described)
    with pytest.raises(BellwetherError, match=f"has no topic {absent}"):
        await audit.audit_topics(load_settings())
