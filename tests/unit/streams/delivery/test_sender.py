"""Messages as they leave: signatures, rotation, headers, formats; verified with the scheme's own library."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from streams.delivery.channels import read_channels
from streams.delivery.guard import Guard
from streams.delivery.sender import Sender, build_sender
from streams.delivery.signing import Signer
from streams.documents import Alert
from streams.errors import PermanentError, SettingsError, TransientError
from streams.settings import WebhookSettings

GUARD = Guard([ip_network("127.0.0.0/8")])
OLD, NEW, OTHER = ("whsec_" + base64.b64encode(word * 8).decode() for word in (b"old", b"new", b"none"))
Make = Callable[..., Alert]


def sender(receiver: Any, **fields: Any) -> Sender:
    given = {"type": "webhook", "url": receiver.url, "secrets": [NEW, OLD], "timeout": 2} | fields
    return build_sender(read_channels({"ops": given}, WebhookSettings(), {}).all["ops"], GUARD)


async def test_while_secrets_are_exchanged_both_verify_and_the_newest_signs_first(receiver: Any, make_alert: Make) -> None:
    sending = sender(receiver)
    await sending.send(make_alert(), "msg-1")
    await sending.close()
    [(_, headers, body)] = receiver.requests
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(body, headers)["type"] == "alert.firing"
    first, second = headers["webhook-signature"].split(" ")
    alone = {**headers, "webhook-signature": first}
    Webhook(NEW).verify(body, alone)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, alone)
    Webhook(OLD).verify(body, {**headers, "webhook-signature": second})


async def test_another_secret_another_body_or_another_id_is_noticed(receiver: Any, make_alert: Make) -> None:
    sending = sender(receiver)
    await sending.send(make_alert(), "msg-1")
    await sending.close()
    [(_, headers, body)] = receiver.requests
    for secret, sent, shown in (
        (OTHER, body, headers),
        (NEW, body.replace(b"critical", b"info"), headers),
        (NEW, body, headers | {"webhook-id": "msg-2"}),
        (NEW, body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(sent, shown)


async def test_the_headers_of_the_scheme(receiver: Any, make_alert: Make) -> None:
    sending = sender(receiver, headers={"x-team": "ops"})
    await sending.send(make_alert(), "msg-1")
    await sending.close()
    [(_, headers, _)] = receiver.requests
    assert headers["webhook-id"] == "msg-1"
    assert abs(int(headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 5
    assert headers["content-type"] == "application/json"
    assert headers["x-team"] == "ops"


@pytest.mark.parametrize("secrets", [[], [NEW]])
async def test_alertmanagers_body_to_a_webhook_signed_where_there_is_a_secret(receiver: Any, make_alert: Make, secrets: list[str]) -> None:
    sending = sender(receiver, format="alertmanager", secrets=secrets)
    await sending.send(make_alert(), "msg-1")
    await sending.close()
    [(_, headers, body)] = receiver.requests
    assert json.loads(body)["version"] == "4"
    assert ("webhook-signature" in headers) is bool(secrets)
    if secrets:
        Webhook(NEW).verify(body, headers)


@given(st.text(max_size=200), st.from_regex(r"[0-9a-f]{32}-[0-9]+-firing", fullmatch=True))
@settings(max_examples=50)
def test_whatever_is_signed_verifies(text: str, message: str) -> None:
    body = json.dumps({"text": text}, ensure_ascii=False).encode("utf-8", "replace").decode()
    headers = Signer([SecretStr(NEW), SecretStr(OLD)], "here").headers(message, datetime.now(UTC), body)
    for secret in (NEW, OLD):
        Webhook(secret).verify(body.encode(), headers)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_é", "whsec_A", "hunter2", ""])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"webhook\.secret") as caught:
        Signer([SecretStr(secret)], "webhook.secret")
    assert secret.removeprefix("whsec_") == "" or secret not in str(caught.value)


async def test_an_alertmanager_is_posted_to_with_its_password(receiver: Any, make_alert: Make) -> None:
    fields = {"type": "alertmanager", "url": f"{receiver.url}/am/", "username": "u", "password": "p"}
    sending = build_sender(read_channels({"am": fields}, WebhookSettings(), {}).all["am"], GUARD)
    receiver.answers = [200]
    await sending.send(make_alert(), "msg-1")
    [(path, headers, body)] = receiver.requests
    assert path == "/am/api/v2/alerts"
    assert headers["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()
    assert json.loads(body)[0]["labels"]["alertname"] == "negative-share"

    async def explains(request: web.Request, body: bytes) -> web.Response:
        return web.Response(status=400, text='"start time must be\nbefore end time"')

    receiver.answer = explains
    with pytest.raises(PermanentError, match="start time must be before end time"):
        await sending.send(make_alert(), "msg-2")
    await sending.close()


async def test_a_busy_receiver_says_when(receiver: Any, make_alert: Make) -> None:
    receiver.answers = [(503, {"Retry-After": "77"})]
    sending = sender(receiver)
    with pytest.raises(TransientError) as caught:
        await sending.send(make_alert(), "m")
    assert caught.value.retry_after == 77
    await sending.close()
