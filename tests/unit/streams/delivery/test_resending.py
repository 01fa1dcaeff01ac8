"""Which alerts are sent again, and that receivers do not take them for repeats."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer
from typer.testing import CliRunner
from waiting import until

from streams.commands.resend import add_resend
from streams.delivery import resending
from streams.delivery.attempt import Attempt, Result
from streams.delivery.outbox import message_id
from streams.delivery.resending import failed_channels, resent
from streams.documents import Alert
from streams.errors import BellwetherError, SettingsError
from streams.settings import Settings

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
Make = Callable[..., Alert]


def attempt(alert: str, channel: str, result: Result, minute: int) -> Attempt:
    return Attempt(
        at=NOW + timedelta(minutes=minute),
        message=f"{alert}-0-firing",
        channel=channel,
        target="t",
        alert=alert,
        fingerprint="f",
        rule="r",
        status="firing",
        severity="info",
        result=result,
        attempt=1,
        seconds=0.0,
    )


def test_the_newest_attempt_at_each_channel_tells() -> None:
    attempts = [
        attempt("a", "ops", Result.DELIVERED, 2),
        attempt("a", "ops", Result.GIVEN_UP, 1),
        attempt("a", "chat", Result.RETRY, 1),
        attempt("b", "ops", Result.RETRY, 1),
        attempt("b", "ops", Result.REFUSED, 2),
        attempt("b", "chat", Result.DISABLED, 2),
    ]
    assert failed_channels(attempts) == failed_channels(attempts[::-1]) == {"b": ("chat", "ops")}
    assert failed_channels([]) == {}


def test_a_resent_alert_is_a_message_of_its_own(make_alert: Make) -> None:
    alert = make_alert()
    again, later = resent(alert, NOW), resent(alert, NOW + timedelta(milliseconds=1))
    assert len({message_id(alert), message_id(again), message_id(later)}) == 3
    assert (again.reason, again.id, again.revision, again.status) == ("resent", alert.id, alert.revision, alert.status)
    assert message_id(Alert.model_validate_json(again.model_dump_json())) == message_id(again)
    assert "." not in message_id(again)


async def test_it_is_delivered_although_the_alert_was(
    post: Callable[..., Awaitable[Any]], receiver: Any, webhook: Callable[..., Any], make_alert: Make
) -> None:
    box = await post({"default": webhook(receiver)})
    await box.dispatcher.enqueue(make_alert(), "o")
    await until(lambda: box.count("delivered") == 1)
    await box.dispatcher.enqueue(resent(make_alert(), NOW), "o")
    await until(lambda: box.count("delivered") == 2)
    assert len(set(receiver.ids)) == 2


async def test_a_broker_that_is_away_is_one_clear_line(make_alert: Make) -> None:
    settings = Settings.model_validate({"kafka": {"bootstrap_servers": "127.0.0.1:9", "request_timeout": 1}})
    with pytest.raises(BellwetherError, match=r"alerts: the broker at 127\.0\.0\.1:9") as caught:
        await resending.put(settings, [make_alert()])
    assert caught.value.mend


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, make_alert: Make) -> tuple[typer.Typer, list[Alert]]:
    """The command, on an index that has one alert and a broker that takes all."""
    sent: list[Alert] = []

    async def choose(index: object, **asked: Any) -> tuple[list[Alert], list[str]]:
        missing = [id for id in asked["ids"] if id != make_alert().id]
        found = [] if missing or asked["channel"] == "none" else [make_alert(channels=(asked["channel"],) if asked["channel"] else ())]
        return found, missing

    async def take(settings: Settings, alerts: list[Alert]) -> None:
        sent.extend(alerts)

    monkeypatch.setattr(resending, "chosen", choose)
    monkeypatch.setattr(resending, "put", take)
    app = typer.Typer()
    add_resend(app)
    app.command()(lambda: None)
    return app, sent


def run(program: typer.Typer, *arguments: str) -> Any:
    return CliRunner().invoke(program, ["resend", *arguments, "--set", "kafka.bootstrap_servers=127.0.0.1:9"])


def test_the_command(program: tuple[typer.Typer, list[Alert]], make_alert: Make) -> None:
    app, sent = program
    done = run(app, make_alert().id, "--channel", "ops")
    assert done.exit_code == 0
    assert done.output.strip() == f"sent {make_alert().id} (firing, Банк) to ops"
    assert len(sent) == 1
    done = run(app, "--since", "6h", "--dry-run")
    assert done.output.strip() == f"would send {make_alert().id} (firing, Банк) to default"
    assert len(sent) == 1
    done = run(app, "nobody")
    assert (done.exit_code, "no alert nobody" in done.output) == (1, True)
    done = run(app, "--failed", "--channel", "none")
    assert (done.exit_code, "nothing to send" in done.output) == (0, True)


@pytest.mark.parametrize("arguments", [[], ["--channel", "ops"], ["--since", "yesterday"], ["--since", ""]])
def test_what_is_not_clear_is_not_sent(program: tuple[typer.Typer, list[Alert]], arguments: list[str]) -> None:
    app, sent = program
    done = run(app, *arguments)
    assert isinstance(done.exception, SettingsError)
    assert done.exception.mend
    assert sent == []


@pytest.mark.parametrize(("text", "hour"), [("2026-03-31T12:00Z", 12), ("2026-03-31T12:00+02:00", 10), ("2026-03-31T12:00", 12)])
def test_a_time_without_a_zone_is_utc(text: str, hour: int) -> None:
    from streams.commands.resend import _instant

    assert _instant(text).astimezone(UTC).hour == hour
    assert timedelta(hours=5.9) < datetime.now(UTC) - _instant("6h") < timedelta(hours=6.1)
