"""Kinds of values: addresses are normalised, durations are read in both forms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.settings import load_settings


def test_addresses_and_folders_are_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    settings = load_settings(
        search={"url": "http://search:9200/"}, kafka={"bootstrap_servers": " a:1 , [::1]:2 "}, embedded={"data": "~/bellwether"}
    )
    assert settings.search.url == "http://search:9200"
    assert settings.kafka.bootstrap_servers == "a:1,[::1]:2"
    assert settings.embedded.data == Path("/home/somebody/bellwether")


def test_addresses_hold_no_password_because_they_are_shown(refusal: Callable[..., SettingsError]) -> None:
    assert "must not hold a user or password" in refusal(search={"url": "https://user:hunter2@search:9200"}).message
    assert load_settings(search={"url": "https://search:9200/@path"}).search.url == "https://search:9200/@path"


@pytest.mark.parametrize(("value", "seconds"), [("PT6H", 21600), ("3600", 3600), ("P7D", 604800), ("01:30:00", 5400)])
def test_durations_are_seconds_or_iso_8601(value: str, seconds: int) -> None:
    assert load_settings(pairs={"alerts.window": value}).alerts.window.total_seconds() == seconds
