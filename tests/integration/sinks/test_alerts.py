"""Alerts and decisions in a real index."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from streams.documents import (
    Alert,
    AlertStatus,
    Baseline,
    Decision,
    DecisionOutcome,
    Evidence,
    Explanation,
    Key,
    Measure,
    Observation,
    WordEffect,
)
from streams.sinks.connection import connect
from streams.sinks.mapping import Names
from streams.sinks.retention import KEPT_MONTHS, bound_decisions
from streams.sinks.search import SearchSink

START = datetime(2026, 3, 30, 12, tzinfo=UTC)
KEY = Key(kind="entity", value="aurelia", name="Aurelia Bank")


def _observation(**changes: object) -> Observation:
    fields = {"start": START, "end": START + timedelta(hours=3), "documents": 20, "negative": 16, "share": 0.8}
    return Observation.model_validate(fields | changes)


MEASURE = Measure(
    signal="negative_share",
    detector="share",
    value=0.8,
    expected=0.2,
    low=None,
    high=0.4,
    score=0.9,
    p_value=1e-9,
    baseline_minutes=10_080,
    baseline_documents=200.0,
    explanation="16 of 20 negative",
)


def _decision(number: int, at: datetime) -> Decision:
    return Decision(
        id=f"d{number}",
        rule="negative-share",
        key=KEY,
        at=at,
        outcome=DecisionOutcome.BELOW_SHARE,
        observed=_observation(),
        baseline=None,
        p_value=None,
        explanation="8 of 20 are negative; 10 are needed",
    )


@pytest.fixture
def alert() -> Alert:
    baseline = Baseline(start=START - timedelta(days=7), end=START, documents=200, negative=40, share=0.2, expected_share=0.2)
    evidence = tuple(
        Evidence(
            id=f"{number:032x}", title=f"Run on Aurelia {number}", url=None, source="wire", language="de", published_at=START, score=-0.9
        )
        for number in range(3)
    )
    return Alert(
        id="a1",
        fingerprint="00ff00ff00ff00ff",
        rule="negative-share",
        status=AlertStatus.FIRING,
        severity="critical",
        key=KEY,
        starts_at=START,
        observed=_observation(),
        baseline=baseline,
        p_value=1e-40,
        evidence=evidence,
        languages={"de": 3},
        sources={"wire": 3, "a source, with a comma": 1},
        summary="Opinion about Aurelia Bank turned",
    )


async def test_an_alert_is_written_once_and_read_back(sink, alert: Alert) -> None:
    await sink.write_alert(alert)
    await sink.write_alert(alert.model_copy(update={"summary": "told again"}))
    assert await sink.alerts(10) == [alert]


async def test_a_resolved_alert_keeps_what_caused_it(sink, alert: Alert) -> None:
    await sink.write_alert(alert)
    over = alert.model_copy(update={"status": AlertStatus.RESOLVED, "evidence": (), "summary": "back to normal"})
    await sink.write_alert(over)
    await sink.write_alert(over)
    assert await sink.alerts(10) == [alert.model_copy(update={"status": AlertStatus.RESOLVED})]


async def test_words_that_come_late_are_added_to_the_documents_that_have_none(sink, alert: Alert) -> None:
    def told(*explanations: Explanation | None) -> Alert:
        pairs = zip(alert.evidence, explanations, strict=True)
        return alert.model_copy(update={"evidence": tuple(item.model_copy(update={"explanation": one}) for item, one in pairs)})

    first, late, other = (Explanation(words=(WordEffect(text=word, effect=-0.5),)) for word in ("挤兑", "הפסדים", "x"))
    slow = Explanation(reason="too_slow")
    await sink.write_explanations(told(late, late, late))
    assert await sink.alerts(10) == [], "an alert that is not there is not made"
    await sink.write_alert(told(first, slow, None))
    await sink.write_explanations(told(other, slow, None))
    assert await sink.alerts(10) == [told(first, slow, None)]
    over = alert.model_copy(update={"status": AlertStatus.RESOLVED, "revision": 1})
    await sink.write_alert(over)
    await sink.write_explanations(told(other, late, late))
    assert await sink.alerts(10) == [told(first, late, late).model_copy(update={"status": AlertStatus.RESOLVED, "revision": 1})]


async def test_a_firing_redelivered_after_the_resolution_does_not_fire_again(sink, alert: Alert) -> None:
    over = alert.model_copy(update={"status": AlertStatus.RESOLVED})
    await sink.write_alert(over)
    await sink.write_alert(alert)
    assert [found.status for found in await sink.alerts(10)] == [AlertStatus.RESOLVED]


async def test_alerts_come_newest_first(sink, alert: Alert) -> None:
    for number in range(5):
        await sink.write_alert(alert.model_copy(update={"id": f"a{number}", "starts_at": START + timedelta(hours=number)}))
    assert [found.id for found in await sink.alerts(3)] == ["a4", "a3", "a2"]


async def test_alerts_are_found_by_their_evidence(sink, alert: Alert, settings) -> None:
    await sink.write_alert(alert)
    await sink.alerts(1)
    query = {"query": {"term": {"evidence.id": f"{1:032x}"}}}
    hits = httpx.post(f"{settings.url}/{settings.index_prefix}-alerts/_search", json=query).json()["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == ["a1"]


async def test_decisions_are_written_once_in_their_months(sink, settings) -> None:
    decisions = [_decision(number % 40, at=START + timedelta(days=number % 40)) for number in range(60)]
    await sink.write_decisions(decisions)
    await sink.write_decisions(decisions[:10])
    await sink.write_decisions([])
    base = f"{settings.url}/{settings.index_prefix}-decisions"
    httpx.post(f"{base}-*/_refresh")
    counts = {month: httpx.get(f"{base}-{month}/_count").json()["count"] for month in ("2026.03", "2026.04", "2026.05")}
    assert counts == {"2026.03": 2, "2026.04": 30, "2026.05": 8}


async def test_the_last_revision_of_an_alert_stands_whatever_the_order(sink, alert: Alert) -> None:
    amended = alert.model_copy(update={"revision": 1, "reason": "amended", "severity": "warning", "summary": "grew"})
    over = alert.model_copy(
        update={"status": AlertStatus.RESOLVED, "revision": 2, "reason": "recovered", "ends_at": START + timedelta(hours=9), "evidence": ()}
    )
    told = amended.model_copy(update={"status": AlertStatus.RESOLVED, "revision": 2, "reason": "recovered", "ends_at": over.ends_at})
    for notice, expected in ((amended, amended), (alert, amended), (over, told), (amended, told), (alert, told)):
        await sink.write_alert(notice)
        assert await sink.alerts(10) == [expected]


async def test_writers_of_one_alert_do_not_overwrite_each_other(sink, alert: Alert) -> None:
    await asyncio.gather(*(sink.write_alert(alert.model_copy(update={"revision": number})) for number in range(4)))
    assert [found.revision for found in await sink.alerts(10)] == [3]


async def test_an_index_of_an_older_release_gets_the_new_fields(sink, settings, alert: Alert) -> None:
    index = f"{settings.url}/{settings.index_prefix}-decisions-2025.01"
    old = {"mappings": {"dynamic": False, "properties": {"id": {"type": "keyword"}, "rule": {"type": "keyword"}, "at": {"type": "date"}}}}
    # Made by hand with the fields that it had then; the template does not touch an index that is there.
    assert httpx.put(index, json=old).status_code == 200
    await sink.open()
    fields = next(iter(httpx.get(f"{index}/_mapping").json().values()))["mappings"]["properties"]
    assert fields["measure"]["properties"]["p_value"]["type"] == "double"
    assert "checks" in fields
    measured = _decision(1, at=datetime(2025, 1, 3, tzinfo=UTC)).model_copy(update={"measure": MEASURE})
    await sink.write_decisions([measured])
    httpx.post(f"{index}/_refresh")
    found = httpx.post(f"{index}/_search", json={"query": {"range": {"measure.value": {"gte": 0.7}}}}).json()["hits"]["hits"]
    assert [hit["_id"] for hit in found] == ["d1"]


async def test_only_the_last_months_of_decisions_are_kept(sink, settings) -> None:
    months = [datetime(2025 + number // 12, number % 12 + 1, 5, tzinfo=UTC) for number in range(KEPT_MONTHS + 3)]
    await sink.write_decisions([_decision(number, at=at) for number, at in enumerate(months)])
    kept = httpx.get(f"{settings.url}/_cat/indices/{settings.index_prefix}-decisions-*?format=json").json()
    expected = [f"{settings.index_prefix}-decisions-{at:%Y.%m}" for at in months[-KEPT_MONTHS:]]
    assert sorted(index["index"] for index in kept) == expected


async def test_the_oldest_decisions_go_when_there_are_too_many(sink, settings) -> None:
    names, client = Names(settings.index_prefix), connect(settings)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    await sink.write_decisions([_decision(number, at=at + timedelta(hours=12 * number)) for number in range(100)])
    try:
        assert await bound_decisions(client, names, 100) == 0
        assert await bound_decisions(client, names, 60) == 43
        hits = (await client.search(index=names.decisions, size=200, source=False)).body["hits"]["hits"]
        assert {hit["_id"] for hit in hits} == {f"d{number}" for number in range(43, 100)}
        assert await bound_decisions(client, names, 20) == 38
        assert await bound_decisions(client, names, 20) == 0
    finally:
        await client.close()


async def test_a_sink_makes_room_while_it_writes(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sinks.search.MAX_DECISIONS_EMBEDDED", 40)
    monkeypatch.setattr("streams.sinks.search.MAX_DECISIONS", 40)
    sink = SearchSink(settings)
    await sink.open()
    for start in range(0, 200, 10):
        await sink.write_decisions([_decision(number, at=START + timedelta(minutes=number)) for number in range(start, start + 10)])
    httpx.post(f"{settings.url}/{settings.index_prefix}-decisions-*/_refresh")
    left = httpx.get(f"{settings.url}/{settings.index_prefix}-decisions-*/_count").json()["count"]
    await sink.close()
    assert 38 <= left <= 40
