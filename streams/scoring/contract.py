"""What every scorer promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from models.inference import Encoder

__all__ = ["Floats", "Lender", "Scorer", "Scores"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """Probabilities of a batch, rows in the order of the texts.

    Attributes:
        sentiment: [batch, 3], calibrated: negative, neutral, positive.
        topic: [batch, topics], calibrated, in the order of `Scorer.topics`.
        embedding: [batch, dimensions], unit length.
    """

    sentiment: Floats
    topic: Floats
    embedding: Floats


class Scorer(Protocol):
    """Scores texts. An instance is opened once, used by one event loop, and closed."""

    @property
    def model_id(self) -> str:
        """Name, version and checksum of the model behind it: ``bellwether-base-1+ab12cd34``."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Topic labels, in the order of the columns of `Scores.topic`."""

    async def open(self) -> None:
        """Get ready. Raises TransientError when the server does not answer yet, BellwetherError when it never will."""

    async def score(self, texts: Sequence[str]) -> Scores:
        """Score `texts` (title and lead, cleaned; any length, any number, none empty).

        The result of a text does not depend on its neighbours in the batch.

        Raises:
            TransientError: the server is away, busy or late; the same call may succeed later.
            PermanentError: the server refuses these texts.
        """

    async def close(self) -> None:
        """Let go of connections and threads. May be called twice."""


@runtime_checkable
class Lender(Protocol):
    """A scorer that may have the model in this process. It is big: who also needs it asks here before loading it once more."""

    def lend(self) -> Encoder | None:
        """The loaded encoder, to be used by :meth:`models.inference.Runner.beside`; None while or where there is none."""
