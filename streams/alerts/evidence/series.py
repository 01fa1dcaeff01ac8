"""The small time series of an alert: how its key went before, in steps that a person can take in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from streams.alerts.tally import Buckets, View
from streams.documents import Point, Series

__all__ = ["MAX_POINTS", "series"]

MAX_POINTS = 48
_FEWEST_POINTS = 24
_WINDOWS = 12
_FINE_WINDOWS = 6
_STEPS = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 10080)


def series(view: View) -> Series | None:
    """Counts of the last windows, up to the window's end: at most `MAX_POINTS` + 1 points, about 24 to 48 where so much is known.

    Steps begin at multiples of their length. Points that are not wholly known (before the key was watched, or between the
    hourly sums and the finer ones) are left out. None where nothing is known.
    """
    width = view.end - view.start
    known = view.end - max(view.recent.start, view.known_since)
    fine = not len(view.hours) or known >= max(_FINE_WINDOWS * width, _FEWEST_POINTS * view.recent.step)
    finest = view.recent.step if fine else 60
    span = max(_WINDOWS * width, _FEWEST_POINTS * finest)
    if fine:
        span = min(span, view.end - view.recent.start)
    step = next((step for step in _STEPS if step % finest == 0 and span <= MAX_POINTS * step), _STEPS[-1])
    points: list[Point] = []
    parts = list(_parts(view, fine=fine))
    for at in range((view.end - span) // step * step, view.end, step):
        until = min(at + step, view.end)
        if at < view.known_since:
            continue
        inside = [part for part in parts if at <= part[0] and part[1] <= until]
        if sum(end - start for start, end, _, _ in inside) != until - at:
            continue
        documents, negative = sum(part[2] for part in inside), sum(part[3] for part in inside)
        points.append(Point(at=datetime.fromtimestamp(at * 60, UTC), documents=round(documents, 3), negative=round(negative, 3)))
    return Series(step=step, points=tuple(points)) if points else None


def _parts(view: View, *, fine: bool) -> Iterator[tuple[int, int, float, float]]:
    """Start, end, documents and negative ones of what is known: the finer buckets alone, or hours and what follows them."""
    if not fine:
        yield from _spans(view.hours, view.hours.start)
    yield from _spans(view.recent, view.recent.start if fine or not len(view.hours) else view.hours.end)


def _spans(buckets: Buckets, first: int) -> Iterator[tuple[int, int, float, float]]:
    for place in range(len(buckets)):
        start = buckets.start + place * buckets.step
        if start >= first:
            yield start, start + buckets.step, float(buckets.documents[place]), float(buckets.negative[place])
