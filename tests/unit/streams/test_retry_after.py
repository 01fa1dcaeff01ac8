"""How long a server asks us to wait, in the words of any server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.retry_after import retry_after

NOW = datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, 999_999_999.0),
        ("Sat, 01 Jun 2024 12:01:00 GMT", 60.0),
        ("Sat, 01 Jun 2024 12:01:00 -0000", 60.0),
        ("Sat, 01 Jun 2024 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("１２", None),
    ],
)
def test_seconds_and_dates_are_read(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_a_server_that_asks_for_nothing_gets_nothing() -> None:
    assert retry_after({}, NOW) is None


@given(st.text())
@example("Sat, 01 Jun 2024 12:01:00 +" + "9" * 60)
@example("Sat, 01 Jun 99999999999999999999 12:01:00 GMT")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
def test_no_words_of_a_server_are_an_error(value: str) -> None:
    asked = retry_after({"retry-after": value}, NOW)
    assert asked is None or asked >= 0
