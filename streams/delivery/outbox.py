"""The outbox: every message that a channel has not had yet, in a form that survives a kill. Plain Python, no clock.

State entries, all of which begin with ``delivery``:

    delivery-alert|<message id>          the alert, as long as a channel waits for it
    delivery|<message id>|<channel>      attempts so far, when the next is due, the last error; or when it was done
    delivery-off|<channel>               since when the channel is off, and what it led to

An alert is written before what refers to it. What is done is remembered for a while: an alert that comes again after a
crash is not sent again.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence

import structlog
from pydantic import ValidationError

from streams.delivery.queue import ENTRY, Entry, Queue
from streams.documents import Alert

__all__ = ["CAPACITY", "DELIVERY_STATE", "REMEMBERED", "Outbox", "message_id"]

CAPACITY = 10_000
"""Messages that may wait for one channel."""

REMEMBERED = 1_024
"""Messages of all channels that are remembered as done."""

DELIVERY_STATE = "delivery"
"""Begin of the names of all entries of the outbox."""

_ALERT, _OFF = f"{DELIVERY_STATE}-alert|", f"{DELIVERY_STATE}-off|"

log = structlog.get_logger(__name__)


def message_id(alert: Alert) -> str:
    """``webhook-id`` of an alert's notice: the same for every try, another one for every notice and every resending. Holds no dot."""
    again = "" if alert.resent_at is None else f"-{alert.resent_at.timestamp() * 1000:.0f}"
    return f"{alert.id}-{alert.revision}-{alert.status.value}{again}"


class Outbox:
    """Messages that wait, by channel.

    Args:
        capacity: messages that may wait for one channel.
        remembered: messages that are remembered as done.
    """

    def __init__(self, capacity: int = CAPACITY, remembered: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._remembered = remembered
        self._queues: dict[str, Queue] = {}
        self._alerts: dict[str, Alert] = {}
        self._waiting: Counter[str] = Counter()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._done: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._off: dict[str, tuple[str, float]] = {}
        self._sequence = 0
        self._changes: dict[str, bytes | None] = {}

    def put(self, alert: Alert, channels: Sequence[str], origin: str, now: float) -> list[tuple[Entry, Alert]]:
        """Take `alert` for `channels`. For a channel that waits for it or has had it nothing changes.

        Returns:
            What had to make room: the oldest messages of a channel that is full.
        """
        message = message_id(alert)
        fresh = [name for name in channels if (message, name) not in self._entries and (message, name) not in self._done]
        if not fresh:
            return []
        if message not in self._alerts:
            self._alerts[message] = alert
            self._note(f"{_ALERT}{message}", alert.model_dump_json().encode())
        crowded: list[tuple[Entry, Alert]] = []
        for name in fresh:
            self._sequence += 1
            entry = Entry(message, name, alert.fingerprint, self._sequence, origin, now)
            self._add(entry)
            self._note(entry.name, entry.dump())
            if len(self._queues[name]) > self._capacity:
                oldest = self._queues[name].oldest()
                crowded.append((oldest, self._alerts[oldest.message]))
                self.finish(oldest, now)
        return crowded

    def take(self, channel: str, now: float) -> tuple[Entry, Alert] | None:
        """A message that is due, the one that is due longest first; it is the caller's until `finish` or `retry`."""
        queue = self._queues.get(channel)
        entry = queue.take(now) if queue is not None else None
        return (entry, self._alerts[entry.message]) if entry is not None else None

    def next_due(self, channel: str) -> float | None:
        """When the next message that is not taken is due; None: none waits."""
        queue = self._queues.get(channel)
        return queue.next_due() if queue is not None else None

    def retry(self, entry: Entry, due: float, error: str) -> None:
        """An attempt has failed; the next one is at `due`. Nothing happens to one that had to make room meanwhile."""
        if entry in self._queues[entry.channel]:
            entry.attempts += 1
            entry.due, entry.error = due, error
            self._queues[entry.channel].back(entry)
            self._note(entry.name, entry.dump())

    def release(self, entry: Entry) -> None:
        """A message that was taken and neither finished nor put back may be taken again."""
        if entry in self._queues[entry.channel]:
            self._queues[entry.channel].back(entry)

    def holds(self, entry: Entry) -> bool:
        """Whether the message still waits, or is under way."""
        return entry in self._queues[entry.channel]

    def finish(self, entry: Entry, now: float) -> None:
        """The channel has had the message, or never will. Doing it twice changes nothing."""
        if entry not in self._queues[entry.channel]:
            return
        self._queues[entry.channel].remove(entry)
        key = (entry.message, entry.channel)
        del self._entries[key]
        self._done[key] = now
        self._note(entry.name, _json({"done": now}))
        while len(self._done) > self._remembered:
            old, _ = self._done.popitem(last=False)
            self._note(f"{ENTRY}{old[0]}|{old[1]}", None)
        self._waiting[entry.message] -= 1
        self._forget(entry.message)

    def waiting(self, channel: str) -> list[tuple[Entry, Alert]]:
        """Messages of a channel that wait, in the order in which they came; those under way too."""
        return [(entry, self._alerts[entry.message]) for entry in self._queues.get(channel, ())]

    def size(self, channel: str) -> int:
        """How many of them there are."""
        return len(self._queues.get(channel, ()))

    @property
    def channels(self) -> list[str]:
        """Channels for which a message waits."""
        return [name for name, queue in self._queues.items() if len(queue)]

    def switch_off(self, channel: str, digest: str, now: float) -> None:
        """The channel wants no more, as long as it leads to where `digest` says."""
        self._off[channel] = (digest, now)
        self._note(f"{_OFF}{channel}", _json([digest, now]))

    def is_off(self, channel: str, digest: str) -> bool:
        """Whether the channel wants no more. One that leads elsewhere now is on again."""
        found = self._off.get(channel)
        if found is None:
            return False
        if found[0] == digest:
            return True
        del self._off[channel]
        self._note(f"{_OFF}{channel}", None)
        return False

    def changes(self) -> dict[str, bytes | None]:
        """State entries to save since the last call, in the order in which they must be written; None deletes."""
        changes, self._changes = self._changes, {}
        return changes

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take up the state of an earlier run into a new outbox; entries of others are left alone.

        An entry that cannot be read is logged and deleted, and so is an alert for which nobody waits any more: a save may
        have been cut off behind it, and then whoever gave it gives it again.
        """
        entries: list[Entry] = []
        done: list[tuple[float, tuple[str, str]]] = []
        for name, value in saved.items():
            try:
                if name.startswith(_ALERT):
                    self._alerts[name.removeprefix(_ALERT)] = Alert.model_validate_json(value)
                elif name.startswith(_OFF):
                    digest, since = json.loads(value)
                    self._off[name.removeprefix(_OFF)] = (str(digest), float(since))
                elif name.startswith(ENTRY):
                    message, channel = name.removeprefix(ENTRY).rsplit("|", 1)
                    found = json.loads(value)
                    if isinstance(found, dict):
                        done.append((float(found["done"]), (message, channel)))
                    else:
                        entries.append(Entry.load(message, channel, found))
            except (ValidationError, ValueError, KeyError, TypeError) as error:
                log.exception("the outbox has an entry that cannot be read: it is dropped", entry=name, error=repr(error))
                self._note(name, None)
        self._done = OrderedDict((key, at) for at, key in sorted(done))
        for entry in sorted(entries, key=lambda entry: entry.sequence):
            self._sequence = max(self._sequence, entry.sequence)
            if entry.message in self._alerts:
                self._add(entry)
            else:
                log.error("the outbox has lost an alert", message=entry.message, channel=entry.channel)
                self._note(entry.name, None)
        for message in list(self._alerts):
            self._forget(message)

    def _add(self, entry: Entry) -> None:
        self._entries[entry.message, entry.channel] = entry
        self._queues.setdefault(entry.channel, Queue()).add(entry)
        self._waiting[entry.message] += 1

    def _forget(self, message: str) -> None:
        if not self._waiting[message]:
            del self._waiting[message], self._alerts[message]
            self._note(f"{_ALERT}{message}", None)

    def _note(self, name: str, value: bytes | None) -> None:
        # What changed again moves to its new place in the order.
        self._changes.pop(name, None)
        self._changes[name] = value


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
