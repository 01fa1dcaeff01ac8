"""Every setting, whatever its section: it says what it is, its examples can be used, and a bad value is told by its name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from streams.errors import SettingsError
from streams.settings import Settings, load_settings


def fields(model: type[BaseModel] = Settings, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting with its path."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, (*path, name))
        else:
            yield (*path, name), field


ALL = dict(fields())


def variable(path: tuple[str, ...]) -> str:
    return "BELLWETHER_" + "__".join(path).upper()


@pytest.mark.parametrize("path", ALL, ids=".".join)
def test_every_setting_says_what_it_is_and_gives_an_example(path: tuple[str, ...]) -> None:
    assert ALL[path].description
    assert ALL[path].examples


@pytest.mark.parametrize("path", ALL, ids=".".join)
def test_every_example_can_be_used_as_it_stands(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, secrets: Mapping[str, str]) -> None:
    examples = ALL[path].examples
    assert examples
    for example in examples:
        monkeypatch.setenv(variable(path), json.dumps(example) if isinstance(example, list) else str(example))
        if path == ("webhook", "urls"):
            monkeypatch.setenv("BELLWETHER_WEBHOOK__SECRET", secrets["webhook.secret"])
        if path == ("kafka", "security_protocol"):
            monkeypatch.setenv("BELLWETHER_KAFKA__SASL_USERNAME", "u")
            monkeypatch.setenv("BELLWETHER_KAFKA__SASL_PASSWORD", "p")
        if path == ("worker", "agents"):
            assert "score" in example
        found: Any = load_settings()
        for name in path:
            found = getattr(found, name)
        assert found is not None


def takes_any_text(path: tuple[str, ...]) -> bool:
    field = ALL[path]
    return field.annotation in {str, str | None, SecretStr | None, Path, Path | None} and not field.metadata and path[-1] != "secret"


@pytest.mark.parametrize("path", [path for path in ALL if not takes_any_text(path)], ids=".".join)
def test_a_bad_value_is_one_line_that_names_the_setting_and_shows_a_usable_example(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, refusal: Callable[..., SettingsError], secrets: Mapping[str, str]
) -> None:
    monkeypatch.setenv("BELLWETHER_KAFKA__SASL_USERNAME", "u")
    monkeypatch.setenv("BELLWETHER_KAFKA__SASL_PASSWORD", "p")
    monkeypatch.setenv("BELLWETHER_WEBHOOK__SECRET", secrets["webhook.secret"])
    monkeypatch.setenv(variable(path), "" if path in {("kafka", "group"), ("triton", "model")} else "][")
    error = refusal()
    # A list that is no JSON is told by its variable's section; everything else by its own name.
    assert ".".join(path) in error.message or ("environment" in error.message and path[-2] in error.message)
    match = re.search(r"for example (BELLWETHER_\w+)=(.+)", error.mend)
    assert match, error.mend
    monkeypatch.delenv(variable(path))
    monkeypatch.setenv(match[1], match[2])
    load_settings()


def test_defaults_are_valid_and_complete() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.model_fields_set == set()
    assert settings.topics.raw == "documents.raw"


def test_settings_do_not_change_under_way() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "debug"
    with pytest.raises(ValueError, match="frozen"):
        settings.kafka.group = "x"
