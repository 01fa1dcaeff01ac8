"""Commands as they stand on the control topic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.life.commands import Acknowledge, Silence, SilenceMatcher, Unsilence, minute_of, read_command
from streams.errors import PermanentError

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
ids = st.text("abc-._019", min_size=1, max_size=64)
commands = st.one_of(
    st.builds(
        lambda id, value, start, minutes: Silence(
            id=id, matchers=(SilenceMatcher(value=value),), starts_at=start, ends_at=start + timedelta(minutes=minutes)
        ),
        ids,
        st.sampled_from(["*", "bank", "ба?нк", "[ab]*"]),
        moments,
        st.integers(1, 10**6),
    ),
    st.builds(Unsilence, id=ids),
    st.builds(Acknowledge, target=st.text("0123456789abcdef", min_size=32, max_size=32), until=moments),
)


@given(commands)
def test_what_is_written_is_read(command):
    assert read_command(command.model_dump_json().encode()) == command


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b'{"command": "shout"}',
        b'{"command": "unsilence", "id": "a b"}',
        b'{"command": "unsilence", "id": "a", "and": 1}',
        b'{"command": "acknowledge", "target": "xyz", "until": "2026-01-01T00:00:00Z"}',
        b'{"command": "acknowledge", "target": "0123456789abcdef", "until": "2026-01-01T00:00:00"}',
        b'{"command": "acknowledge", "target": "0123456789abcdef", "until": 1770000000}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_command_is_refused_with_a_reason(value):
    with pytest.raises(PermanentError) as refused:
        read_command(value)
    assert refused.value.reason == "control.unreadable"
    assert "\n" not in refused.value.message


def test_minutes_are_utc():
    assert minute_of(datetime(1970, 1, 1, 1, 0, 59, tzinfo=UTC)) == 60
