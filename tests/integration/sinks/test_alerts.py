"""Alerts and decisions in a real index."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from streams.documents import Alert, AlertStatus, Baseline, Decision, DecisionOutcome, Evidence, Key, Observation

START = datetime(2026, 3, 30, 12, tzinfo=UTC)
KEY = Key(kind="entity", value="aurelia", name="Aurelia Bank")


def _observation(**changes: object) -> Observation:
    fields = {"start": START, "end": START + timedelta(hours=3), "documents": 20, "negative": 16, "share": 0.8}
    return Observation.model_validate(fields | changes)


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
    decisions = [
        Decision(
            id=f"d{number % 40}",
            rule="negative-share",
            key=KEY,
            at=START + timedelta(days=number % 40),
            outcome=DecisionOutcome.BELOW_SHARE,
            observed=_observation(),
            baseline=None,
            p_value=None,
            explanation="8 of 20 are negative; 10 are needed",
        )
        for number in range(60)
    ]
    await sink.write_decisions(decisions)
    await sink.write_decisions(decisions[:10])
    await sink.write_decisions([])
    base = f"{settings.url}/{settings.index_prefix}-decisions"
    httpx.post(f"{base}-*/_refresh")
    counts = {month: httpx.get(f"{base}-{month}/_count").json()["count"] for month in ("2026.03", "2026.04", "2026.05")}
    assert counts == {"2026.03": 2, "2026.04": 30, "2026.05": 8}
