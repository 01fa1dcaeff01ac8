"""Daily mentions of companies around their bankruptcy: does a volume rule speak, and when?"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.alerts.detectors.contract import Detector
from streams.alerts.fold import IDLE, Terms, Verdict, step
from streams.alerts.tally import Buckets, View
from streams.errors import BellwetherError

__all__ = ["AFTER", "BEFORE", "Bankruptcy", "Outcome", "judge", "read_bankruptcies"]

BEFORE, AFTER = 10, 3
"""Days before and after the date between which an alert is about the bankruptcy: rumours come first, the news on the day."""

_AFTERMATH = 10
"""Days after the date until which further alerts are neither right nor wrong."""
_LEAST = 10.0
_HOUR, _DAY = 60, 1440


@dataclass(frozen=True, slots=True)
class Bankruptcy:
    """A company: the day of its bankruptcy, and its mentions on each day from the 30th before to the 30th after it."""

    company: str
    day: date
    mentions: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rule said of a company.

    Attributes:
        first: day of the first alert about the bankruptcy, relative to it; None: it kept silent.
        false: alerts that are about something else.
        judged_days: days on which it could have spoken falsely.
        most: most mentions on one of the days between `BEFORE` and `AFTER`.
    """

    company: str
    first: int | None
    false: int
    judged_days: int
    most: float


def read_bankruptcies(path: Path) -> list[Bankruptcy]:
    """The companies of `path` (columns ``company``, ``date``, ``freq``, ``Date of Bankruptcy``; days without a row had no mention).

    Raises:
        BellwetherError: if the file cannot be read.
    """
    mentions: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(61))
    days: dict[str, date] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                day = datetime.strptime(row["Date of Bankruptcy"].strip(), "%B %d, %Y").date()  # noqa: DTZ007  (a day has no zone)
                place = (datetime.strptime(row["date"], "%d/%m/%Y").date() - day).days + 30  # noqa: DTZ007
                days[row["company"]] = day
                if 0 <= place <= 60:
                    mentions[row["company"]][place] += float(row["freq"])
    except (OSError, ValueError, KeyError) as error:
        raise BellwetherError(
            f"{path}: no daily mentions: {error}", mend="point --data at the folder of bankruptcy_mentions.csv.gz"
        ) from error
    return [Bankruptcy(company, days[company], mentions[company]) for company in sorted(mentions)]


def judge(company: Bankruptcy, detector: Detector, *, cool_down: int = 3, warm_up: int = 7) -> Outcome:
    """Judge each day after the first `warm_up` by the days before it; mentions of a day are taken to come evenly.

    A day with fewer than ten mentions is never an alert. `cool_down` in days.
    """
    state, terms = IDLE, Terms(0, cool_down * _DAY, silence=False)
    fired = []
    for day in range(warm_up, len(company.mentions)):
        start, value = day * _DAY, float(company.mentions[day])
        window = _buckets(np.array([value]), start, _DAY)
        past = _buckets(np.repeat(company.mentions[:day] / 24.0, 24), 0, _HOUR)
        judged = detector.assess(View(start + _DAY, 1, window.total(), window, past, 0))
        verdict = Verdict(judged.holds and value >= _LEAST, value, judged.expected, silent=value == 0)
        state, _ = step(state, start, verdict, complete=True, terms=terms, horizon=start)
        if state.current is not None and state.current.fired == start:
            fired.append(day - 30)
    about = [day for day in fired if -BEFORE <= day <= AFTER]
    wrong = [day for day in fired if not -BEFORE <= day <= _AFTERMATH]
    apart = len(company.mentions) - warm_up - (BEFORE + _AFTERMATH + 1)
    most = float(company.mentions[30 - BEFORE : 31 + AFTER].max())
    return Outcome(company.company, min(about, default=None), len(wrong), apart, most)


def _buckets(values: NDArray[np.float64], start: int, length: int) -> Buckets:
    nothing = np.zeros(len(values))
    return Buckets(start, length, values, nothing, nothing, nothing)
