"""An alert that the embedded search server acknowledged and lost by a kill stands there again before the outbox lets it go."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.delivery.building import build_dispatcher
from streams.documents import Alert, AlertStatus, Baseline, Key, Observation
from streams.metrics import Metrics
from streams.sinks.search import SearchSink
from streams.stages.contract import Delivery
from streams.stages.notify import SETTLE_SECONDS, NotifyStage
from streams.state import MemoryStateStore

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _alert(number: int) -> Alert:
    span = {"start": AT - timedelta(hours=3), "end": AT}
    return Alert(
        id=f"{number:016x}",
        fingerprint=f"{number:016x}",
        rule="negative-share",
        status=AlertStatus.FIRING,
        severity="critical",
        key=Key(kind="entity", value="bank", name="Bank"),
        starts_at=AT,
        observed=Observation(**span, documents=20, negative=15, share=0.75),
        baseline=Baseline(**span, documents=200, negative=20, share=0.1, expected_share=0.1),
        p_value=1e-9,
        evidence=(),
        languages={"de": 3},
        sources={"wire": 3},
        summary="75 % negative",
    )


async def test_a_kill_right_after_an_alert_was_written(way: Any, until: Any) -> None:
    done: list[str] = []

    async def delivered(alert: Alert) -> None:
        done.append(alert.id)

    sink, metrics = SearchSink(way.settings.search), Metrics()
    await sink.open()
    await asyncio.sleep(2)  # the templates are on the disk
    stage = NotifyStage(
        build_dispatcher(way.settings, MemoryStateStore(), metrics), sink, delivered=delivered, metrics=metrics, settle=SETTLE_SECONDS
    )
    began = time.monotonic()
    alerts = [_alert(number) for number in range(3)]
    assert await stage.process([Delivery(alert.model_dump_json().encode(), "alerts-0-0") for alert in alerts]) == []
    way.search.end()
    await way.search.start()
    assert done == []
    assert await sink.alerts(10) == [], "lost: else this test shows nothing"
    await until(lambda: len(done) == 3)
    assert time.monotonic() - began >= SETTLE_SECONDS
    assert {alert.id for alert in await sink.alerts(10)} == {alert.id for alert in alerts}
    # By now they are on the disk.
    await asyncio.sleep(SETTLE_SECONDS)
    way.search.end()
    await way.search.start()
    other = SearchSink(way.settings.search)
    await other.open()
    assert {alert.id for alert in await other.alerts(10)} == {alert.id for alert in alerts}
    for each in (stage, sink, other):
        await each.close()
