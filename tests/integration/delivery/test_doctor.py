"""The doctor tells of a receiver that wants no more."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from streams.delivery.attempt import Attempt, Result
from streams.doctor.webhooks import check_webhooks
from streams.documents import Alert
from streams.settings import SearchSettings, Settings
from streams.sinks.deliveries import DeliveryIndex

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


@pytest.fixture
async def listener() -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    server.close()


async def test_a_channel_that_is_off(search_settings: SearchSettings, listener: str, make_alert: Callable[..., Alert]) -> None:
    webhook = {"urls": (listener,), "secret": SECRET, "allow_networks": ("127.0.0.1/32",)}
    settings = Settings.model_validate({"webhook": webhook, "search": search_settings.model_dump()})
    assert [check.status for check in await check_webhooks(settings)] == ["ok"]
    index, alert = DeliveryIndex(search_settings), make_alert()
    await index.open()

    async def tell(result: Result, minutes: int) -> None:
        await index.write(
            [
                Attempt(
                    at=datetime.now(UTC) + timedelta(minutes=minutes),
                    message="m",
                    channel="default",
                    target=listener,
                    alert=alert.id,
                    fingerprint="f",
                    rule="r",
                    status="firing",
                    severity="info",
                    result=result,
                    attempt=1,
                    seconds=0.0,
                )
            ]
        )

    await tell(Result.GONE, 0)
    [check] = await check_webhooks(settings)
    assert check.status == "warn"
    assert "410" in check.detail
    assert "resend --failed" in check.mend
    await tell(Result.DISABLED, 1)
    assert [check.status for check in await check_webhooks(settings)] == ["warn"]
    await tell(Result.DELIVERED, 2)
    assert [check.status for check in await check_webhooks(settings)] == ["ok"]
    await index.close()
