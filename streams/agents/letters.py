"""Dead letters: written the same way by every agent, on the topic before the ledger hears of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from streams.documents import DeadLetter
from streams.errors import PermanentError
from streams.ledger import Ledger
from streams.metrics import Metrics
from streams.settings import TopicSettings
from streams.stages.contract import Delivery, Producer, Record
from streams.stages.delivery import deliver

__all__ = ["TRUNCATED_BYTES", "Letters"]

TRUNCATED_BYTES = 262_144
"""What is kept of an original that the dead-letter topic itself will not take; half of it, and so on, where that is still too much."""


class Letters:
    """Sends dead letters to their topic and tells the ledger."""

    def __init__(self, producer: Producer, ledger: Ledger, metrics: Metrics, topics: TopicSettings) -> None:
        self._producer = producer
        self._ledger = ledger
        self._metrics = metrics
        self._topic = topics.dead

    def write(self, stage: Literal["score", "index", "watch", "notify"], delivery: Delivery, error: Exception) -> DeadLetter:
        """The letter for a delivery that raised `error`."""
        reason = error.reason if isinstance(error, PermanentError) else f"{stage}.failed"
        return DeadLetter(
            reason=reason,
            detail=str(error) or repr(error),
            stage=stage,
            origin=delivery.origin,
            failed_at=datetime.now(UTC),
            original=delivery.value,
        )

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Produce `letters`, then tell the ledger. Raises TransientError, PermanentError (a letter is too large)."""
        if not letters:
            return
        await self._producer.send([Record(self._topic, letter.original, None, letter.headers()) for letter in letters])
        await self._ledger.bury(letters)
        for letter in letters:
            self._metrics.dead.labels(stage=letter.stage, reason=letter.reason).inc()
            # Letters of watch and notify are about documents whose way the index agent has already counted.
            if letter.stage in {"source", "score", "index"}:
                self._metrics.finished.labels(outcome=letter.outcome.value).inc()

    async def deliver(self, letters: Sequence[DeadLetter], *, stage: str) -> None:
        """Send `letters`, whatever it takes; one that the topic does not take whole is cut and says so.

        Raises:
            Exception: the ledger fails, again and again, for a reason that waiting does not mend: nothing may be acknowledged.
        """

        async def cut(letter: DeadLetter, error: Exception) -> None:
            kept = TRUNCATED_BYTES
            while isinstance(error, PermanentError) and error.reason == "broker.too_large":
                original = letter.original[:kept]
                whole = letter.truncated_from or len(letter.original)
                try:
                    await self.send([letter.model_copy(update={"original": original, "truncated_from": whole})])
                except PermanentError as again:
                    if not original:
                        raise
                    error, kept = again, len(original) // 2
                else:
                    return
            raise error

        await deliver(letters, self.send, cut, stage=stage, metrics=self._metrics)
