"""The state of a watch as small entries, so that a batch rewrites only what it touched.

    rule|<rule>|meta                         JSON: version, meaning of the counts, since when the stream is known
    rule|<rule>|key|<key>                    name, state of the episodes, what was told, last decisions
    rule|<rule>|day|<day>|<key>              sums of closed hours
    rule|<rule>|kept|<hour>|<key>            documents that people can read
    rule|<rule>|votes|<hour>.<part>|<key>    up to 256 votes
    rule|<rule>|world|<day>                  sums of all keys

Hours and days count from 1970-01-01 UTC. What is written first must suffice for what is written later: a store that is cut
off between two entries has the alert and the episode before the votes that caused it, and the redelivered votes find the
episode already told. The sums of all keys come last; of a save that is cut off there they may miss a batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import structlog

from streams.alerts.fold import Published, State
from streams.alerts.history import History
from streams.alerts.tracker import Tracker
from streams.alerts.votes import PART, VOTE, Hour, Kept
from streams.alerts.watch import Watch
from streams.documents import Key
from streams.errors import BellwetherError

__all__ = ["PREFIX", "VERSION", "entries_of", "restore", "take_changes"]

VERSION = 2
PREFIX = "rule|"

log = structlog.get_logger(__name__)


class _Header(msgspec.Struct, array_like=True):
    """What is saved of a key beside its votes."""

    kind: str
    value: str
    name: str
    since: int | None
    states: list[tuple[int, State]] | None
    published: tuple[Published, ...]
    noted: dict[str, int] | None


_HEADER = msgspec.msgpack.Decoder(_Header)
_KEPT = msgspec.msgpack.Decoder(list[Kept])
_encode = msgspec.msgpack.Encoder().encode


def _header(tracker: Tracker) -> bytes:
    key = tracker.key
    return _encode(_Header(key.kind, key.value, key.name, tracker.since, tracker.states, tracker.published, tracker.noted))


def take_changes(watch: Watch) -> dict[str, bytes | None]:
    """Entries to save since the last call, in the order in which they must be written; None deletes."""
    frame, place = watch.frame, f"{PREFIX}{watch.rule.name}|"
    changes: dict[str, bytes | None] = {}
    for name, (parts, kept, days) in watch.evicted.items():
        if name not in watch.trackers:
            changes[f"{place}key|{name}"] = None
        changes.update({f"{place}votes|{hour}.{part}|{name}": None for hour, part in parts})
        changes.update({f"{place}kept|{hour}|{name}": None for hour in kept})
        changes.update({f"{place}day|{day}|{name}": None for day in days})
    for name in sorted(frame.headers):
        changes[f"{place}key|{name}"] = _header(watch.trackers[name])
    for name, day in sorted(frame.days_touched):
        known = watch.trackers.get(name)
        changes[f"{place}day|{day}|{name}"] = (known.history.day(day) if known and known.history else b"") or None
    for name, hour in sorted(frame.kept_touched):
        known = watch.trackers.get(name)
        found = known.hours.get(hour) if known else None
        changes[f"{place}kept|{hour}|{name}"] = _encode(found.kept) if found and found.kept else None
    for name in sorted(frame.touched):
        hours = watch.trackers[name].hours if name in watch.trackers else {}
        for hour, part in sorted(frame.touched[name]):
            found = hours.get(hour)
            changes[f"{place}votes|{hour}.{part}|{name}"] = found.part(part) if found and part < found.parts else None
    for day in watch.world_gone:
        changes[f"{place}world|{day}"] = None
    for day, value in frame.world.changes().items():
        changes[f"{place}world|{day}"] = value
    if changes:
        meta = {"v": VERSION, "meaning": frame.meaning, "known_since": frame.known_since, "dropped_until": frame.dropped_until}
        changes = {f"{place}meta": json.dumps(meta).encode(), **changes}
    watch.evicted.clear()
    watch.world_gone.clear()
    frame.headers.clear()
    frame.days_touched.clear()
    frame.kept_touched.clear()
    frame.touched.clear()
    return changes


def entries_of(name: str, saved: Mapping[str, bytes]) -> dict[str, bytes]:
    """Entries of the rule `name`, without what stands before their kind."""
    place = f"{PREFIX}{name}|"
    return {entry.removeprefix(place): value for entry, value in saved.items() if entry.startswith(place)}


def restore(watch: Watch, entries: Mapping[str, bytes]) -> bool:
    """Fill a new `watch` from its entries; False where its rule counts something else now, and begins anew.

    Raises:
        BellwetherError: an entry cannot be read, or was written by a newer version.
    """
    if not entries:
        return True
    frame = watch.frame
    try:
        if "meta" in entries:
            meta = _meta(json.loads(entries["meta"]))
            if meta["meaning"] != frame.meaning:
                return False
            frame.known_since, frame.dropped_until = meta["known_since"], meta["dropped_until"]
        for name, value in entries.items():
            kind, _, rest = name.partition("|")
            if kind == "key":
                header = _HEADER.decode(value)
                key = Key(kind=header.kind, value=header.value, name=header.name)
                tracker = watch.trackers[rest] = Tracker(frame, key, rest)
                tracker.since, tracker.states, tracker.published = header.since, header.states, header.published
                tracker.noted, tracker.changed = header.noted, False
        _restore_history(watch, entries)
        _restore_votes(watch, entries)
        frame.world.restore({int(name[6:]): value for name, value in entries.items() if name.startswith("world|")})
    except (ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise BellwetherError(
            f"watch state of rule {watch.rule.name} cannot be read: {error}", mend="delete the saved state to begin anew"
        ) from error
    watch.restored()
    return True


def _meta(found: Any) -> Any:
    if found["v"] > VERSION:
        raise BellwetherError(
            f"watch state has version {found['v']}, this release reads {VERSION}",
            mend="run the release that wrote it, or delete the saved state to begin anew",
        )
    return found


def _restore_history(watch: Watch, entries: Mapping[str, bytes]) -> None:
    days: dict[str, list[tuple[int, bytes]]] = {}
    for name, value in entries.items():
        if name.startswith("day|"):
            _, day, key = name.split("|", 2)
            days.setdefault(key, []).append((int(day), value))
    for key, found in days.items():
        if key in watch.trackers:
            watch.trackers[key].history = History(b"".join(value for _, value in sorted(found)))


def _restore_votes(watch: Watch, entries: Mapping[str, bytes]) -> None:
    parts: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
    for name, value in entries.items():
        if name.startswith("votes|"):
            _, place, key = name.split("|", 2)
            hour, _, part = place.partition(".")
            parts.setdefault((key, int(hour)), []).append((int(part), value))
    for (key, number), found in sorted(parts.items()):
        tracker = watch.trackers.get(key)
        if tracker is None or (tracker.history is not None and tracker.history.holds(number)):
            # The key or the hour was closed, and the deletion of its votes was cut off.
            watch.frame.touched[key].update((number, part) for part, _ in found)
            continue
        restored = tracker.hours[number] = Hour()
        rows = np.frombuffer(b"".join(value for _, value in sorted(found)), dtype=VOTE)
        _, first = np.unique(rows["id"], return_index=True)  # a cut-off save may have moved a vote and left it as well
        for vote in rows[np.sort(first)]:
            restored.add(vote.tobytes())
        if len(first) != len(rows):
            watch.frame.touched[key].update((number, part) for part in range(len(rows) // PART + 1))
        kept = entries.get(f"kept|{number}|{key}")
        restored.kept = _KEPT.decode(kept) if kept is not None else None
