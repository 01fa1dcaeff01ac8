"""Series, anomaly windows and profiles in the Numenta Anomaly Benchmark's file formats."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.errors import BellwetherError

__all__ = ["Profile", "TimeSeries", "read_corpus", "read_profiles"]

_MEND = "point --data at a folder with NAB's CSV files, its combined_windows*.json and profiles.json"


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One file of the corpus.

    Attributes:
        name: as the window file calls it, for example ``realTweets/Twitter_volume_AAPL.csv``.
        seconds: time of each row, int64 seconds since 1970-01-01 UTC (NAB's naive times are taken as UTC), ascending.
        values: float64, of the same length.
        windows: first and last row of each anomaly window, both inclusive, ascending.
    """

    name: str
    seconds: NDArray[np.int64]
    values: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def title(self) -> str:
        """Short name for tables: what follows the last underscore."""
        return Path(self.name).stem.rsplit("_", 1)[-1]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a right and a wrong detection are worth.

    Attributes:
        name: ``standard``, ``reward_low_FP_rate``, ``reward_low_FN_rate``.
        true_positive: gain for a detected window.
        false_positive: cost of every row wrongly flagged.
        false_negative: cost of a missed window.
    """

    name: str
    true_positive: float
    false_positive: float
    false_negative: float


def read_corpus(folder: Path) -> tuple[TimeSeries, ...]:
    """All series of `folder` that its window file names, in the order of their names.

    Args:
        folder: holds the CSV files (columns ``timestamp``, ``value``) and one ``combined_windows*.json``.

    Raises:
        BellwetherError: if a file is absent or malformed; the message names it.
    """
    found = sorted(folder.glob("combined_windows*.json"))
    if len(found) != 1:
        raise BellwetherError(f"{folder}: holds {len(found)} files combined_windows*.json; one is wanted", mend=_MEND)
    limits = json.loads(found[0].read_text(encoding="utf-8"))
    return tuple(_read(folder / Path(name).name, name, limits[name]) for name in sorted(limits))


def read_profiles(path: Path) -> dict[str, Profile]:
    """The scoring profiles of `path` by name.

    Raises:
        BellwetherError: if the file cannot be read or lacks a weight.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {
            name: Profile(name, float(costs["tpWeight"]), float(costs["fpWeight"]), float(costs["fnWeight"]))
            for name, costs in ((name, entry["CostMatrix"]) for name, entry in data.items())
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BellwetherError(f"{path}: no profiles of NAB: {error}", mend=_MEND) from error


def _read(path: Path, name: str, limits: list[list[str]]) -> TimeSeries:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(_seconds(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError) as error:
        raise BellwetherError(f"{path}: no series of NAB: {error}", mend=_MEND) from error
    seconds = np.array([at for at, _ in rows], dtype=np.int64)
    if not rows or (np.diff(seconds) <= 0).any():
        raise BellwetherError(f"{path}: the rows are not in ascending order of time, or there are none", mend=_MEND)
    windows = []
    for first, last in sorted((_seconds(first), _seconds(last)) for first, last in limits):
        begin, end = int(np.searchsorted(seconds, first)), int(np.searchsorted(seconds, last, side="right")) - 1
        if begin > end:
            raise BellwetherError(f"{path}: an anomaly window lies outside the series", mend=_MEND)
        windows.append((begin, end))
    return TimeSeries(name, seconds, np.array([value for _, value in rows]), tuple(windows))


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
