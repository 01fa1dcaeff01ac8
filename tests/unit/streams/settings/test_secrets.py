"""Neither settings nor errors show a secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from streams.errors import SettingsError
from streams.settings import load_settings


def test_secrets_are_not_shown_by_repr_or_json(secrets: Mapping[str, str]) -> None:
    settings = load_settings(pairs=secrets)
    for shown in (
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        str(settings.model_dump()),
        json.dumps(settings.model_dump(mode="json")),
    ):
        assert "hunter2" not in shown
        assert "aHVudGVyMg" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK__SECRET", "hunter2"),
        ("KAFKA", '"hunter2"'),
        ("KAFKA", '["hunter2"]'),
        ("KAFKA", '{"sasl_password": "hunter2"'),
        ("KAFKA", '{"sasl_password": ["hunter2"]}'),
        ("KAFKA", '{"sasl_pasword": "hunter2"}'),
        ("SEARCH__PASSWRD", "hunter2"),
        ("SEARCH__URL", "https://user:hunter2@search:9200"),
        ("SEARCH__URL", "ftp://user:hunter2@search:9200"),
        ("WEBHOOK__URLS", '["https://user:hunter2@a.example"]'),
        ("WEBHOOK__URLS", '["https://user:hunter2@a.example"'),
        ("KAFKA__BOOTSTRAP_SERVERS", "user:hunter2@kafka"),
        ("SECRET", "hunter2"),
    ],
)
def test_secrets_are_not_shown_by_errors(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError]
) -> None:
    monkeypatch.setenv(f"BELLWETHER_{name}", value)
    error = refusal()
    assert "hunter2" not in error.message + error.mend
