"""Durations: every way of writing them, and none that leaves a doubt."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from streams.alerts.rules.duration import LONGEST, Duration, parse_duration, write_duration

READ = TypeAdapter(Duration)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("3h", timedelta(hours=3)),
        ("2d", timedelta(days=2)),
        ("4w", timedelta(weeks=4)),
        ("1h30m", timedelta(minutes=90)),
        ("0s", timedelta(0)),
        ("PT3H", timedelta(hours=3)),
        ("P1DT12H", timedelta(hours=36)),
    ],
)
def test_what_people_write_is_read(text: str, expected: timedelta) -> None:
    assert READ.validate_python(text) == expected


@pytest.mark.parametrize(
    "value", ["3 hours", "h", "", "3", "3H", "-3h", "1.5h", "٣h", "PT", "-PT3H", 3, 3.5, True, None, [], "401d", "9" * 30 + "w"]
)
def test_anything_else_is_refused_and_not_guessed(value: object) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(value)


def test_a_number_is_refused_because_it_has_no_unit() -> None:
    with pytest.raises(ValidationError, match="30 has no unit"):
        READ.validate_python(30)


@pytest.mark.parametrize("value", [-timedelta(seconds=1), LONGEST + timedelta(seconds=1)])
def test_timedeltas_keep_within_the_bounds_too(value: timedelta) -> None:
    with pytest.raises(ValidationError):
        READ.validate_python(value)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, int(LONGEST.total_seconds())).map(lambda seconds: timedelta(seconds=seconds)))
def test_what_is_written_is_read_again(value: timedelta) -> None:
    assert parse_duration(write_duration(value)) == value
    assert READ.validate_json(READ.dump_json(value)) == value


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_validation_error(text: str) -> None:
    try:
        found = READ.validate_python(text)
    except ValidationError:
        return
    assert timedelta(0) <= found <= LONGEST
