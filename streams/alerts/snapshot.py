"""The state of a watch as small JSON entries, so that a batch rewrites only what it touched.

    <rule>|meta                         {"v": 1, "first": minute}
    <rule>|source|<source>              newest minute
    <rule>|key|<key>                    name, counts of old hours, episode, last decisions
    <rule>|votes|<hour>.<part>|<key>    up to 256 votes

Minutes and hours count from 1970-01-01 UTC. What is written first must suffice for what is written later: a store that
is cut off between two entries has the alert before the vote that caused it, and the redelivered vote fires no second one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streams.alerts.episode import Episode, KeyState
from streams.alerts.watch import Watch
from streams.alerts.windows import PART, KeyWindow, Vote
from streams.documents import Key
from streams.errors import BellwetherError

__all__ = ["VERSION", "restore", "take_changes"]

VERSION = 1


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _header(state: KeyState) -> bytes:
    episode = state.episode
    return _dump(
        {
            "v": VERSION,
            "name": state.key.name,
            "hours": state.window.compacted(),
            "episode": [episode.start, episode.share, episode.expected, episode.firing] if episode else None,
            "noted": state.noted,
        }
    )


def _votes(rule: str, key: str, hour: int, part: int) -> str:
    return f"{rule}|votes|{hour}.{part}|{key}"


def take_changes(watch: Watch) -> dict[str, bytes | None]:
    """Entries to save since the last call, in the order in which they must be written; None deletes."""
    rule = watch.rule.name
    changes: dict[str, bytes | None] = {}
    for key, parts in watch.evicted.items():
        changes[f"{rule}|key|{key}"] = None
        for hour, count in parts:
            changes.update({_votes(rule, key, hour, part): None for part in range(count)})
    changes.update({f"{rule}|source|{source}": None for source in watch.silent})
    touched = [(key, watch.keys[key]) for key in sorted(watch.touched | watch.changed) if key in watch.keys]
    if touched or watch.clock.dirty:
        changes[f"{rule}|meta"] = _dump({"v": VERSION, "first": watch.clock.first})
    for key, state in touched:
        if key in watch.changed or state.window.dropped:
            changes[f"{rule}|key|{key}"] = _header(state)
    for key, state in touched:
        window = state.window
        for hour, part in sorted(window.changed):
            held = window.hours.get(hour)
            if held is not None and held.votes:
                votes = held.votes[part * PART : (part + 1) * PART]
                changes[_votes(rule, key, hour, part)] = _dump([[*vote, window.counted(vote)] for vote in votes])
        for hour, count in window.dropped:
            changes.update({_votes(rule, key, hour, part): None for part in range(count)})
        window.changed.clear()
        window.dropped.clear()
    changes.update({f"{rule}|source|{source}": _dump(watch.clock.sources[source]) for source in sorted(watch.clock.dirty)})
    watch.clock.dirty.clear()
    watch.changed.clear()
    watch.touched.clear()
    watch.evicted.clear()
    watch.silent.clear()
    return changes


def restore(watch: Watch, saved: Mapping[str, bytes]) -> None:
    """Fill a new `watch` from its entries in `saved`; entries of others are left alone.

    Raises:
        BellwetherError: an entry cannot be read, or was written by a newer version.
    """
    rule = watch.rule.name
    states: dict[str, KeyState] = {}
    parts: list[tuple[str, int, int, str]] = []
    for name, value in saved.items():
        owner, _, rest = name.partition("|")
        if owner != rule:
            continue
        kind, _, key = rest.partition("|")
        if kind == "meta":
            watch.clock.first = _load(name, value)["first"]
        elif kind == "source":
            watch.clock.advance(key, _load(name, value))
        elif kind == "key":
            states[key] = _state(watch, key, _load(name, value))
        elif kind == "votes":
            place, _, owner = key.partition("|")
            number, _, part = place.partition(".")
            parts.append((owner, int(number), int(part), name))
    seen: dict[str, Vote] = {}
    for key, hour, _, name in sorted(parts):
        state = states.get(key)
        if state is None or (hour in state.window.hours and not state.window.hours[hour].votes):
            continue  # the key or the hour was closed, and the deletion of its votes was cut off
        for *fields, counted in _load(name, saved[name]):
            vote = Vote._make([*fields[:7], tuple(fields[7]), *fields[8:]])
            if not state.window.knows(vote):
                state.window.recall_vote(seen.setdefault(vote.id, vote), counted)
    for key, state in states.items():
        watch.adopt(key, state)


def _load(name: str, value: bytes) -> Any:
    try:
        found = json.loads(value)
    except ValueError as error:
        raise BellwetherError(f"watch state: entry {name} is not JSON", mend="delete the saved state to begin anew") from error
    if isinstance(found, dict) and found.get("v") != VERSION:
        raise BellwetherError(
            f"watch state: entry {name} has version {found.get('v')}, this release reads {VERSION}",
            mend="run the release that wrote it, or delete the saved state to begin anew",
        )
    return found


def _state(watch: Watch, key: str, header: Mapping[str, Any]) -> KeyState:
    kind, _, value = key.partition(":")
    window = KeyWindow(watch.span)
    window.recall([(hour, documents, negative) for hour, documents, negative in header["hours"]])
    episode = Episode(*header["episode"]) if header["episode"] else None
    return KeyState(Key.model_validate({"kind": kind, "value": value, "name": header["name"]}), window, episode, dict(header["noted"]))
