"""Replays a file of JSON lines, packed or not, at its own pace or as fast as the intake takes it.

The place is saved after every batch that the intake has made durable, so that the same command goes on where it was
killed; at most the last batch is repeated. What makes it "the same": file, destination, mapping and ``--rebase``.

``--rebase now`` moves all times by one and the same amount, such that the *newest* event of the file falls on the moment
at which the replay was first begun: no event lies in the future at any speed, and intervals, order and windows stay what
they were. It takes one pass over the file beforehand. A replay that goes on keeps its amount; ``--restart`` takes a new
one. Documents whose sender gave neither id nor address have their time in their id: rebased anew, they are new documents.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from streams.errors import BellwetherError, SettingsError, TransientError
from streams.sources.contract import Batch, CursorStore, Intake
from streams.sources.lines import Line, LineFile, fingerprint
from streams.sources.mapping import FieldMapping, instant_of
from streams.sources.pace import Pace, Speed
from streams.sources.progress import ReplayProgress, ReplayReport
from streams.sources.pump import pump

__all__ = ["Replay", "ReplayProgress", "ReplayReport"]

_LINGER = 0.2
_TICK = 1.0
_AHEAD = 256


@dataclass(frozen=True, slots=True)
class _Place:
    """The last line that is durable. `shift` in microseconds; `digest` of the line, to notice a file that was rewritten."""

    number: int
    before: int
    after: int
    digest: str
    shift: int | None

    @classmethod
    def read(cls, text: str) -> _Place:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class _Event:
    line: Line
    message: bytes
    due: float


class Replay:
    """A source that reads one file once.

    Args:
        path: JSON lines, plain or gzip.
        destination: where the documents go (a part of what makes a replay the same): brokers and topic, or data folder.
        cursors: remembers the place.
        speed: ``60x``, ``max``.
        rebase: None: times stay; ``now``; or an ISO 8601 instant with a zone, on which the newest event is to fall.
        mapping: how lines become raw documents.
        restart: forget the saved place.
        batch_size: most lines that are put at once.
        batch_bytes: bytes after which a batch is put even if it is not full.
        progress: called after every batch, and every second while waiting for the next event.

    Raises:
        SettingsError: `speed` or `rebase` cannot be read.
    """

    def __init__(
        self,
        path: Path,
        *,
        destination: str,
        cursors: CursorStore,
        speed: str = "max",
        rebase: str | None = None,
        mapping: FieldMapping | None = None,
        restart: bool = False,
        batch_size: int = 500,
        batch_bytes: int = 4 * 1024 * 1024,
        progress: Callable[[ReplayProgress], None] | None = None,
    ) -> None:
        self._path = path
        self._destination = destination
        self._cursors = cursors
        self._speed = Speed.parse(speed)
        self._rebase = rebase
        self._newest_falls_on = _rebase_instant(rebase)
        self._mapping = mapping or FieldMapping()
        self._restart = restart
        self._batch_size = max(1, batch_size)
        self._batch_bytes = batch_bytes
        self._progress = progress
        self._file: LineFile | None = None
        self._key = ""
        self._place: _Place | None = None
        self._shift: timedelta | None = None
        self._events: Iterator[_Event] = iter(())
        self._ready: deque[_Event] = deque()
        self._fault: BellwetherError | None = None
        self._begun = 0.0
        self._first_byte = 0
        self._resumed_from = 0
        self._done = 0

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    async def run(
        self, intake: Intake, *, patience: float | None = 120.0, on_wait: Callable[[TransientError], None] | None = None
    ) -> ReplayReport:
        """Put everything that is left of the file.

        Args:
            intake: left open.
            patience: seconds for which a batch is offered again when the intake cannot take it; None: for ever.
            on_wait: hears of every refusal.

        Raises:
            BellwetherError: the file cannot be read (to its end); what was read before is put and remembered.
            TransientError: the intake did not take a batch within `patience`.
        """
        await pump(self, intake, patience=patience, on_wait=on_wait)
        return ReplayReport(
            lines=self._done,
            resumed_from=self._resumed_from,
            seconds=time.monotonic() - self._begun,
            shift=self._shift,
            last_line=self._place.number if self._place else 0,
        )

    async def setup(self) -> None:
        """Open the file and go to the place where the last run stopped.

        Raises:
            BellwetherError: the file cannot be read, was rewritten before that place, or has no time to rebase by.
        """
        await asyncio.to_thread(self._open)
        self._begun = time.monotonic()
        self._events = self._read(Pace(self._speed, self._begun))

    def _open(self) -> None:
        self._file = LineFile(self._path)
        options = [fingerprint(self._path), self._destination, str(self._mapping), self._rebase or ""]
        self._key = f"replay:{self._path.name}:{hashlib.sha256(json.dumps(options).encode()).hexdigest()[:24]}"
        saved = None if self._restart else self._cursors.load(self._key)
        if saved is not None:
            self._place = _Place.read(saved)
            self._return_to(self._file, self._place)
            self._shift = None if self._place.shift is None else timedelta(microseconds=self._place.shift)
        else:
            if self._newest_falls_on is not None:
                self._shift = self._newest_falls_on - self._newest()
            self._save(_Place(0, 0, 0, "", self._shift_microseconds))  # the amount stays, even if nothing is put before a kill
        self._first_byte = self._file.position
        self._resumed_from = self._place.number if self._place else 0

    @property
    def _shift_microseconds(self) -> int | None:
        return None if self._shift is None else self._shift // timedelta(microseconds=1)

    def _save(self, place: _Place) -> None:
        self._place = place
        self._cursors.save(self._key, json.dumps(asdict(place)))

    def _return_to(self, file: LineFile, place: _Place) -> None:
        if place.number == 0:
            return
        file.skip_to(place.before, place.number - 1)
        last = next(file.lines(), None)
        if last is None or _digest(last.data) != place.digest:
            raise BellwetherError(
                f"{self._path} was rewritten: its line {place.number} is no longer the one at which the replay stopped",
                mend="--restart replays it from its begin",
            )

    def _newest(self) -> datetime:
        with LineFile(self._path) as file:
            newest = max(filter(None, (self._mapping.published(line.data) for line in file.lines())), default=None)
        if newest is None:
            raise BellwetherError(
                f"{self._path}: --rebase finds no publication time with a zone",
                mend="name its field (--map published_at=…) or its zone (--zone UTC)",
            )
        return newest

    def _read(self, pace: Pace) -> Iterator[_Event]:
        if self._file is None:
            raise RuntimeError("poll before setup")
        for line in self._file.lines():
            due = self._begun if self._speed.factor is None else pace.due(self._mapping.published(line.data))
            yield _Event(line, self._mapping.apply(line.data, shift=self._shift), due)

    async def poll(self) -> Batch | None:
        """The next lines that are due, at most a batch; waits for them. None at the end of the file.

        Raises:
            BellwetherError: the file is damaged here.
        """
        taken: list[_Event] = []
        size = 0
        while len(taken) < self._batch_size and size < self._batch_bytes:
            if not self._ready and ((taken and self._fault is not None) or not await self._fill()):
                break
            wait = self._ready[0].due - time.monotonic()
            if wait > 0:
                if taken and wait > _LINGER:
                    break
                await self._sleep(wait)
                continue
            event = self._ready.popleft()
            taken.append(event)
            size += len(event.message)
        if not taken:
            return None
        return Batch(tuple(event.message for event in taken), taken[-1].line)

    async def _fill(self) -> bool:
        ahead = self._batch_size if self._speed.factor is None else min(self._batch_size, _AHEAD)
        if self._fault is None:
            await asyncio.to_thread(self._read_ahead, ahead)
        if not self._ready and self._fault is not None:
            raise self._fault
        return bool(self._ready)

    def _read_ahead(self, count: int) -> None:
        size = 0
        try:
            for event in islice(self._events, count):
                self._ready.append(event)
                size += len(event.message)
                if size >= self._batch_bytes:
                    return
        except BellwetherError as error:
            self._fault = error  # the lines before the damaged place are good: they go first

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, _TICK))
        if seconds > _TICK:
            self._tell(waiting=seconds)

    async def commit(self, batch: Batch) -> None:
        """Remember the last line of the batch."""
        line = batch.place
        if not isinstance(line, Line):
            raise TypeError("a batch of another source")
        place = _Place(line.number, line.before, line.after, _digest(line.data), self._shift_microseconds)
        await asyncio.to_thread(self._save, place)
        self._done += len(batch.messages)
        self._tell()

    def _tell(self, waiting: float = 0.0) -> None:
        if self._progress is None or self._file is None:
            return
        self._progress(
            ReplayProgress(
                lines=self._done,
                resumed_from=self._resumed_from,
                bytes_done=self._file.position,
                bytes_total=self._file.size,
                bytes_before=self._first_byte,
                seconds=time.monotonic() - self._begun,
                waiting=waiting,
            )
        )

    async def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _rebase_instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    if text.strip().lower() == "now":
        return datetime.now(UTC)
    instant = instant_of(text, None)
    if instant is None:
        raise SettingsError(f"--rebase {text}: neither now nor an instant with its zone", mend="for example --rebase now")
    return instant
