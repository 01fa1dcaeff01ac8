"""The dispatcher: takes alerts into the outbox and carries each to its channels, one lane a channel.

Lanes know nothing of each other: a receiver that is slow, dead or flooded delays its own messages only. Before anything
leaves the outbox for another reason than that it was delivered, it is a dead letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog

from streams.delivery.attempt import Attempt, Result
from streams.delivery.channels import Channel, Channels
from streams.delivery.guard import Guard
from streams.delivery.lane import Lane, Verdict
from streams.delivery.log import DeliveryLog
from streams.delivery.outbox import Outbox, message_id
from streams.delivery.queue import Entry
from streams.delivery.schedule import Clock, Schedule
from streams.delivery.sender import Sender, build_sender
from streams.documents import Alert, DeadLetter
from streams.errors import TransientError
from streams.metrics import Metrics
from streams.patience import until_it_works
from streams.state import StateStore

__all__ = ["Bury", "Dispatcher"]

Bury = Callable[[Sequence[DeadLetter]], Awaitable[None]]
BuildSender = Callable[[Channel, Guard], Sender]

_STAGE = "notify"
_LATER = 300.0

log = structlog.get_logger(__name__)


class Dispatcher:
    """Delivers alerts, whatever stops in between.

        await dispatcher.open()                      # restores the outbox
        await dispatcher.start(letters)              # begins to deliver
        await dispatcher.enqueue(alert, origin)      # on the disk when this returns

    Args:
        channels: where alerts may go.
        guard: judges addresses.
        schedule: of the attempts.
        store: where the outbox survives.
        delivery_log: hears of every attempt.
        metrics: counts.
        clock: the wall clock.
        outbox: empty.
        build: makes the sender of a channel.

    Raises:
        SettingsError: a channel's secret or address is not right.
    """

    def __init__(
        self,
        channels: Channels,
        guard: Guard,
        schedule: Schedule,
        store: StateStore,
        delivery_log: DeliveryLog,
        metrics: Metrics,
        *,
        clock: Clock | None = None,
        outbox: Outbox | None = None,
        build: BuildSender = build_sender,
    ) -> None:
        self._channels = channels
        self._guard = guard
        self._schedule = schedule
        self._store = store
        self._log = delivery_log
        self._metrics = metrics
        self._clock = clock or Clock()
        self._outbox = outbox or Outbox()
        self._build = build
        self._lanes = {name: self._lane(channel) for name, channel in channels.all.items()}
        self._changes: dict[str, bytes | None] = {}
        self._saving = asyncio.Lock()
        self._bury: Bury | None = None

    async def open(self) -> None:
        """Restore the outbox. Raises TransientError when the store is away."""
        self._outbox.restore(await self._store.load())

    async def start(self, bury: Bury) -> None:
        """Begin to deliver; messages whose channel is gone become dead letters. A second call changes only who takes those.

        Args:
            bury: takes the letters of what will never be delivered; they are safe when it returns.
        """
        self._bury = bury
        self._log.start()
        for name, lane in self._lanes.items():
            self._count(name)
            lane.start()
        gone = [found for name in self._outbox.channels if name not in self._lanes for found in self._outbox.waiting(name)]
        if gone:
            log.error("messages wait for channels that are gone", messages=len(gone))
            await bury([self._unknown(alert, entry.channel, entry.origin) for entry, alert in gone])
            for entry, _ in gone:
                self._outbox.finish(entry, self._clock.now())
            await self._save()

    async def enqueue(self, alert: Alert, origin: str) -> list[DeadLetter]:
        """Take `alert` for its channels; it is safe when this returns. What the outbox knows already is not taken again.

        Returns:
            Letters of what cannot go to one of its channels: there is none of this name, or it is full.

        Args:
            alert: what to tell.
            origin: the delivery that brought it.
        """
        channels, unknown = self._channels.of(alert)
        now = self._clock.now()
        letters = [self._unknown(alert, name, origin) for name in unknown]
        wanted: list[str] = []
        for channel in channels:
            if self._outbox.is_off(channel.name, channel.digest):
                self._note(channel, alert, Result.DISABLED, detail="the receiver has said that it wants no more (410)")
            else:
                wanted.append(channel.name)
        for entry, crowded in self._outbox.put(alert, wanted, origin, now):
            detail = "too many alerts wait for this channel: the oldest had to make room"
            self._note(self._channels.all[entry.channel], crowded, Result.OVERFLOW, detail=detail)
            letters.append(_letter(crowded, "webhook.overflow", f"channel {entry.channel}: {detail}", entry.origin))
        await self._save()
        for name in wanted:
            self._count(name)
            if name in self._lanes:  # not, where other channels came meanwhile
                self._lanes[name].wake()
        return letters

    async def configure(self, channels: Channels) -> None:
        """Go on with other channels: those that have changed are connected anew, messages of those that are gone are dead letters.

        Raises:
            SettingsError: a channel is not right; nothing has changed.
        """
        fresh = {
            name: self._lane(channel)
            for name, channel in channels.all.items()
            if name not in self._lanes or self._channels.all[name] != channel
        }
        old = [lane for name, lane in self._lanes.items() if name in fresh or name not in channels.all]
        self._lanes = {name: fresh.get(name) or self._lanes[name] for name in channels.all}
        self._channels = channels
        for lane in old:
            await lane.close()
        if self._bury is not None:
            await self.start(self._bury)

    async def close(self) -> None:
        """Stop; what was not delivered stays in the outbox. May be called twice."""
        for lane in self._lanes.values():
            await lane.close()
        try:
            await self._flush()
        except (TransientError, OSError) as error:
            log.warning("what was delivered last may be delivered again after the next start", error=str(error))
        await self._log.close()

    def _lane(self, channel: Channel) -> Lane:
        return Lane(channel, self._build(channel, self._guard), self._outbox, self._clock, self._judge)

    async def _judge(self, channel: Channel, entry: Entry, alert: Alert, verdict: Verdict) -> None:
        """What becomes of a message after an attempt."""
        now = self._clock.now()
        result, wait = verdict.result, None
        if result is Result.RETRY:
            wait = self._schedule.wait(entry.attempts + 1, verdict.asked)
            result = Result.GIVEN_UP if wait is None else result
        planned = None if wait is None else datetime.fromtimestamp(now + wait, UTC)
        self._note(channel, alert, result, attempt=entry.attempts + 1, seconds=verdict.seconds, detail=verdict.detail, next_at=planned)
        try:
            if wait is not None:
                self._outbox.retry(entry, now + wait, verdict.detail)
            elif result is Result.DELIVERED:
                self._outbox.finish(entry, now)
            else:
                await self._give_up(channel, entry, alert, result, verdict.detail)
            await self._save()
        except Exception as error:  # a letter that cannot be written for a reason nobody foresaw: the message must stay
            log.exception("a message could not be dead-lettered: it is tried again", channel=channel.name, error=repr(error))
            self._outbox.retry(entry, now + _LATER, verdict.detail)
        self._count(channel.name)

    async def _give_up(self, channel: Channel, entry: Entry, alert: Alert, result: Result, detail: str) -> None:
        assert self._bury is not None, "lanes run after start()"
        if not self._outbox.holds(entry):
            return  # it had to make room, or went with the channel: the letter is written
        attempts = f"after {entry.attempts + 1} attempts: " if result is Result.GIVEN_UP else ""
        leaving = [(entry, alert)]
        if result is Result.GONE:
            log.error("a receiver wants no more (410): its channel is off until its configuration changes", channel=channel.name)
            self._outbox.switch_off(channel.name, channel.digest, self._clock.now())
            leaving += [found for found in self._outbox.waiting(channel.name) if found[0] is not entry]
        reason, detail = f"webhook.{result.value}", f"channel {channel.name}: {attempts}{detail}"
        await self._bury([_letter(told, reason, detail, each.origin) for each, told in leaving])
        for each, _ in leaving:
            self._outbox.finish(each, self._clock.now())

    def _unknown(self, alert: Alert, name: str, origin: str) -> DeadLetter:
        detail = f"there is no channel {name}"
        self._metrics.deliveries.labels(result=Result.UNKNOWN_CHANNEL.value, channel=name).inc()
        log.error("an alert names a channel that the rule file does not have", channel=name, alert=alert.id, rule=alert.rule)
        return _letter(alert, "webhook.unknown_channel", detail, origin)

    def _note(
        self,
        channel: Channel,
        alert: Alert,
        result: Result,
        *,
        attempt: int = 0,
        seconds: float = 0.0,
        detail: str = "",
        next_at: datetime | None = None,
    ) -> None:
        self._log.add(
            Attempt(
                at=datetime.fromtimestamp(self._clock.now(), UTC),
                message=message_id(alert),
                channel=channel.name,
                target=channel.target,
                alert=alert.id,
                fingerprint=alert.fingerprint,
                rule=alert.rule,
                status=alert.status.value,
                severity=alert.severity,
                result=result,
                attempt=attempt,
                seconds=seconds,
                detail=detail,
                next_at=next_at,
            )
        )

    def _count(self, channel: str) -> None:
        self._metrics.deliveries_waiting.labels(channel=channel).set(self._outbox.size(channel))

    async def _save(self) -> None:
        """Make the outbox durable, however long the store is away."""
        await until_it_works(self._flush, stage=_STAGE, metrics=self._metrics)

    async def _flush(self) -> None:
        # One at a time: an older value must not be written after a newer one.
        async with self._saving:
            for name, value in self._outbox.changes().items():
                self._changes.pop(name, None)
                self._changes[name] = value
            if self._changes:
                await self._store.save(dict(self._changes))
                self._changes.clear()


def _letter(alert: Alert, reason: str, detail: str, origin: str) -> DeadLetter:
    return DeadLetter(
        reason=reason, detail=detail, stage=_STAGE, origin=origin, failed_at=datetime.now(UTC), original=alert.model_dump_json().encode()
    )
