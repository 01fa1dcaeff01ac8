"""The desk's book: its cases and digests, when to look at them again, and how they are written down.

    desk|meta                {"v": 1, "now": minute, "serial": digests so far}
    desk|silence|<id>        the silence, as JSON
    desk|ack|<target>        the acknowledgement, as JSON
    desk|storm|<circle>      minutes of the latest notices
    desk|alert|<id>          the alert of a case, the last notice of a digest: deflated JSON
    desk|digest|<id>         a digest, without its members
    desk|case|<id>           the case

What is written first suffices for what is written later: a case without its alert is never there. Where a store is cut off
between the entries, a digest may lack members and a case may be missing: the documents behind them come once more, and
what is told again has the id and number that it had.
"""

from __future__ import annotations

import heapq
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from streams.alerts.life.acknowledgements import Acknowledgements
from streams.alerts.life.cases import Case
from streams.alerts.life.commands import Acknowledge, Silence
from streams.alerts.life.grouping import Digest
from streams.alerts.life.silences import Silences
from streams.alerts.life.storm import Storm
from streams.alerts.rules.model import Rule
from streams.errors import BellwetherError

__all__ = ["VERSION", "Book", "silences_of"]

VERSION = 1
_OWNER = "desk|"


class Book:
    """Everything that the desk remembers.

    Attributes:
        now: newest minute of event time that it was told of.
        rules: by name.
        serial: digests that there have been; it tells two of the same minute apart.
        cases, digests: by id.
        keys: cases about a key. entities: those about an entity. held: those that another alert holds. suspected: those that an
            entity could explain.
    """

    def __init__(self, storm: Storm) -> None:
        self.now = 0
        self.serial = 0
        self.rules: dict[str, Rule] = {}
        self.cases: dict[str, Case] = {}
        self.digests: dict[str, Digest] = {}
        self.silences = Silences()
        self.acknowledgements = Acknowledgements()
        self.storm = storm
        self.keys: defaultdict[str, set[str]] = defaultdict(set)
        self.entities: defaultdict[str, set[str]] = defaultdict(set)
        self.held: defaultdict[str, set[str]] = defaultdict(set)
        self.suspected: defaultdict[str, set[str]] = defaultdict(set)
        self._wakes: list[tuple[int, str]] = []
        self._touched: dict[str, None] = {}
        self._repacked: set[str] = set()
        self._gone: dict[str, None] = {}
        self._saved: tuple[int, int] | None = None

    def add(self, case: Case) -> None:
        """Take a case in."""
        self.cases[case.id] = case
        self._gone.pop(case.id, None)
        self.keys[str(case.key)].add(case.id)
        if case.entity is not None:
            self.entities[case.entity].add(case.id)
        self.index(case)
        self.touch(case, repacked=True)

    def index(self, case: Case) -> None:
        """Its suspicion is new."""
        for suspect in case.suspicion.suspects:
            self.suspected[suspect.entity].add(case.id)

    def unindex(self, case: Case) -> None:
        """Its suspicion is about to be replaced."""
        for suspect in case.suspicion.suspects:
            _discard(self.suspected, suspect.entity, case.id)

    def hold(self, case: Case, entity: str) -> None:
        """`case` is held because of `entity`, or of a rule (`streams.alerts.life.cases.by_rule`); empty: it no longer is."""
        if case.held_by:
            _discard(self.held, case.held_by, case.id)
        case.held_by = entity
        if entity:
            self.held[entity].add(case.id)

    def remove(self, case: Case) -> None:
        """Forget a case."""
        self.hold(case, "")
        self.unindex(case)
        _discard(self.keys, str(case.key), case.id)
        if case.entity is not None:
            _discard(self.entities, case.entity, case.id)
        digest = self.digests.get(case.digest)
        if digest is not None:
            digest.members.discard(case.id)
            digest.open_members -= case.open
        del self.cases[case.id]
        self._touched.pop(case.id, None)
        self._gone[case.id] = None

    def close(self, digest: Digest) -> None:
        """Forget a digest; its members stand alone from now on."""
        for id in digest.members:
            self.cases[id].digest = ""
            self.touch(self.cases[id])
        del self.digests[digest.id]
        self._touched.pop(digest.id, None)
        self._gone[digest.id] = None

    def touch(self, item: Case | Digest, *, repacked: bool = False) -> None:
        """It changed, and must be written; `repacked`: its alert did too."""
        self._touched[item.id] = None
        if repacked:
            self._repacked.add(item.id)

    def expire(self) -> None:
        """Forget silences and acknowledgements that are over."""
        self.silences.expire(self.now)
        self.acknowledgements.expire(self.now)

    def wake(self, item: Case | Digest, minute: int | None) -> None:
        """Look at it again at `minute`; None: not by itself."""
        if item.wake != minute:
            item.wake = minute
            if minute is not None:
                heapq.heappush(self._wakes, (minute, item.id))

    def woken(self, until: int) -> Iterator[tuple[int, list[Case], list[Digest]]]:
        """What wants to be looked at up to minute `until`, minute by minute."""
        while self._wakes and self._wakes[0][0] <= until:
            minute = self._wakes[0][0]
            cases: list[Case] = []
            digests: list[Digest] = []
            while self._wakes and self._wakes[0][0] == minute:
                _, id = heapq.heappop(self._wakes)
                case, digest = self.cases.get(id), self.digests.get(id)
                if case is not None and case.wake == minute:
                    case.wake = None
                    cases.append(case)
                if digest is not None and digest.wake == minute:
                    digest.wake = None
                    digests.append(digest)
            yield minute, cases, digests

    def changes(self) -> dict[str, bytes | None]:
        """Entries to save since the last call, in the order in which they must be written; None deletes."""
        changes: dict[str, bytes | None] = {}
        if (self.now, self.serial) != self._saved:
            changes["desk|meta"] = json.dumps({"v": VERSION, "now": self.now, "serial": self.serial}).encode()
            self._saved = self.now, self.serial
        for id in sorted(self.silences.changed):
            silence = self.silences.get(id)
            changes[f"desk|silence|{id}"] = silence.model_dump_json().encode() if silence else None
        for target in sorted(self.acknowledgements.changed):
            known = self.acknowledgements.get(target)
            changes[f"desk|ack|{target}"] = known.model_dump_json().encode() if known else None
        for circle in sorted(self.storm.changed):
            changes[f"desk|storm|{circle}"] = json.dumps(self.storm.minutes(circle)).encode()
        for kind, items in (("digest", self.digests), ("case", self.cases)):
            for id in self._touched:
                item = items.get(id)
                if item is not None:
                    if id in self._repacked:
                        changes[f"desk|alert|{id}"] = item.packed
                    changes[f"desk|{kind}|{id}"] = item.header()
        for id in self._gone:
            changes.update({f"desk|case|{id}": None, f"desk|alert|{id}": None, f"desk|digest|{id}": None})
        for taken in (self.silences.changed, self.acknowledgements.changed, self.storm.changed, self._repacked):
            taken.clear()
        self._touched.clear()
        self._gone.clear()
        return changes

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Fill a new book from the entries named ``desk|…``; those of others are left alone.

        Raises:
            BellwetherError: an entry cannot be read, or was written by a newer version.
        """
        for name, value in saved.items():
            if not name.startswith(_OWNER):
                continue
            kind, _, id = name.removeprefix(_OWNER).partition("|")
            try:
                self._recall(kind, id, value, saved)
            except (ValueError, KeyError, TypeError, zlib.error, ValidationError) as error:
                raise BellwetherError(f"alert state: entry {name} cannot be read", mend="delete the saved state to begin anew") from error
        for case in self.cases.values():
            digest = self.digests.get(case.digest)
            if digest is not None:
                digest.members.add(case.id)
                digest.open_members += case.open
            elif case.digest:
                case.digest = ""
        for taken in (self.silences.changed, self.acknowledgements.changed, self._touched, self._repacked):
            taken.clear()

    def _recall(self, kind: str, id: str, value: bytes, saved: Mapping[str, bytes]) -> None:
        if kind == "meta":
            found = _read(value)
            self.now, self.serial = self._saved = found["now"], found["serial"]
        elif kind == "silence":
            self.silences.add(Silence.model_validate_json(value))
        elif kind == "ack":
            self.acknowledgements.add(Acknowledge.model_validate_json(value))
        elif kind == "storm":
            self.storm.recall(id, json.loads(value))
        elif kind == "digest":
            self.digests[id] = Digest.of_header(id, _read(value), saved.get(f"desk|alert|{id}", b""))
        elif kind == "case":
            case = Case.of_header(id, _read(value), saved[f"desk|alert|{id}"])
            self.add(case)
            self.hold(case, case.held_by)


def silences_of(saved: Mapping[str, bytes]) -> list[Silence]:
    """The silences among the entries of a saved state, whoever else's entries are there; the one that ends first comes first.

    Raises:
        BellwetherError: one of them cannot be read.
    """
    found = []
    for name, value in saved.items():
        if name.startswith(f"{_OWNER}silence|"):
            try:
                found.append(Silence.model_validate_json(value))
            except ValidationError as error:
                raise BellwetherError(f"alert state: entry {name} cannot be read", mend="delete the saved state to begin anew") from error
    return sorted(found, key=lambda each: (each.ends_at, each.id))


def _read(value: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(value)
    if found.pop("v") != VERSION:
        raise ValueError("written by another version")
    return found


def _discard(index: defaultdict[str, set[str]], entity: str, id: str) -> None:
    index[entity].discard(id)
    if not index[entity]:
        del index[entity]
