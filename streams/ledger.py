"""Who hears how the way of each delivery ended.

The embedded journal needs it to know which documents are safe; with Kafka the broker knows, and only the metrics listen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from streams.documents import DeadLetter, Outcome

__all__ = ["KafkaLedger", "Ledger"]


class Ledger(Protocol):
    """Hears of outcomes after they are safe in the index or on the dead-letter topic. Origins are ``str(Origin)``."""

    async def moment(self) -> int:
        """A mark of now, for :meth:`finish`; to be taken before anything is indexed."""

    async def finish(self, outcomes: Mapping[str, Outcome], since: int) -> None:
        """These deliveries ended so, after the moment `since`. Hearing the same one again changes nothing.

        Raises:
            TransientError: nothing was noted. Either it cannot be now, or the index may have lost since that moment what
                it took: index once more, from a new moment on.
        """

    async def bury(self, letters: Iterable[DeadLetter]) -> None:
        """These deliveries were dead-lettered or filtered; the letters are kept where the topic does not outlive the broker."""

    async def watched(self, origins: Iterable[str]) -> None:
        """The watch agent's state holds these deliveries."""

    async def close(self) -> None:
        """Let go of files."""


class KafkaLedger:
    """With Kafka: offsets and topics are the record, nothing is kept beside them."""

    async def moment(self) -> int:
        """Always the same: the index loses nothing that it acknowledged."""
        return 0

    async def finish(self, outcomes: Mapping[str, Outcome], since: int) -> None:
        """Nothing to keep."""

    async def bury(self, letters: Iterable[DeadLetter]) -> None:
        """Nothing to keep: the dead-letter topic is durable."""

    async def watched(self, origins: Iterable[str]) -> None:
        """Nothing to keep."""

    async def close(self) -> None:
        """Nothing to let go of."""
