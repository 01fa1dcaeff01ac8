"""The model in this process, by ONNX Runtime: for machines without a Triton server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.artifact import Artifact
from models.inference import Encoder
from streams.scoring.contract import Scores
from streams.scoring.resident import ResidentEncoder
from streams.scoring.texts import as_utf8

__all__ = ["OnnxScorer"]

WARM_UP = ("warm", "a sentence to make the first document as fast as the second")


class OnnxScorer:
    """Scores in a thread of its own, so that the event loop goes on meanwhile; calls wait for each other.

    Args:
        model: folder of the artifact; None: the one that is shipped.
        threads: processors to use; 0: all.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 0) -> None:
        self._resident = ResidentEncoder(
            model, threads, name="score", absent="the in-process model is not open", warm_up=lambda encoder: encoder.score(WARM_UP)
        )

    @property
    def model_id(self) -> str:
        """Id of the artifact. Raises BellwetherError before `open`."""
        return self._artifact.model_id

    @property
    def topics(self) -> tuple[str, ...]:
        """Topic labels of the artifact. Raises BellwetherError before `open`."""
        return self._artifact.topic_labels

    @property
    def _artifact(self) -> Artifact:
        return self._resident.encoder.artifact

    def lend(self) -> Encoder | None:
        """See :class:`streams.scoring.contract.Lender`."""
        return self._resident.encoder if self._resident.is_open else None

    async def open(self) -> None:
        """Load the model and run it once.

        Raises:
            BellwetherError: the model folder is missing or damaged.
        """
        await self._resident.open()

    async def score(self, texts: Sequence[str]) -> Scores:
        """See the contract. Raises PermanentError for a text with a lone surrogate."""
        given = list(texts)
        as_utf8(given)
        return Scores(*await self._resident.ask(lambda encoder: encoder.score(given)))

    async def close(self) -> None:
        """Wait for the calls under way and let the model go."""
        await self._resident.close()
