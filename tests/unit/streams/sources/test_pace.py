"""Event time against the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import SettingsError
from streams.sources.pace import Pace, Speed

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("text", "factor"), [("60x", 60), ("60", 60), (" 0.5X ", 0.5), ("max", None), ("MAX", None), ("1e3x", 1000)])
def test_speeds(text: str, factor: float | None) -> None:
    assert Speed.parse(text) == Speed(factor)


@pytest.mark.parametrize("text", ["", "fast", "0x", "-1x", "nan", "inf", "infx", "x", "60xx", "max2"])
def test_bad_speeds_are_told_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match="--speed") as caught:
        Speed.parse(text)
    assert "60x" in caught.value.mend


def test_an_hour_passes_in_a_minute() -> None:
    pace = Pace(Speed(60.0), begun=100.0)
    assert pace.due(START) == 100.0
    assert pace.due(START + timedelta(hours=1)) == 160.0
    assert pace.due(None) == 100.0
    assert pace.due(START - timedelta(days=1)) < 100.0, "what goes back in time does not wait"


@given(seconds=st.lists(st.integers(0, 10**9), min_size=1, max_size=20), factor=st.floats(0.01, 1e6))
def test_order_and_ratio_of_waits_are_those_of_the_events(seconds: list[int], factor: float) -> None:
    pace = Pace(Speed(factor), begun=0.0)
    events = sorted(seconds)
    dues = [pace.due(START + timedelta(seconds=second)) for second in events]
    assert dues == sorted(dues)
    for second, due in zip(events, dues, strict=True):
        assert due == pytest.approx((second - events[0]) / factor, rel=1e-3, abs=1e-3)


def test_no_waiting_at_full_speed() -> None:
    pace = Pace(Speed(None), begun=5.0)
    assert {pace.due(START), pace.due(START + timedelta(days=9)), pace.due(None)} == {5.0}
