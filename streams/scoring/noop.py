"""A scorer without a model: the same numbers for every text, at once. It measures what the way of a document costs by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.topics import TOPIC_LABELS
from streams.scoring.contract import Scores

__all__ = ["NoopScorer"]

DIMENSIONS = 384
"""Width of the embeddings of the shipped model, so that the messages weigh the same."""


class NoopScorer:
    """Says neutral of everything, and the same of every topic."""

    @property
    def model_id(self) -> str:
        """``noop``: nobody takes these numbers for a model's."""
        return "noop"

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the shipped model."""
        return TOPIC_LABELS

    async def open(self) -> None:
        """Nothing to get ready."""

    async def score(self, texts: Sequence[str]) -> Scores:
        """Constant probabilities; the embedding is the first unit vector."""
        count = len(texts)
        embedding = np.zeros((count, DIMENSIONS), np.float32)
        embedding[:, 0] = 1.0
        return Scores(
            sentiment=np.tile(np.array([0.25, 0.5, 0.25], np.float32), (count, 1)),
            topic=np.full((count, len(self.topics)), 1 / len(self.topics), np.float32),
            embedding=embedding,
        )

    async def close(self) -> None:
        """Nothing to let go of."""
