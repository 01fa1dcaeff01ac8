"""The demo: the bundled newswire through the real stack, from an empty data folder to the alert."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from streams import newswire
from streams.alerts.evidence.words_told import telling_words
from streams.cancellation import end_tasks
from streams.documents import Alert
from streams.embedded.stack import START_PATIENCE, Stack
from streams.errors import TransientError
from streams.live.receiver import Receiver
from streams.live.summary import AlertSummary, Snapshot, Summary
from streams.sinks.search import SearchSink

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = ["DemoRun"]

_CHUNK = 100
_REFRESH = 0.4


class DemoRun:
    """One run of the demo.

    Args:
        settings: the effective settings; ``embedded.data`` is an empty folder of its own.
        on_change: hears of every change, for the live view.
        stop: set from outside to end early.
    """

    def __init__(self, settings: Settings, *, on_change: Callable[[Snapshot], None], stop: asyncio.Event) -> None:
        self._settings = settings
        self._on_change = on_change
        self._stop = stop
        self._total = sum(1 for _ in newswire.documents())
        self._began = time.monotonic()
        self._streaming_since: float | None = None
        self._stack: Stack | None = None
        self._sink: SearchSink | None = None
        self._receiver: Receiver | None = None
        self._phase = "starting"

    async def run(self, *, once: bool) -> Summary | None:
        """Start the stack, stream the newswire, wait until every document's way has ended, stop the stack.

        Args:
            once: stop as soon as that is so; else stay until `stop` is set.

        Returns:
            The summary, or None when `stop` was set before the newswire was through.

        Raises:
            StackError: the stack does not come up.
        """
        with Receiver() as receiver:
            self._receiver = receiver
            settings = self._settings.model_copy(
                update={
                    "webhook": self._settings.webhook.model_validate(
                        {"urls": (receiver.url,), "secret": receiver.secret, "allow_networks": ("127.0.0.1/32",)}
                    )
                }
            )
            stack = self._stack = Stack(settings, entities=newswire.entities_path())
            view = asyncio.create_task(self._watch())
            summary: Summary | None = None
            try:
                starting = asyncio.create_task(stack.start())
                if not await self._unless_stopped(starting):
                    return None
                startup = time.monotonic() - self._began
                sink = SearchSink(stack.settings.search)
                await sink.open()
                # The view looks at it as soon as it is there.
                self._sink = sink
                streaming = asyncio.create_task(self._stream(stack))
                if not await self._unless_stopped(streaming):
                    return None
                summary = await self._summarise(stack, receiver, startup, streaming.result())
                if not once:
                    self._phase = "done, Ctrl-C stops"
                    await self._stop.wait()
                return summary
            finally:
                self._phase = "stopping"
                await end_tasks(view)
                if self._sink is not None:
                    await self._sink.close()
                # What is under way stays in the journal, for whoever kept the folder.
                await stack.stop(drain=False)

    async def _unless_stopped(self, task: asyncio.Task[object] | asyncio.Task[None] | asyncio.Task[float]) -> bool:
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            stopped.cancel()
            task.result()
            return True
        await end_tasks(task, patience=START_PATIENCE)
        return False

    async def _stream(self, stack: Stack) -> float:
        """Put the newswire in; returns the seconds until the last document's way has ended."""
        self._phase = "streaming the newswire"
        intake = stack.intake()
        self._streaming_since = time.monotonic()
        chunk: list[bytes] = []
        for message in newswire.documents():
            chunk.append(message)
            if len(chunk) == _CHUNK:
                await intake.put(chunk)
                chunk = []
        if chunk:
            await intake.put(chunk)
        # The journal is another process's as well: it can only be asked.
        while stack.journal.counts().pending:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return time.monotonic() - self._streaming_since

    async def _summarise(self, stack: Stack, receiver: Receiver, startup: float, seconds: float) -> Summary:
        assert self._sink is not None
        await self._until_delivered(receiver)
        counts = stack.journal.counts()
        totals = await self._sink.totals()
        reasons = Counter(letter.reason for letter in stack.journal.dead_letters(10_000))
        return Summary(
            documents_in=counts.produced,
            indexed=counts.indexed,
            duplicates=counts.duplicates,
            dead_lettered=counts.dead,
            filtered=counts.filtered,
            near_copies=totals.near_copies,
            in_index=totals.documents,
            languages=totals.languages,
            sentiments=totals.sentiments,
            dead_letter_reasons=dict(reasons),
            alerts=[self._short(alert) for alert in await self._sink.alerts(100)],
            webhooks_verified=len(receiver.verified),
            scorer=stack.scorer,
            startup_seconds=round(startup, 2),
            seconds=round(seconds, 2),
            documents_per_second=round(counts.produced / seconds, 1),
        )

    async def _until_delivered(self, receiver: Receiver) -> None:
        """Alerts are delivered a moment after the last document; wait until the receiver and the index have every one.

        They stay in the outbox for some seconds more, until the index is on the disk: that is not waited for.
        """
        assert self._stack is not None
        assert self._sink is not None
        quiet_since = time.monotonic()
        seen = -1
        while time.monotonic() - quiet_since < 0.5:
            state = self._stack.journal.load_state()
            outbox = [Alert.model_validate_json(value) for name, value in state.items() if name.startswith("outbox:")]
            stored = {alert.id for alert in await self._sink.alerts(100)} if outbox else set()
            waiting = sum(not receiver.has(alert.id, alert.status.value) or alert.id not in stored for alert in outbox)
            waiting += sum(name.startswith("delivery-alert|") for name in state)
            if waiting or len(receiver.verified) != seen:
                seen = len(receiver.verified)
                quiet_since = time.monotonic()
            await asyncio.sleep(0.05)

    async def _watch(self) -> None:
        """Tell the view, until cancelled."""
        while True:
            self._on_change(await self._snapshot())
            await asyncio.sleep(_REFRESH)

    async def _snapshot(self) -> Snapshot:
        now = time.monotonic()
        stack, sink = self._stack, self._sink
        assert stack is not None
        children = [(child.name, child.state, child.detail) for child in stack.status()]
        if sink is None:
            return Snapshot(self._phase, self._total, seconds=now - self._began, children=children)
        counts = stack.journal.counts()
        since = now - self._streaming_since if self._streaming_since else 0.0
        ended = counts.produced - counts.pending
        try:
            latest, alerts = await sink.latest(12), await sink.alerts(5)
        except TransientError:
            latest, alerts = [], []
        return Snapshot(
            phase=self._phase,
            total=self._total,
            produced=counts.produced,
            pending=counts.pending,
            indexed=counts.indexed,
            duplicates=counts.duplicates,
            dead=counts.dead,
            filtered=counts.filtered,
            seconds=now - self._began,
            rate=ended / since if since > 0 else 0.0,
            children=children,
            latest=latest,
            alerts=[self._short(alert) for alert in alerts],
            address=f"search {stack.settings.search.url} · data {_home(stack.settings.embedded.data)}",
        )

    def _short(self, alert: Alert) -> AlertSummary:
        place, words = telling_words(alert)
        return AlertSummary(
            id=alert.id,
            status=alert.status.value,
            key=str(alert.key),
            name=alert.key.name,
            severity=alert.severity,
            starts_at=alert.starts_at.isoformat(),
            summary=alert.summary,
            p_value=alert.p_value,
            languages=alert.languages,
            evidence=[item.id for item in alert.evidence],
            resolved_at=self._receiver.resolved_at(alert.id) if self._receiver is not None else None,
            headlines=[f"[{item.language}] {item.title}" for item in alert.evidence],
            words=words,
            words_of=place,
        )


def _home(path: Path) -> str:
    return str(path).replace(str(Path.home()), "~")
