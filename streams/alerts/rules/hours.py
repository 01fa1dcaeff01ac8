"""When a rule may speak: hours of local time, through changes of the clock and over midnight."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.alerts.rules.model import ActiveHours

__all__ = ["may_speak", "next_opening"]

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
# Hours that a spring night skips wholly, on one day of the week, come again after two weeks at the latest.
_LOOK_AHEAD = timedelta(days=16)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def may_speak(active: ActiveHours, at: datetime) -> bool:
    """Whether `at` (aware) lies within the hours, by the clock on the wall there; the end does not belong to them.

    Hours over midnight belong to the day on which they begin. An hour that the clock repeats in autumn counts both
    times, one that it skips in spring never.
    """
    first, last = active.span
    local = at.astimezone(_zone(active.time_zone))
    minute = 60 * local.hour + local.minute
    today = _WEEKDAYS[local.weekday()]
    yesterday = _WEEKDAYS[local.weekday() - 1]
    return (today in active.days and first <= minute < last) or (yesterday in active.days and minute + _DAY < last)


def next_opening(active: ActiveHours, at: datetime) -> datetime:
    """The first moment from `at` (aware) on at which the rule may speak: `at` itself, or a begin of hours. UTC.

    Raises:
        ValueError: there is none within sixteen days, which no clock of this world brings about.
    """
    at = at.astimezone(UTC)
    if may_speak(active, at):
        return at
    for moment in sorted({*_begins(active, at), *_changes(_zone(active.time_zone), at)}):
        if moment >= at and may_speak(active, moment):
            return moment
    raise ValueError(f"{active.hours} on {', '.join(active.days)} in {active.time_zone} never comes after {at}")


def _begins(active: ActiveHours, at: datetime) -> Iterator[datetime]:
    """The begin of the hours on every day; both where the clock shows it twice."""
    zone = _zone(active.time_zone)
    first, _ = active.span
    day = at.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    for number in range(_LOOK_AHEAD.days + 1):
        wall = day + timedelta(days=number, minutes=first)
        for fold in (0, 1):
            yield wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _changes(zone: ZoneInfo, at: datetime) -> Iterator[datetime]:
    """Moments at which the clock of `zone` is moved: it may then stand within the hours, without having shown their begin."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    for _ in range(24 * _LOOK_AHEAD.days):
        after = hour + timedelta(hours=1)
        if _offset(zone, hour) != _offset(zone, after):
            low, high = hour, after
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _offset(zone, middle) == _offset(zone, low) else (low, middle)
            yield high
        hour = after


def _offset(zone: ZoneInfo, at: datetime) -> timedelta | None:
    return at.astimezone(zone).utcoffset()
