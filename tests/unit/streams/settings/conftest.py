"""A folder without a file of settings, and settings that are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from streams.errors import SettingsError
from streams.settings import load_settings


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No bellwether.toml of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def secrets() -> Mapping[str, str]:
    """One of every secret, by the name of its setting."""
    return {
        "kafka.sasl_password": "hunter2-kafka",
        "search.password": "hunter2-search",
        "search.api_key": "hunter2-key",
        "webhook.secret": "whsec_aHVudGVyMg==",
    }


@pytest.fixture
def refusal() -> Callable[..., SettingsError]:
    """The error with which settings are refused; it is one line, and so is its mend."""

    def refused(**flags: Any) -> SettingsError:
        with pytest.raises(SettingsError) as caught:
            load_settings(**flags)
        error = caught.value
        assert "\n" not in error.message
        assert "\n" not in error.mend
        return error

    return refused
