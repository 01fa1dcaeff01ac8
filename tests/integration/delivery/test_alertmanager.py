"""A real Alertmanager takes what we post, and knows it again when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from streams.delivery.channels import read_channels
from streams.delivery.guard import Guard
from streams.delivery.sender import Sender, build_sender
from streams.documents import Alert, Key, Member
from streams.errors import PermanentError
from streams.settings import WebhookSettings

Make = Callable[..., Alert]
GUARD = Guard([ip_network("127.0.0.0/8")])


def build(url: str, guard: Guard = GUARD, **fields: Any) -> Sender:
    given = {"type": "alertmanager", "url": url, "external_url": "https://bellwether.example"} | fields
    return build_sender(read_channels({"am": given}, WebhookSettings(), {}).all["am"], guard)


@pytest.fixture
async def sender(alertmanager: str) -> AsyncIterator[Sender]:
    found = build(alertmanager)
    yield found
    await found.close()


def active(url: str, rule: str) -> list[dict[str, Any]]:
    """What it holds for firing."""
    answer = httpx.get(f"{url}/api/v2/alerts", params={"filter": f'alertname="{rule}"', "active": "true"}, trust_env=False)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_firing_again_and_over(alertmanager: str, sender: Sender, make_alert: Make) -> None:
    alert = make_alert(1, rule="life")
    await sender.send(alert, "m-1")
    await sender.send(alert, "m-1")
    [held] = active(alertmanager, "life")
    assert held["labels"] == {"alertname": "life", "severity": "critical", "entity": "bank-1", "topic": "economy"}
    assert held["annotations"]["summary"] == alert.summary
    assert "奥雷利亚银行" in held["annotations"]["headlines"]
    assert held["generatorURL"] == f"https://bellwether.example/alerts/{alert.id}"
    assert datetime.fromisoformat(held["startsAt"]) == alert.starts_at
    ends = datetime.fromisoformat(held["endsAt"]) - datetime.fromisoformat(held["updatedAt"])
    assert ends > timedelta(days=6), "it does not take silence for an end"
    await sender.send(make_alert(1, "resolved", rule="life"), "m-2")
    assert active(alertmanager, "life") == []
    await sender.send(make_alert(1, "resolved", rule="life"), "m-2")


async def test_an_escalation_leaves_one_alert_and_its_end_none(alertmanager: str, sender: Sender, make_alert: Make) -> None:
    await sender.send(make_alert(2, rule="escalates", severity="warning"), "m-1")
    await sender.send(make_alert(2, rule="escalates", revision=1), "m-2")
    assert [held["labels"]["severity"] for held in active(alertmanager, "escalates")] == ["critical"]
    await sender.send(make_alert(2, "resolved", rule="escalates", revision=2), "m-3")
    assert active(alertmanager, "escalates") == []


async def test_a_digest_is_its_members_too(alertmanager: str, sender: Sender, make_alert: Make) -> None:
    everything = Key(kind="all", value="all", name="everything")
    member = Member(id="m", fingerprint="f", rule="digest", key=everything, severity="info", summary="s")
    await sender.send(make_alert(3, rule="digest", members=(member,)), "m-1")
    assert {held["labels"]["severity"] for held in active(alertmanager, "digest")} == {"critical", "info"}


@pytest.mark.parametrize("status", ["firing", "resolved"])
async def test_an_alert_that_ended_before_it_began_or_ends_tomorrow(
    alertmanager: str, sender: Sender, make_alert: Make, status: str
) -> None:
    for days in (-400, 1):
        alert = make_alert(4, status, rule="odd")
        await sender.send(alert.model_copy(update={"ends_at": alert.starts_at + timedelta(days=days)}), f"m-{days}")


async def test_what_it_does_not_have_is_a_refusal(alertmanager: str, make_alert: Make) -> None:
    wrong = build(f"{alertmanager}/elsewhere")
    with pytest.raises(PermanentError, match="status 404"):
        await wrong.send(make_alert(5), "m-1")
    await wrong.close()


async def test_one_inside_is_refused_unless_it_is_allowed(alertmanager: str, make_alert: Make) -> None:
    guarded = build(alertmanager, Guard())
    with pytest.raises(PermanentError, match="loopback"):
        await guarded.send(make_alert(6, rule="forbidden"), "m-1")
    assert active(alertmanager, "forbidden") == []
    await guarded.close()
