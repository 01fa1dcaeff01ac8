"""The stages of a cascade before its encoder, for whoever asks the encoder elsewhere: by a server, or in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.cascade.plan import Plan, Scorer, answer, blended, open_stages, read_plan, tempered
from models.errors import ModelError
from models.inference import Scores, TextTokenizer, processors

__all__ = ["ENCODER", "Asked", "Gates"]

#: What the last stage is called.
ENCODER = "encoder"


@dataclass(frozen=True)
class Asked:
    """What the stages before the encoder say of ``n`` texts.

    Attributes:
        scores: of the texts that a stage answered; nought for those that are left.
        stage: int64 ``[n]``, the position in :attr:`Gates.names` of the stage that answers; the last one is the encoder.
        first: what the first stage says of each text, whether it was sure or not.
    """

    scores: Scores
    stage: NDArray[np.int64]
    first: Scores


class _Reading(TextTokenizer):
    """Reads texts as the encoder of ``artifact`` does, without its graph."""

    def __init__(self, artifact: Artifact, threads: int) -> None:
        super().__init__(artifact.tokenizer_path, max_length=artifact.max_length, prefix=artifact.prefix)
        self.artifact = artifact
        self.threads = threads or processors()


class Gates:
    """The stages before the encoder of an artifact, which itself is not opened. Close it, or use it as a context manager.

    Args:
        artifact: with the files that its ``cascade.json`` names.
        threads: calls of one stage that run at the same time; 0: as many as there are processors.

    Raises:
        ModelError: the artifact has no cascade, or a file is damaged.
    """

    def __init__(self, artifact: Artifact, threads: int = 0) -> None:
        self.plan: Plan = read_plan(artifact)
        artifact.verify()
        self._closers: list[Callable[[], None]] = []
        self._empty = Scores(
            *(np.zeros((0, width), np.float32) for width in (len(artifact.sentiment_labels), len(artifact.topic_labels), 0))
        )
        try:
            self._stages = open_stages(self.plan, artifact, _Reading(artifact, threads), self._closers)
        except ModelError:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in the order they are asked, the last of them ``encoder``."""
        return (*(stage.name for stage in self.plan.stages), ENCODER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go. May be called twice."""
        for closer in self._closers:
            closer()

    def ask(self, texts: Sequence[str]) -> Asked:
        """Ask the stages about ``texts``; a text's result does not depend on the others.

        Raises:
            ValueError: a text holds a lone surrogate.
        """
        first: list[Scores] = []

        def remembered(scorer: Scorer) -> Scorer:
            def score(given: Sequence[str]) -> Scores:
                first.append(scorer(given))
                return first[-1]

            return score

        def nobody(left: Sequence[str]) -> Scores:
            widths = [part.shape[1] for part in (first[0] if first else self._empty)]
            return Scores(*(np.zeros((len(left), width), np.float32) for width in widths))

        gates = [(stage, remembered(scorer) if number == 0 else scorer) for number, (stage, scorer) in enumerate(self._stages)]
        staged = answer(gates, nobody, texts, temperatures=self.plan.temperatures)
        return Asked(staged.scores, staged.stage, first[0] if first else staged.scores)

    def blended(self, encoder: Scores, first: Scores) -> Scores:
        """What is given where the encoder answers: ``encoder``, with the plan's share of what the first stage says of the same texts."""
        mixed = blended(encoder, first, self.plan.blend) if self.plan.stages else encoder
        return tempered(mixed, len(self._stages), self.plan.temperatures)
