"""One rule, one key: its votes over event time, the windows that they change, the episodes that come of it."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.alerts.counting import Weights, settled_weights, weigh
from streams.alerts.fold import IDLE, Published, State
from streams.alerts.frame import Frame
from streams.alerts.glance import pass_over, rules_out
from streams.alerts.history import History
from streams.alerts.hour_sums import settled_sums, sum_weighed, sum_whole
from streams.alerts.recent import Recent
from streams.alerts.tally import Tally
from streams.alerts.votes import MAX_VOTES, PART, SIZE, VOTE, Flag, Hour, Packed, Votes
from streams.alerts.watermark import Ignored
from streams.documents import Key

__all__ = ["Tracker", "Window"]

_FEW = 64
_MINUTES = 60
_FULL = MAX_VOTES * SIZE


class Window(NamedTuple):
    """Votes of a span: their minutes (event time), rows, weights, and which of them are capped."""

    minutes: NDArray[np.int64]
    rows: Votes
    weights: NDArray[np.float64]
    capped: NDArray[np.bool_]


class Tracker:
    """Votes and episodes of one key. The sums are a function of the set of documents, not of their order.

    Attributes:
        name: ``kind:value``.
        hours: votes by hour of event time (hours since 1970-01-01 UTC).
        history: sums of the hours before.
        recent: unweighted sums of the newest hops.
        head: newest minute of a vote.
        since: minute before which the key may have been forgotten; its counts are complete from then on.
        dirty: earliest hop with votes that were not judged; None without.
        judged: latest hop that is over and was judged while an episode lasted.
        states: (end, state of the fold after the window that ends then), where it changed; the first stands for all before.
        published: what was told.
        noted: the hour in which each kind of decision was last written down.
        foreseen: limits of ordinary windows by (mark, known since); None: to be found out.
    """

    __slots__ = (
        "_settled", "_stale", "dirty", "foreseen", "frame", "head", "history", "hours", "judged", "key", "name", "noted", "published",
        "recent", "since", "states",
    )  # fmt: skip

    def __init__(self, frame: Frame, key: Key, name: str) -> None:
        self.frame = frame
        self.key = key
        self.name = name
        self.hours: dict[int, Hour] = {}
        self.history: History | None = None
        self.head: int | None = None
        self.since = frame.dropped_until
        self.dirty: int | None = None
        self.judged: int | None = None
        self.states: list[tuple[int, State]] | None = None
        self.published: tuple[Published, ...] = ()
        self.noted: dict[str, int] | None = None
        self.changed = True
        self.recent = Recent(frame.size, frame.rule.counting.per_author, frame.rule.counting.per_source)
        self._stale: int | None = None
        self.foreseen: dict[tuple[int, int], tuple[float, ...]] | None = None
        self._settled = -(1 << 40)

    @property
    def changed(self) -> bool:
        """Whether what is saved of it beside votes and sums must be saved."""
        return self.name in self.frame.headers

    @changed.setter
    def changed(self, value: bool) -> None:
        (self.frame.headers.add if value else self.frame.headers.discard)(self.name)

    @property
    def state(self) -> State:
        """Where the fold stands."""
        return self.states[-1][1] if self.states else IDLE

    @property
    def horizon(self) -> int:
        """Votes before this minute come too late."""
        return -(1 << 40) if self.head is None else self.head - self.frame.lateness

    @property
    def known_since(self) -> int:
        """Minute since which the counts are complete."""
        first = self.frame.known_since
        assert first is not None
        return first if self.since is None else max(first, self.since)

    def _settled_by(self, head: int) -> int:
        """Hours before this one are settled when the newest vote is of minute `head`."""
        return (head - head % _MINUTES - self.frame.kept) // _MINUTES + self.frame.context

    def add(self, packed: Packed) -> Ignored | None:
        """Count a vote; why not, if it was not."""
        frame, minute, head = self.frame, packed.minute, self.head
        if head is not None and minute < head - frame.lateness:
            return Ignored.LATE
        number = minute // _MINUTES
        hour = self.hours.get(number)
        if hour is None:
            day = number // 24
            new_day = not any(other // 24 == day for other in reversed(self.hours))
            hour = self.hours[number] = Hour()
        else:
            identity = packed.id
            if hour.full_for(identity):
                return Ignored.CROWDED
            if hour.knows(identity):
                return Ignored.REDELIVERED
            new_day = False
        parts = frame.touched[self.name]
        if hour.add(packed.vote):
            parts.update((number, part) for part in range(hour.parts + 1))
        else:
            parts.add((number, (len(hour) - 1) // PART))
        if len(hour.votes) >= _FULL:
            self.recent.crowd((number + 1) * _MINUTES // frame.hop)
        if (packed.negative or frame.shows_all) and hour.keep(packed.kept):
            frame.kept_touched.add((self.name, number))
        frame.world.add(packed, new_day)
        hop = minute // frame.hop
        if self.dirty is None or hop < self.dirty:
            self.dirty = hop
        if self._stale is None or number < self._stale:
            self._stale = number
        self.recent.add(
            hop,
            packed.scored,
            packed.negative,
            packed.score,
            packed.family,
            packed.author,
            packed.source,
        )
        if self.foreseen is not None and any(number < mark // _MINUTES for mark, _ in self.foreseen):
            self.foreseen = None
        if head is None:
            self.head = minute
            self._settled = self._settled_by(minute)
        elif minute > head:
            self.head = minute
            if head // _MINUTES != number:
                self._close(head // _MINUTES)
        return None

    def pass_over(self, now: int) -> bool:
        """Whether there is nothing to judge but windows that are not worth a look; see `streams.alerts.glance`."""
        return pass_over(self, now)

    def rules_out(self, hop: int, value: float) -> bool:
        """Whether the window that ends with `hop` is ordinary at first sight; see `streams.alerts.glance`."""
        return rules_out(self, hop, value)

    # --- what votes weigh -----------------------------------------------------------------------------------------

    def _close(self, before: int) -> None:
        """Turn hours that no window shows any more into sums; settle those that lose what decides about them."""
        assert self.head is not None
        frame = self.frame
        oldest = (self.head - self.head % _MINUTES - frame.kept) // _MINUTES
        settled = self._settled_by(self.head)
        for number in sorted([number for number in self.hours if self._settled <= number < settled]):
            self._settle_weights(number)
        self._settled = settled
        for number in sorted([number for number in self.hours if number < oldest]):
            hour = self.hours.pop(number)
            if hour.sums is None:
                sums = settled_sums(hour, frame.rule.counting.copy_weight)
            else:
                sums = Tally(*(float(value) for value in hour.sums.sum(axis=0)))
            if frame.baseline:
                if self.history is None:
                    self.history = History()
                self.history.add(number, sums)
                frame.days_touched.add((self.name, number // 24))
            frame.touched[self.name].update((number, part) for part in range(hour.parts))
            frame.kept_touched.add((self.name, number))
        if self.history is not None and self.head // 1440 != before // 24:
            frame.days_touched.update((self.name, day) for day in self.history.forget((self.head - frame.history) // _MINUTES))

    def _settle_weights(self, number: int) -> None:
        hour = self.hours[number]
        if hour.votes[-1] & Flag.SETTLED:
            return
        if self._is_stale(number):
            if self._all_count(number):
                return
            self.weigh()
        assert hour.weights is not None
        assert hour.capped is not None
        if bool((hour.weights == 1.0).all()):
            return
        flags = np.where(hour.capped, Flag.CAPPED, np.where(hour.weights < 1.0, Flag.MUTED, 0)).astype(np.uint8)
        hour.settle(flags)
        self.frame.touched[self.name].update((number, part) for part in range(hour.parts + 1))

    def _is_stale(self, number: int) -> bool:
        return self._stale is not None and number >= self._stale

    def _all_count(self, number: int) -> bool:
        """Whether every vote of an hour certainly weighs one: found without numpy, for the many keys with few votes."""
        counting = self.frame.rule.counting
        around = [hour for other in range(number - self.frame.context, number + 1) if (hour := self.hours.get(other))]
        if any(hour.copies for hour in around):
            return False
        rows = sum(len(hour) for hour in around)
        caps = [(cap, place) for cap, place in ((counting.per_author, 4), (counting.per_source, 5)) if cap and rows > cap]
        if not caps or rows > _FEW:
            return not caps
        votes = [vote for hour in around for vote in hour.plain()]
        counts = [(cap, Counter(vote[place] for vote in votes if vote[place])) for cap, place in caps]
        return all(max(count.values(), default=0) <= cap for cap, count in counts)

    def weigh(self) -> None:
        """Decide what every vote weighs whose weight may have changed."""
        frame, hours = self.frame, self.hours
        first, self._stale = self._stale, None
        if first is None:
            return
        if self._nothing_doubtful(first):
            self._count_whole(first)
            return
        counting = frame.rule.counting
        wanted = sorted(number for number in hours if number >= first)
        while wanted and wanted[0] < self._settled:
            number = wanted.pop(0)
            rows = hours[number].rows()
            sum_weighed(hours[number], rows, settled_weights(rows, counting), frame.hop, counting.copy_weight)
        if not wanted:
            return
        context = [number for number in sorted(hours) if wanted[0] - frame.context <= number < wanted[0]]
        minutes, rows, ends = self._join([*context, *wanted])
        weights, capped = [hours[number].weights for number in context], [hours[number].capped for number in context]
        known = Weights(
            np.concatenate([item for item in weights if item is not None] or [np.empty(0)]),
            np.concatenate([item for item in capped if item is not None] or [np.empty(0, dtype=np.bool_)]),
        )
        result = weigh(minutes, rows, known, counting, frame.window)
        place = len(known.weight)
        for number, end in zip(wanted, ends[len(context) :], strict=True):
            found = Weights(result.weight[place:end], result.capped[place:end])
            sum_weighed(hours[number], rows[place:end], found, frame.hop, counting.copy_weight)
            place = end

    def _nothing_doubtful(self, first: int) -> bool:
        """Whether every vote from hour `first` on certainly weighs one, and is counted in `recent`: the usual case."""
        frame, recent = self.frame, self.recent
        newest = recent.newest
        if first < self._settled or first * _MINUTES < (newest + 1) * frame.hop - frame.window or recent.doubtful(newest):
            return False
        return recent.covers(first * _MINUTES // frame.hop)

    def _from(self, first: int) -> range:
        """Hours from `first` to the newest one."""
        assert self.head is not None
        return range(first, self.head // _MINUTES + 1)

    def _count_whole(self, first: int) -> None:
        """Take the sums of the hours from `first` on, in which every vote weighs one."""
        hops = _MINUTES // self.frame.hop
        for number in self._from(first):
            hour = self.hours.get(number)
            if hour is None:
                continue
            first_hop = number * hops
            each = self.recent.each(first_hop, first_hop + hops - 1)
            sum_whole(hour, [(hop - first_hop, sums) for hop, sums in each], hops)

    def _join(self, numbers: list[int]) -> tuple[NDArray[np.int64], Votes, list[int]]:
        """Votes of these hours: their minutes, the rows, and where each hour ends."""
        blocks = [self.hours[number].packed() for number in numbers]
        # By bytes: numpy takes thirty times as long to join rows of a structured type.
        rows: Votes = np.frombuffer(b"".join(blocks), dtype=VOTE)
        lengths = [len(block) // SIZE for block in blocks]
        minutes = np.repeat(np.array(numbers, dtype=np.int64) * _MINUTES, lengths) + rows["minute"]
        return minutes, rows, list(accumulate(lengths))

    # --- what a window shows --------------------------------------------------------------------------------------

    def buckets(self, first: int, count: int) -> NDArray[np.float64]:
        """Weighted sums of `count` hops from hop `first` on; shape (count, 4). Votes must be weighed."""
        hops = _MINUTES // self.frame.hop
        out = np.zeros((count, 4))
        hours = self.hours
        for number in range(first // hops, (first + count - 1) // hops + 1):
            hour = hours.get(number)
            if hour is None or hour.sums is None:
                continue
            if hops == 1:
                out[number - first] = hour.total
                continue
            start = number * hops - first
            low, high = max(0, start), min(count, start + hops)
            out[low:high] = hour.sums[low - start : high - start]
        return out

    def hourly(self, first: int, count: int) -> NDArray[np.float64]:
        """Weighted sums of `count` hours from hour `first` on; shape (count, 4). Votes must be weighed."""
        out = np.zeros((count, 4))
        if self.history is not None and count:
            self.history.fill(out, first)
        for number, hour in self.hours.items():
            if first <= number < first + count and hour.total is not None:
                out[number - first] = hour.total
        return out

    def window(self, start: int, end: int) -> Window:
        """Votes of the minutes [start, end), hour by hour. Votes must be weighed."""
        numbers = [number for number in range(start // _MINUTES, (end - 1) // _MINUTES + 1) if number in self.hours]
        if not numbers:
            return Window(np.empty(0, dtype=np.int64), np.empty(0, dtype=VOTE), np.empty(0), np.empty(0, dtype=np.bool_))
        minutes, rows, _ = self._join(numbers)
        weights = np.concatenate([weights for number in numbers if (weights := self.hours[number].weights) is not None])
        capped = np.concatenate([capped for number in numbers if (capped := self.hours[number].capped) is not None])
        inside = (minutes >= start) & (minutes < end)
        return Window(minutes[inside], rows[inside], weights[inside], capped[inside])

    def hops_with_votes(self, first: int) -> list[int]:
        """Hops from `first` on that hold a vote, ascending."""
        hops = _MINUTES // self.frame.hop
        if self.recent.covers(first):
            return self.recent.hops(first)
        found: set[int] = set()
        for number, hour in self.hours.items():
            if number >= first // hops:
                found.update(number * hops + place for place in set((hour.rows()["minute"] // self.frame.hop).tolist()))
        return sorted(hop for hop in found if hop >= first)

    def move(self, frame: Frame) -> None:
        """Go on under the thresholds of another version of the rule."""
        self.frame = frame
        for hour in self.hours.values():
            hour.weights = hour.sums = None
        self.restored()
        if self.head is not None:
            self.dirty = self.head // frame.hop

    def restored(self) -> None:
        """Take up what was saved: recount what only serves speed."""
        if not self.hours:
            return
        self._stale, self.foreseen = min(self.hours), None
        newest = max(self.hours)
        minutes = [int(self.hours[newest].rows()["minute"].max())]
        self.head = max(newest * _MINUTES + minutes[0], self.head or 0)
        self._settled = self._settled_by(self.head)
        self.recent = Recent(self.frame.size, self.frame.rule.counting.per_author, self.frame.rule.counting.per_source)
        for number in sorted(self.hours):
            if len(self.hours[number].votes) >= _FULL:
                self.recent.crowd((number + 1) * _MINUTES // self.frame.hop)
            for minute, flags, score, family, author, source in self.hours[number].plain():
                self.recent.add(
                    (number * _MINUTES + minute) // self.frame.hop,
                    bool(flags & Flag.SCORED),
                    bool(flags & Flag.NEGATIVE),
                    score,
                    family,
                    author,
                    source,
                )
        if not self.frame.eager:
            # It may have waited for the end of its hop. Judged again it says the same.
            self.dirty = self.head // self.frame.hop
        if self.states:
            self.judged = self.states[-1][0] // self.frame.hop - 2
