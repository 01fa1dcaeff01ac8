"""Channels from the rule file and from the settings: each fault is one line that names the channel and shows no secret."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from streams.delivery.channels import AlertmanagerChannel, AppriseChannel, Channels, WebhookChannel, read_channels
from streams.delivery.guard import Guard
from streams.delivery.sender import build_sender
from streams.documents import Alert
from streams.errors import SettingsError
from streams.settings import WebhookSettings

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
WEBHOOK = {"type": "webhook", "url": "https://ops.example/hook", "secrets": [SECRET]}
Make = Callable[..., Alert]


def read(channels: dict[str, Any], environ: dict[str, str] | None = None, **settings: Any) -> Channels:
    return read_channels(channels, WebhookSettings.model_validate(settings), environ or {})


def refusal(fields: dict[str, Any], **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read({"ops": fields}, environ)
    assert "\n" not in str(caught.value)
    assert caught.value.mend
    assert str(caught.value).startswith("channel ops: ")
    return str(caught.value)


def test_every_type() -> None:
    found = read(
        {
            "ops": WEBHOOK | {"format": "alertmanager", "headers": {"x-key": "1"}, "min_severity": "warning", "timeout": 5},
            "am": {"type": "alertmanager", "url": "http://alertmanager:9093/", "expires": "2d", "bearer": "t"},
            "chat": {"type": "apprise", "url": "json://user:pass@chat.example/x"},
        }
    ).all
    assert isinstance(found["ops"], WebhookChannel)
    assert isinstance(found["am"], AlertmanagerChannel)
    assert isinstance(found["chat"], AppriseChannel)
    assert found["am"].expires.days == 2
    assert found["am"].authorization() == {"authorization": "Bearer t"}
    assert found["chat"].target == "json://…"


def test_what_the_environment_holds_is_taken_from_there() -> None:
    fields = {"type": "webhook", "url": "env:HOOK", "secrets": ["env:NEW", "env:OLD"], "headers": {"x-key": "env:KEY"}}
    environ = {"HOOK": "https://a.example/x", "NEW": SECRET, "OLD": SECRET, "KEY": "s3cret"}
    channel = read({"ops": fields}, environ).all["ops"]
    assert isinstance(channel, WebhookChannel)
    assert channel.url == "https://a.example/x"
    assert [secret.get_secret_value() for secret in channel.secrets] == [SECRET, SECRET]
    assert channel.headers["x-key"].get_secret_value() == "s3cret"
    one = read({"ops": fields | {"secrets": "env:NEW"}}, environ).all["ops"]
    assert isinstance(one, WebhookChannel)
    assert len(one.secrets) == 1
    assert "OLD is not set" in refusal(fields, HOOK="https://a.example", NEW=SECRET, KEY="k")
    assert "KEY is not set" in refusal(fields, **{name: value for name, value in environ.items() if name != "KEY"})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "type"),
        ("https://ops.example", "not a mapping"),
        ({"type": "pigeon"}, "webhook"),
        (WEBHOOK | {"url": "ops.example"}, "url: must begin with http"),
        (WEBHOOK | {"url": "https://u:p4ssw0rd@ops.example"}, "url: must not hold a user or password"),
        (WEBHOOK | {"url": "http://[::1/"}, "url"),
        (WEBHOOK | {"secrets": []}, "at least one"),
        (WEBHOOK | {"format": "xml"}, "format"),
        (WEBHOOK | {"timeout": 0}, "timeout"),
        (WEBHOOK | {"timeout": 1e9}, "timeout"),
        (WEBHOOK | {"severity": "x"}, "severity"),
        (WEBHOOK | {"min_severity": "urgent"}, "min_severity"),
        (WEBHOOK | {"headers": {"Host": "p4ssw0rd"}}, "set by Bellwether"),
        (WEBHOOK | {"headers": {"x y": "1"}}, "no header"),
        (WEBHOOK | {"headers": {"x": "a\r\nb: p4ssw0rd"}}, "no header"),
        ({"type": "alertmanager", "url": "http://a", "username": "u"}, "go together"),
        ({"type": "alertmanager", "url": "http://a", "username": "u", "password": "p4ssw0rd", "bearer": "t"}, "keep one"),
        ({"type": "alertmanager", "url": "http://a", "bearer": "a\np4ssw0rd"}, "bearer"),
        ({"type": "alertmanager", "url": "http://a", "expires": "0s"}, "expires"),
        ({"type": "apprise"}, "url"),
    ],
)
def test_a_fault_names_the_channel_and_the_field_and_no_value(fields: Any, says: str) -> None:
    shown = refusal(fields)
    assert says in shown
    assert "p4ssw0rd" not in shown


@pytest.mark.parametrize(
    "fields",
    [WEBHOOK | {"secrets": ["whsec_é"]}, WEBHOOK | {"secrets": ["p4ssw0rd"]}, {"type": "apprise", "url": "nosuch://p4ssw0rd"}],
)
def test_a_secret_that_is_none_is_found_before_it_is_needed(fields: dict[str, Any]) -> None:
    channel = read({"ops": fields}).all["ops"]
    with pytest.raises(SettingsError, match="ops") as caught:
        build_sender(channel, Guard())
    assert "p4ssw0rd" not in str(caught.value)


def test_no_secret_is_printed() -> None:
    found = read(
        {
            "ops": WEBHOOK | {"headers": {"x": "p4ssw0rd"}},
            "chat": {"type": "apprise", "url": "slack://p4ssw0rd/b/c"},
            "am": {"type": "alertmanager", "url": "http://a/?k=p4ssw0rd", "username": "u", "password": "p4ssw0rd"},
        }
    )
    for channel in found.all.values():
        assert "p4ssw0rd" not in channel.target
        assert SECRET not in repr(channel)
    assert "p4ssw0rd" not in repr(found.all["ops"]) + repr(found.all["chat"])


def test_a_rule_that_names_no_channel_has_the_receivers_of_the_settings(make_alert: Make) -> None:
    found = read({"ops": WEBHOOK}, urls=["https://a.example", "https://b.example"], secret=SECRET, secrets=[SECRET], timeout=3)
    channels, unknown = found.of(make_alert())
    assert [channel.name for channel in channels] == ["default", "default-2"]
    assert unknown == []
    first = channels[0]
    assert isinstance(first, WebhookChannel)
    assert (len(first.secrets), first.timeout) == (2, 3)
    assert [channel.name for channel in found.of(make_alert(channels=("ops",)))[0]] == ["ops"]
    assert [channel.name for channel in found.of(make_alert(channels=("default-2", "ops", "ops")))[0]] == ["default-2", "ops"]
    assert read({}).of(make_alert()) == ([], [])
    assert read({}).of(make_alert(channels=("default",))) == ([], [])


def test_what_a_digest_tells_reaches_nobody_by_itself(make_alert: Make) -> None:
    found = read({"ops": WEBHOOK}, urls=["https://a.example"], secret=SECRET)
    assert found.of(make_alert(reason="grouped")) == ([], [])
    assert found.of(make_alert(reason="grouped", channels=("ops", "nobody"))) == ([], [])


def test_the_rule_file_may_name_its_own_default(make_alert: Make) -> None:
    found = read({"default": WEBHOOK}, urls=["https://a.example"], secret=SECRET)
    [channel] = found.of(make_alert())[0]
    assert channel.target == "https://ops.example/hook"
    with pytest.raises(SettingsError, match="default-2"):
        read({"default-2": WEBHOOK}, urls=["https://a.example", "https://b.example"], secret=SECRET)


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"url": "https://new.example"}, True),
        ({"format": "alertmanager"}, True),
        ({"secrets": ["whsec_eHh4"]}, False),
        ({"timeout": 3}, False),
    ],
)
def test_a_channel_is_another_one_when_it_leads_elsewhere(change: dict[str, Any], other: bool) -> None:
    assert (read({"ops": WEBHOOK}).all["ops"].digest != read({"ops": WEBHOOK | change}).all["ops"].digest) is other
