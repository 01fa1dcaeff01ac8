"""Hours of a key of which only the sums are left, packed: 20 bytes an hour."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from streams.alerts.tally import Tally

__all__ = ["SUMS", "History"]

SUMS = np.dtype([("hour", "<i4"), ("documents", "<f4"), ("scored", "<f4"), ("negative", "<f4"), ("score", "<f4")])
_PACK = struct.Struct("<i4f")
_COLUMNS = 5


class History:
    """Closed hours, ascending. Hours without documents are not there."""

    __slots__ = ("_rows",)

    def __init__(self, rows: bytes = b"") -> None:
        self._rows = bytearray(rows)

    def __len__(self) -> int:
        return len(self._rows) // SUMS.itemsize

    @property
    def rows(self) -> NDArray[np.void]:
        """A copy, of dtype `SUMS`."""
        return np.frombuffer(bytes(self._rows), dtype=SUMS)

    def add(self, hour: int, sums: Tally) -> None:
        """Close `hour`, which is later than all that are here."""
        self._rows += _PACK.pack(hour, *sums)

    def forget(self, before: int) -> set[int]:
        """Drop hours before `before`; the days that changed by that."""
        hours = self.rows["hour"]
        count = int(np.searchsorted(hours, before))
        days = set((hours[:count] // 24).tolist())
        del self._rows[: count * SUMS.itemsize]
        return days

    def holds(self, hour: int) -> bool:
        """Whether `hour` is closed."""
        return bool((self.rows["hour"] == hour).any())

    def fill(self, out: NDArray[np.float64], first: int) -> None:
        """Put the sums of the hours from `first` into `out`, of shape (hours, 4)."""
        hours = np.frombuffer(self._rows, dtype="<i4")[::_COLUMNS]
        low, high = hours.searchsorted((first, first + len(out))).tolist()
        if low < high:
            sums = np.frombuffer(self._rows, dtype="<f4").reshape(-1, _COLUMNS)[low:high, 1:]
            out[hours[low:high] - first] = sums

    def day(self, day: int) -> bytes:
        """Packed rows of the 24 hours of `day` (days since 1970-01-01 UTC)."""
        rows = self.rows
        return rows[(rows["hour"] >= day * 24) & (rows["hour"] < day * 24 + 24)].tobytes()
