"""The demo's receiver: what verifies is kept, everything else is refused and counted, nothing brings it down."""

from __future__ import annotations

import base64
import json
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from streams.live.receiver import Receiver

BODY = json.dumps({"type": "alert.firing", "data": {"key": "Банк 銀行"}}, ensure_ascii=False).encode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def headers(secret: str, body: bytes = BODY, *, at: datetime | None = None, message: str = "msg-1") -> dict[str, str]:
    at = at or datetime.now(UTC)
    return {
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, body.decode()),
    }


def test_what_verifies_is_kept_by_its_id(receiver: Receiver) -> None:
    for message in ("msg-1", "msg-1", "msg-2"):
        answer = httpx.post(receiver.url, content=BODY, headers=headers(receiver.secret, message=message))
        assert answer.status_code == 204
    assert receiver.verified == {"msg-1": json.loads(BODY), "msg-2": json.loads(BODY)}
    assert receiver.refused == 0


def test_a_resolution_that_was_delivered_is_remembered_with_its_time(receiver: Receiver) -> None:
    body = json.dumps({"type": "alert.resolved", "data": {"observed": {"end": "2024-05-01T15:49:00Z"}}}).encode()
    assert receiver.resolved_at("a1") is None
    assert httpx.post(receiver.url, content=body, headers=headers(receiver.secret, body, message="a1-resolved")).status_code == 204
    assert receiver.resolved_at("a1") == "2024-05-01T15:49:00Z"
    assert receiver.resolved_at("a2") is None


def other_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({"webhook-signature": "v1,AAAA"}, BODY),
        ({"webhook-signature": "v1"}, BODY),
        ({"webhook-signature": "v1,not base64!"}, BODY),
        ({"webhook-signature": "v1,A,B"}, BODY),
        ({"webhook-signature": ""}, BODY),
        ({"webhook-id": ""}, BODY),
        ({"webhook-id": "another"}, BODY),
        ({"webhook-timestamp": "yesterday"}, BODY),
        ({"webhook-timestamp": "0"}, BODY),
        ({}, BODY + b" "),
        ({}, b""),
        ({}, b"\xff"),
    ],
)
def test_what_does_not_verify_is_refused(change: dict[str, str], body: bytes, receiver: Receiver) -> None:
    answer = httpx.post(receiver.url, content=body, headers={**headers(receiver.secret), **change})
    assert answer.status_code == 401
    assert (receiver.refused, receiver.verified) == (1, {})
    assert httpx.post(receiver.url, content=BODY, headers=headers(receiver.secret)).status_code == 204, "it still works"


def test_another_secret_is_refused(receiver: Receiver) -> None:
    assert httpx.post(receiver.url, content=BODY, headers=headers(other_secret())).status_code == 401


def test_no_headers_are_refused(receiver: Receiver) -> None:
    assert httpx.post(receiver.url, content=BODY).status_code == 401


def test_an_old_message_is_refused(receiver: Receiver) -> None:
    old = datetime.now(UTC) - timedelta(minutes=10)
    assert httpx.post(receiver.url, content=BODY, headers=headers(receiver.secret, at=old)).status_code == 401


def test_a_signed_body_that_is_no_json_is_refused(receiver: Receiver) -> None:
    assert httpx.post(receiver.url, content=b"{", headers=headers(receiver.secret, b"{")).status_code == 401


def test_secrets_are_fresh_and_addresses_local() -> None:
    with Receiver() as one, Receiver() as two:
        assert one.secret != two.secret
        assert one.url != two.url
        assert one.url.startswith("http://127.0.0.1:")


def test_leaving_it_frees_its_port() -> None:
    with Receiver() as receiver:
        port = int(httpx.URL(receiver.url).port or 0)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_it_writes_nothing_to_the_terminal(receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    httpx.post(receiver.url, content=BODY, headers=headers(receiver.secret))
    httpx.post(receiver.url, content=BODY)
    assert capfd.readouterr() == ("", "")
