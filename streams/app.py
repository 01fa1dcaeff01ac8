"""The Faust application. ``faust -A streams.app worker`` works too: `app` is built from the configured settings on first use.

Faust carries topics, consumer groups and agents, and nothing else: no tables, no windows, concurrency 1 (design record:
an exception in an agent acknowledges the event, commits may pass a gap with more, windows are lost on rebalance).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import faust
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError
from faust.exceptions import ProducerSendError

from streams.errors import PermanentError, TransientError
from streams.kafka import FaustBroker, faust_broker
from streams.service import Service
from streams.stages.contract import Record

if TYPE_CHECKING:
    from streams.settings import Settings

__all__ = ["BellwetherApp", "FaustProducer", "build_app", "group_of", "watch_groups"]

_LIVELOCK_NEVER = 10 * 365 * 86400.0


class FaustProducer:
    """The application's own producer: a batch is queued at once and its acknowledgements are awaited together."""

    def __init__(self) -> None:
        self._app: faust.App | None = None

    def bind(self, app: faust.App) -> None:
        """Use the producer of `app`."""
        self._app = app

    async def send(self, records: Sequence[Record]) -> None:
        """Produce `records`; see :class:`streams.stages.contract.Producer`."""
        assert self._app is not None, "bind() comes first"
        producer = await self._app.maybe_start_producer()
        try:
            queued = [
                await producer.send(record.topic, record.key, record.value, None, None, dict(record.headers) or None) for record in records
            ]
            await asyncio.gather(*queued)
        except (MessageSizeTooLargeError, RecordTooLargeError) as error:
            raise PermanentError("a record is larger than the topic takes", reason="broker.too_large") from error
        except (KafkaError, ProducerSendError) as error:
            if isinstance(error.__cause__, (MessageSizeTooLargeError, RecordTooLargeError)):
                raise PermanentError("a record is larger than the topic takes", reason="broker.too_large") from error
            raise TransientError(f"the broker did not take {len(records)} records: {error!r}") from error


class BellwetherApp(faust.App):
    """A Faust app that opens its service before the first agent runs, and closes it after the last."""

    parts: Service

    async def on_first_start(self) -> None:
        """Open the service: nothing is consumed before."""
        await super().on_first_start()
        # Its counters are not ours (streams.metrics), and it costs a few per cent of the processor time of every event.
        self.sensors.remove(self.monitor)
        await self.parts.open()

    async def on_shutdown(self) -> None:
        """Close the service: nothing is consumed any more."""
        await super().on_shutdown()
        await self.parts.close()


def group_of(settings: Settings) -> str:
    """Consumer group of a worker. Workers with other agents are another group: each group reads every document."""
    agents = settings.worker.agents
    everything = {"score", "index", "watch", "notify"}
    return settings.kafka.group if set(agents) == everything else f"{settings.kafka.group}-{'-'.join(sorted(agents))}"


def watch_groups(settings: Settings) -> tuple[str, ...]:
    """Every group whose workers watch, whatever else they do: one worker of all of them may run at a time."""
    kept = [("notify", "watch"), ("index", "notify", "watch"), ("notify", "score", "watch")]
    return (settings.kafka.group, *(f"{settings.kafka.group}-{'-'.join(agents)}" for agents in kept))


def build_app(settings: Settings) -> BellwetherApp:
    """The app with the agents that the settings name, not started.

    Raises:
        BellwetherError: a part cannot be built from these settings.
    """
    producer = FaustProducer()
    service = Service(settings, producer)
    broker = faust_broker(settings.kafka)
    app = BellwetherApp(
        group_of(settings),
        broker=broker.urls,
        broker_credentials=_credentials(broker),
        broker_session_timeout=settings.worker.session_timeout,
        broker_rebalance_timeout=settings.worker.rebalance_timeout,
        broker_heartbeat_interval=max(1.0, settings.worker.session_timeout / 5),
        broker_request_timeout=max(settings.kafka.request_timeout, settings.worker.session_timeout + 5),
        # A batch may wait for hours while a server is away; that is not a reason to leave the group.
        broker_max_poll_interval=86_400.0,
        broker_commit_interval=1.0,
        broker_commit_livelock_soft_timeout=_LIVELOCK_NEVER,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.topics.max_message_bytes,
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_request_size=settings.topics.max_message_bytes,
        stream_buffer_maxsize=settings.worker.buffer,
        stream_wait_empty=False,
        stream_ack_exceptions=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        web_bind="127.0.0.1",
        store="memory://",
        loghandlers=[],
        autodiscover=False,
    )
    app.parts = service
    producer.bind(app)
    from streams.agents import control, index, notify, score, watch

    for name, module in {"score": score, "index": index, "watch": watch, "notify": notify}.items():
        if name in settings.worker.agents:
            module.register(app, service, producer)
    if service.control is not None:
        control.register(app, service, producer)
    return app


def _credentials(broker: FaustBroker) -> Any:
    return None if broker.credentials_class is None else getattr(faust, broker.credentials_class)(**broker.credentials)


def __getattr__(name: str) -> Any:
    """`app` for Faust's own command line."""
    if name == "app":
        from streams.settings import load_settings

        globals()["app"] = build_app(load_settings())
        return globals()["app"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
