"""The log of deliveries in a real index, and what `bellwether alerts resend` finds there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from streams.delivery.attempt import Attempt, Result
from streams.delivery.resending import chosen
from streams.documents import Alert
from streams.settings import SearchSettings
from streams.sinks.deliveries import DeliveryIndex
from streams.sinks.search import SearchSink

NOW = datetime.now(UTC).replace(microsecond=123_000)
Make = Callable[..., Alert]


@pytest.fixture
async def index(search: SearchSink, search_settings: SearchSettings) -> AsyncIterator[DeliveryIndex]:
    found = DeliveryIndex(search_settings)
    await found.open()
    await found.open()
    yield found
    await found.close()
    await found.close()


def attempt(alert: Alert, result: Result, *, channel: str = "ops", minutes: float = 0, number: int = 1) -> Attempt:
    return Attempt(
        at=NOW + timedelta(minutes=minutes),
        message=f"{alert.id}-0-firing",
        channel=channel,
        target="https://ops.example",
        alert=alert.id,
        fingerprint=alert.fingerprint,
        rule=alert.rule,
        status="firing",
        severity="critical",
        result=result,
        attempt=number,
        seconds=0.25,
        detail="status 503",
        next_at=NOW + timedelta(hours=1) if result is Result.RETRY else None,
    )


async def test_attempts_come_back_as_they_went_the_newest_first(index: DeliveryIndex, make_alert: Make) -> None:
    alert = make_alert(1)
    given = [attempt(alert, Result.RETRY, minutes=number, number=number) for number in range(1, 6)]
    assert await index.write(given) == {}
    assert await index.write(given) == {}, "writing again changes nothing"
    assert await index.attempts() == given[::-1]
    assert await index.attempts(limit=2) == given[:2:-1]
    assert await index.attempts(since=given[3].at) == given[:2:-1]
    assert await index.attempts(channel="chat") == []
    assert await index.attempts(alerts=["nobody"]) == []
    assert await index.attempts(alerts=[alert.id], channel="ops") == given[::-1]


async def test_more_than_a_page(index: DeliveryIndex, make_alert: Make) -> None:
    given = [attempt(make_alert(number), Result.DELIVERED, minutes=number / 60) for number in range(2300)]
    await index.write(given)
    found = await index.attempts()
    assert len(found) == 2300
    assert {each.id for each in found} == {each.id for each in given}


async def test_old_months_are_deleted_and_nothing_else(index: DeliveryIndex, search: SearchSink, make_alert: Make) -> None:
    assert await index.purge(NOW) == []
    alert = make_alert(1)
    await search.write_alert(alert)
    old = [attempt(alert, Result.DELIVERED).model_copy(update={"at": datetime(2025, month, 15, tzinfo=UTC)}) for month in (1, 2, 12)]
    await index.write([*old, attempt(alert, Result.DELIVERED)])
    gone = await index.purge(datetime(2025, 3, 1, tzinfo=UTC))
    assert [name[-7:] for name in sorted(gone)] == ["2025.01", "2025.02"]
    assert len(await index.attempts()) == 2
    assert [found.id for found in await search.alerts(10)] == [alert.id]


async def test_what_is_to_be_sent_again(index: DeliveryIndex, search: SearchSink, make_alert: Make) -> None:
    well, failed, half, waiting, mended = (make_alert(number, channels=("ops", "chat")) for number in range(1, 6))
    for alert in (well, failed, half, waiting, mended):
        await search.write_alert(alert)
    await index.write(
        [
            attempt(well, Result.DELIVERED),
            attempt(failed, Result.GIVEN_UP),
            attempt(failed, Result.REFUSED, channel="chat"),
            attempt(half, Result.DELIVERED),
            attempt(half, Result.GONE, channel="chat"),
            attempt(waiting, Result.RETRY),
            attempt(mended, Result.FORBIDDEN, minutes=1),
            attempt(mended, Result.DELIVERED, minutes=2),
        ]
    )
    found, _ = await chosen(index, ids=[], since=None, channel=None, failed=True)
    assert {alert.id: alert.channels for alert in found} == {failed.id: ("chat", "ops"), half.id: ("chat",)}
    found, _ = await chosen(index, ids=[], since=NOW + timedelta(minutes=3), channel=None, failed=True)
    assert found == []
    found, _ = await chosen(index, ids=[], since=None, channel="ops", failed=True)
    assert {alert.id: alert.channels for alert in found} == {failed.id: ("ops",)}
    found, missing = await chosen(index, ids=[well.id, "nobody"], since=None, channel=None, failed=False)
    assert ([alert.id for alert in found], missing) == ([well.id], ["nobody"])
    assert found[0].channels == ("ops", "chat")
    found, _ = await chosen(index, ids=[], since=well.starts_at - timedelta(minutes=2), channel="phone", failed=False)
    assert [alert.id for alert in found] == [half.id, failed.id, well.id], "the one that began first first"
    assert {alert.channels for alert in found} == {("phone",)}
