"""The control stage: what people tell the watch agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import structlog

from streams.alerts.life.commands import Command, read_command
from streams.documents import DeadLetter
from streams.errors import PermanentError
from streams.stages.contract import Delivery

__all__ = ["ControlStage"]

log = structlog.get_logger(__name__)


class ControlStage:
    """Obeys deliveries of the control topic, one after the other.

    Args:
        obey: does what a command asks; its effect is durable when this returns. Doing it twice must be harmless: after a
            crash a command may come again.
    """

    def __init__(self, obey: Callable[[Command], Awaitable[None]]) -> None:
        self._obey = obey

    async def process(self, deliveries: Sequence[Delivery]) -> list[DeadLetter]:
        """Obey `deliveries` in their order; gives back those that are no commands.

        Raises:
            TransientError: what a command changed could not be written; the same call may succeed later.
        """
        letters: list[DeadLetter] = []
        for delivery in deliveries:
            try:
                command = read_command(delivery.value)
            except PermanentError as error:
                log.warning("control: not a command", origin=delivery.origin, error=error.message)
                letters.append(_letter(delivery, error))
                continue
            await self._obey(command)
            log.info("control", **command.model_dump(mode="json", include={"command", "id", "target", "author"}))
        return letters


def _letter(delivery: Delivery, error: PermanentError) -> DeadLetter:
    # The watch agent's stage: control is the other half of its work.
    return DeadLetter(
        reason=error.reason,
        detail=str(error),
        stage="watch",
        origin=delivery.origin,
        failed_at=datetime.now(UTC),
        original=delivery.value,
    )
