"""docs/delivery.md: its program verifies what we send, its example is a rule file's channels, its table is the schedule."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from streams.delivery.attempt import Result
from streams.delivery.channels import read_channels
from streams.delivery.formats.bellwether import body
from streams.delivery.guard import Guard
from streams.delivery.outbox import CAPACITY
from streams.delivery.schedule import STANDARD_WAITS, Schedule
from streams.delivery.sender import build_sender
from streams.delivery.signing import Signer
from streams.documents import Alert, Key, Observation
from streams.settings import WebhookSettings

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "delivery.md").read_text(encoding="utf-8")
NEW, OLD = ("whsec_" + base64.b64encode(word * 8).decode() for word in (b"new", b"old"))
AT = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def receive(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program of the page."""
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "docs/delivery.md", "exec"), names)
    return names["receive"]


def message() -> str:
    span = {"start": AT - timedelta(hours=3), "end": AT}
    return body(
        Alert(
            id="a1",
            fingerprint="f1",
            rule="r",
            status="firing",  # type: ignore[arg-type]
            severity="info",
            key=Key(kind="all", value="all", name="Все"),
            starts_at=AT,
            observed=Observation(**span, documents=2, negative=1, share=0.5),
            baseline=None,
            p_value=None,
            evidence=(),
            languages={},
            sources={},
            summary="половина",
        )
    )


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_the_program_verifies_while_secrets_are_exchanged(receive: Any, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_SECRET", secret)
    headers = Signer([SecretStr(NEW), SecretStr(OLD)], "here").headers("a1-0-firing", datetime.now(UTC), message())
    seen: set[str] = set()
    status, alert = receive(message().encode(), headers, seen)
    assert (status, alert["id"], alert["key"]["name"]) == (204, "a1", "Все")
    assert receive(message().encode(), headers, seen) == (204, None), "a repeat"
    assert receive(message().encode() + b" ", headers, seen) == (401, None)
    assert receive(message().encode(), headers | {"webhook-signature": "v1,?"}, set()) == (401, None)


def test_the_example_can_be_used_as_it_stands() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    environ = {"BELLWETHER_OPS_NEW": NEW, "BELLWETHER_OPS_OLD": OLD, "ALERTMANAGER_TOKEN": "t", "CHAT_URL": "json://chat.example/x"}
    found = read_channels(yaml.safe_load(example)["channels"], WebhookSettings(), environ).all
    assert set(found) == {"ops", "tools", "oncall", "chat"}
    for channel in found.values():
        build_sender(channel, Guard())


def test_the_table_is_the_schedule() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) (s|min|h) \|$", PAGE, re.MULTILINE)
    units = {"s": 1, "min": 60, "h": 3600}
    assert tuple(float(number) * units[unit] for _, number, unit in rows) == STANDARD_WAITS
    assert [int(attempt) for attempt, _, _ in rows] == list(range(2, 11))
    attempts = WebhookSettings().attempts
    assert f"`webhook.attempts` ({attempts})" in PAGE
    assert Schedule(attempts).wait(attempts) is None
    assert f"{CAPACITY:,} messages may wait" in PAGE
    assert f"`webhook.log_days` ({WebhookSettings().log_days})" in PAGE


def test_every_result_is_named() -> None:
    assert not [result for result in Result if result is not Result.UNKNOWN_CHANNEL and result.value not in PAGE]
