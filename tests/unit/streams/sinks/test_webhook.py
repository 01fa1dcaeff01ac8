"""Webhooks against a real local server that verifies the signature with the scheme's own library."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from streams.documents import Alert, AlertStatus
from streams.errors import PermanentError, SettingsError, TransientError
from streams.settings import WebhookSettings
from streams.sinks.webhook import WebhookSink

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _sink(*urls: str, timeout: float = 2.0) -> WebhookSink:
    return WebhookSink(WebhookSettings.model_validate({"urls": urls, "secret": SECRET, "timeout": timeout}))


@pytest.fixture
def receiver(local_server):
    """Verifies every message; answers with `receiver.status` and `receiver.headers`, by path where `receiver.by_path` says so."""
    local_server.status = 204
    local_server.headers = {}
    local_server.by_path = {}
    local_server.verified = []

    async def answer(request: web.Request, body: bytes) -> web.Response:
        local_server.verified.append((request.path, Webhook(SECRET).verify(body, dict(request.headers))))
        return web.Response(status=local_server.by_path.get(request.path, local_server.status), headers=local_server.headers)

    local_server.answer = answer
    return local_server


@pytest.mark.parametrize("status", list(AlertStatus))
async def test_an_alert_arrives_signed(receiver, alert: Alert, status: AlertStatus) -> None:
    sink = _sink(f"{receiver.url}/hook")
    alert = alert.model_copy(update={"status": status})
    await sink.deliver(alert)
    await sink.close()
    ((path, payload),) = receiver.verified
    assert path == "/hook"
    assert payload["type"] == f"alert.{status.value}"
    assert datetime.fromisoformat(payload["timestamp"]) == alert.observed.end
    assert Alert.model_validate(payload["data"]) == alert
    ((method, _, headers, body),) = receiver.requests
    assert method == "POST"
    assert headers["webhook-id"] == f"a1-{status.value}"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 5
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["content-type"] == "application/json"
    assert "奥雷利亚银行" in body.decode()


async def test_another_secret_or_a_changed_body_is_noticed(receiver, alert: Alert) -> None:
    sink = _sink(receiver.url)
    await sink.deliver(alert)
    await sink.close()
    ((_, _, headers, body),) = receiver.requests
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"critical", b"info"), headers)


async def test_no_receivers_no_call(alert: Alert) -> None:
    sink = WebhookSink(WebhookSettings())
    await sink.deliver(alert)
    await sink.close()
    await sink.close()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_done(receiver, alert: Alert, status: int) -> None:
    receiver.status = status
    sink = _sink(receiver.url)
    await sink.deliver(alert)
    await sink.close()


@pytest.mark.parametrize(
    ("status", "reason"),
    [(410, "webhook.gone"), (400, "webhook.refused"), (401, "webhook.refused"), (404, "webhook.refused"), (422, "webhook.refused")],
)
async def test_a_receiver_that_will_never_take_it(receiver, alert: Alert, status: int, reason: str) -> None:
    receiver.status = status
    sink = _sink(receiver.url)
    with pytest.raises(PermanentError, match=str(status)) as caught:
        await sink.deliver(alert)
    assert caught.value.reason == reason
    assert caught.value.mend
    await sink.close()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(receiver, alert: Alert, status: int) -> None:
    receiver.status = status
    receiver.headers = {"Location": f"{receiver.url}/elsewhere"}
    sink = _sink(f"{receiver.url}/hook")
    with pytest.raises(PermanentError, match="redirect") as caught:
        await sink.deliver(alert)
    assert caught.value.reason == "webhook.refused"
    assert [path for path, _ in receiver.verified] == ["/hook"]
    await sink.close()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_receiver_that_may_take_it_later(receiver, alert: Alert, status: int) -> None:
    receiver.status = status
    sink = _sink(receiver.url)
    with pytest.raises(TransientError, match=str(status)) as caught:
        await sink.deliver(alert)
    assert caught.value.retry_after is None
    receiver.status = 200
    await sink.deliver(alert)
    assert {headers["webhook-id"] for _, _, headers, _ in receiver.requests} == {"a1-firing"}
    assert len({body for _, _, _, body in receiver.requests}) == 1
    await sink.close()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("999999", 3600),
        (lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True), 90),
        (lambda: format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True), 0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
    ],
)
async def test_retry_after(alert: Alert, receiver, value, seconds) -> None:
    receiver.status = 503
    receiver.headers = {"Retry-After": value() if callable(value) else value}
    sink = _sink(receiver.url)
    with pytest.raises(TransientError) as caught:
        await sink.deliver(alert)
    assert caught.value.retry_after == (None if seconds is None else pytest.approx(seconds, abs=2))
    await sink.close()


async def test_a_receiver_that_is_not_there(alert: Alert, unused_port: int) -> None:
    sink = _sink(f"http://127.0.0.1:{unused_port}/hook?token=s3cret")
    with pytest.raises(TransientError, match="ConnectError") as caught:
        await sink.deliver(alert)
    shown = str(caught.value)
    assert f"http://127.0.0.1:{unused_port}/hook" in shown
    assert not any(secret in shown for secret in ("s3cret", SECRET))
    await sink.close()


async def test_a_receiver_that_hangs(local_server, alert: Alert) -> None:
    async def hangs(request: web.Request, body: bytes) -> web.StreamResponse:
        await asyncio.sleep(3)
        return web.Response()

    local_server.answer = hangs
    sink = _sink(local_server.url, timeout=0.2)
    with pytest.raises(TransientError, match="ReadTimeout"):
        await sink.deliver(alert)
    await sink.close()


async def test_a_flood_for_an_answer_is_not_read(local_server, alert: Alert) -> None:
    sent = 0

    async def floods(request: web.Request, body: bytes) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse(status=200)
        await response.prepare(request)
        for _ in range(2000):
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    local_server.answer = floods
    sink = _sink(local_server.url, timeout=1)
    await asyncio.wait_for(sink.deliver(alert), 2)
    await sink.close()
    assert sent < 64 * 1024 * 1024


async def test_of_several_receivers_only_the_missing_ones_are_called_again(receiver, alert: Alert) -> None:
    receiver.by_path = {"/busy": 503, "/gone": 410}
    sink = _sink(f"{receiver.url}/well", f"{receiver.url}/busy", f"{receiver.url}/gone")
    with pytest.raises(TransientError, match="/busy"):
        await sink.deliver(alert)
    with pytest.raises(TransientError):
        await sink.deliver(alert)
    receiver.by_path["/busy"] = 200
    with pytest.raises(PermanentError, match="/gone") as caught:
        await sink.deliver(alert)
    assert caught.value.reason == "webhook.gone"
    paths = [path for path, _ in receiver.verified]
    assert {path: paths.count(path) for path in set(paths)} == {"/well": 1, "/busy": 3, "/gone": 1}
    # A new delivery of the message (after a restart of its consumer) starts again with all of them.
    receiver.by_path = {}
    await sink.deliver(alert)
    assert len(receiver.verified) == 8
    await sink.close()


async def test_firing_and_resolved_are_two_messages(receiver, alert: Alert) -> None:
    sink = _sink(receiver.url)
    await sink.deliver(alert)
    await sink.deliver(alert.model_copy(update={"status": AlertStatus.RESOLVED}))
    assert [headers["webhook-id"] for _, _, headers, _ in receiver.requests] == ["a1-firing", "a1-resolved"]
    assert [json.loads(body)["type"] for _, _, _, body in receiver.requests] == ["alert.firing", "alert.resolved"]
    await sink.close()


@pytest.mark.parametrize("secret", ["whsec_", "whsec_é", "whsec_A"])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"webhook\.secret") as caught:
        WebhookSink(WebhookSettings.model_validate({"urls": ["https://ops.example"], "secret": secret}))
    assert secret.removeprefix("whsec_") == "" or secret not in str(caught.value)


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
