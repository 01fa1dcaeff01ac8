"""Active hours: over midnight, over both changes of the clock, and never a wrong opening."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.alerts.rules.hours import may_speak, next_opening
from streams.alerts.rules.model import ActiveHours

BERLIN = ZoneInfo("Europe/Berlin")


def hours(span: str, zone: str = "Europe/Berlin", *days: str) -> ActiveHours:
    return ActiveHours.model_validate({"hours": span, "time_zone": zone, **({"days": days} if days else {})})


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


def test_the_default_is_always() -> None:
    assert may_speak(ActiveHours(), at("2026-03-01 00:00"))
    assert next_opening(ActiveHours(), at("2026-03-01 23:59:59")) == at("2026-03-01 23:59:59")


@pytest.mark.parametrize(
    ("moment", "expected"), [("07:59:59", False), ("08:00:00", True), ("18:29:59", True), ("18:30:00", False), ("00:00:00", False)]
)
def test_the_begin_belongs_to_the_hours_and_the_end_does_not(moment: str, expected: bool) -> None:
    assert may_speak(hours("08:00-18:30"), at(f"2026-03-02 {moment}")) is expected


def test_hours_are_local() -> None:
    tokyo = hours("09:00-17:00", "Asia/Tokyo")
    assert may_speak(tokyo, datetime(2026, 3, 2, 0, 30, tzinfo=UTC))
    assert not may_speak(tokyo, datetime(2026, 3, 2, 9, 30, tzinfo=UTC))


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = hours("22:00-06:00", "Europe/Berlin", "fri")
    assert may_speak(night, at("2026-03-06 23:00"))  # a Friday
    assert may_speak(night, at("2026-03-07 05:59"))
    assert not may_speak(night, at("2026-03-07 06:00"))
    assert not may_speak(night, at("2026-03-06 05:00"))
    assert not may_speak(night, at("2026-03-07 23:00"))
    assert next_opening(night, at("2026-03-07 06:00")) == at("2026-03-13 22:00")


def test_the_weekend_is_waited_out() -> None:
    desk = hours("08:00-18:00", "Europe/Berlin", "mon", "tue", "wed", "thu", "fri")
    opening = next_opening(desk, at("2026-03-06 18:00"))
    assert opening == at("2026-03-09 08:00")
    assert opening.tzinfo is UTC


def test_an_opening_follows_the_clock_into_summer() -> None:
    desk = hours("08:00-18:00")
    assert next_opening(desk, at("2026-03-28 18:00")) == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    assert next_opening(desk, at("2026-03-27 18:00")) == datetime(2026, 3, 28, 7, 0, tzinfo=UTC)


def test_hours_that_begin_in_the_hour_that_spring_skips_open_when_the_clock_jumps() -> None:
    early = hours("02:30-05:00")
    assert next_opening(early, at("2026-03-29 00:00")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 03:00 in Berlin


def test_hours_that_spring_skips_wholly_come_on_the_next_day_that_has_them() -> None:
    assert next_opening(hours("02:10-02:50"), at("2026-03-29 00:00")) == at("2026-03-30 02:10")
    assert next_opening(hours("02:10-02:50", "Europe/Berlin", "sun"), at("2026-03-29 00:00")) == at("2026-04-05 02:10")


def test_the_hour_that_autumn_repeats_counts_twice() -> None:
    short = hours("02:15-02:45")
    first, second = at("2026-10-25 02:20"), at("2026-10-25 02:20", fold=1)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    assert may_speak(short, first)
    assert may_speak(short, second)
    assert next_opening(short, at("2026-10-25 02:50")) == at("2026-10-25 02:15", fold=1).astimezone(UTC)


def test_the_clock_may_jump_back_into_the_hours() -> None:
    assert next_opening(hours("01:30-02:30"), at("2026-10-25 02:45")) == at("2026-10-25 02:00", fold=1).astimezone(UTC)


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@settings(max_examples=40, deadline=None)
@example(150, 20, "Australia/Lord_Howe", {"sun"}, 0)
@given(
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from(ZONES),
    st.sets(st.sampled_from(DAYS), min_size=3),
    st.integers(-600, 600),
)
def test_the_next_opening_is_the_first_minute_that_is_open(begin: int, length: int, zone: str, days: set[str], offset: int) -> None:
    end = (begin + length) % 1440
    span = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    active = hours(span, zone, *sorted(days))
    for change in (datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 31, 20, tzinfo=UTC), datetime(2026, 10, 3, 20, tzinfo=UTC)):
        moment = change + timedelta(minutes=offset)
        opening = next_opening(active, moment)
        assert opening >= moment
        assert may_speak(active, opening)
        # Nothing within the last day before it was open: minute by minute, by the plain definition.
        back = max(moment, opening - timedelta(hours=30))
        while back < opening:
            assert not may_speak(active, back)
            back += timedelta(minutes=1)
