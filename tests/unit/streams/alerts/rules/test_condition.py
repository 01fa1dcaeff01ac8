"""Conditions as they are written: one value or many, and what would say nothing is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from streams.alerts.rules.condition import FIELDS, Condition


def test_one_value_may_stand_without_a_list() -> None:
    found = Condition.model_validate({"terms": " bank run ", "not": {"source": "x"}, "any": {"language": "de"}})
    assert found.terms == ("bank run",)
    assert [child.source for child in found.none] == [("x",)]
    assert [child.language for child in found.any] == [("de",)]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_makes_a_condition_say_something(name: str) -> None:
    value = "de" if name == "language" else "word"
    assert not Condition.model_validate({name: value}).empty
    assert Condition.model_validate({}).empty


@pytest.mark.parametrize(
    "given",
    [
        {"language": "DE"},
        {"language": "de-AT"},
        {"language": "e"},
        {"terms": ["*"]},
        {"terms": ["a*b"]},
        {"terms": ["…"]},
        {"terms": []},
        {"source": "  "},
        {"entity": "x" * 257},
        {"entity": [1]},
        {"any": [{}]},
        {"all": [{"not": [{}]}]},
        {"hashtag": "x"},
    ],
)
def test_what_can_never_be_meant_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate(given)


def test_conditions_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Condition.model_validate({"terms": "x"}).terms = ("y",)  # type: ignore[misc]
