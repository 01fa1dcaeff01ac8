"""`bellwether config` and its table: every setting, no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr
from typer.testing import CliRunner

from streams.cli import app
from streams.commands.config import rows
from streams.settings import Settings, load_settings

SECRETS = {
    "BELLWETHER_KAFKA__SASL_PASSWORD": "hunter2",
    "BELLWETHER_SEARCH__PASSWORD": "hunter2",
    "BELLWETHER_SEARCH__API_KEY": "hunter2",
    "BELLWETHER_WEBHOOK__SECRET": "whsec_aHVudGVyMg==",
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def names(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names(field.annotation, (*path, name))
        else:
            yield ".".join((*path, name))


def test_every_setting_has_a_row() -> None:
    found = rows(load_settings())
    assert [row[0] for row in found] == list(names())
    assert all(description for *_, description in found)


def test_the_variable_of_a_row_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, variable, _ in rows(load_settings()):
        if value and name != "alerts.window":
            monkeypatch.setenv(variable, value)
    again = load_settings()
    assert rows(again) == rows(load_settings())
    assert again.scoring == Settings().scoring


def test_every_secret_is_masked(secrets: None) -> None:
    settings = load_settings()
    found = {row[0]: row[1] for row in rows(settings)}
    masked = {name for name, value in found.items() if value == "********"}
    assert masked == {"kafka.sasl_password", "search.password", "search.api_key", "webhook.secret"}
    assert "hunter2" not in str(found)
    kinds = {name for name in names() if isinstance(_value(settings, name), SecretStr)}
    assert masked == kinds


def _value(settings: Settings, name: str) -> object:
    found: object = settings
    for part in name.split("."):
        found = getattr(found, part)
    return found


def test_what_is_absent_is_blank_and_lists_are_json() -> None:
    found = {row[0]: row[1] for row in rows(load_settings(enrich={"languages": ["zh", "de"]}))}
    assert found["journal"] == ""
    assert json.loads(found["enrich.languages"]) == ["zh", "de"]


@pytest.mark.parametrize("arguments", [["config"], ["config", "--json"]])
def test_the_command_shows_settings_and_no_secret(arguments: list[str], secrets: None) -> None:
    result = CliRunner().invoke(app, [*arguments, "--set", "kafka.group=from-a-flag"])
    assert result.exit_code == 0, result.output
    assert "from-a-flag" in result.output
    assert "hunter2" not in result.output
    assert "aHVudGVyMg" not in result.output


def test_the_json_is_one_object_with_every_section() -> None:
    data = json.loads(CliRunner().invoke(app, ["config", "--json"]).stdout)
    assert set(data) == set(Settings.model_fields)


def test_the_table_names_the_variables() -> None:
    output = CliRunner().invoke(app, ["config"]).output
    assert "BELLWETHER_KAFKA__BOOTSTRAP_SERVERS" in output
    assert '["score", "index", "watch", "notify"]' in output
