"""What is answered about texts whose languages are known: by which stage, calibrated, and what of it is withheld.

What was measured of the model (temperatures by language group, the languages it is vouched for, thresholds of confidence) was measured of
the encoder. So it decides alone what is withheld, and by its own calibrated answer: cheap stages answer only in languages that are vouched
for and that their thresholds were chosen on, and only what would be given. What they give, and the blend, is calibrated for all languages
at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.documents import Abstention
from streams.errors import PermanentError
from streams.scoring.contract import Floats, Scorer, Scores
from streams.scoring.reliability import Reliability

if TYPE_CHECKING:
    from streams.scoring.cascade import Cascade

__all__ = ["Answerer", "Answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers about a batch, rows in the order of the texts.

    Attributes:
        sentiment: [batch, 3], calibrated. topic: [batch, topics], calibrated.
        withheld: for each text what should not be given, as the encoder answered it.
        stages: for each text the stage that answered; None: there is no cascade.
    """

    sentiment: Floats
    topic: Floats
    withheld: list[tuple[Abstention, ...]]
    stages: list[str] | None


class Answerer:
    """Asks the cheap stages first, where there are any, and the encoder about the rest.

    Args:
        scorer: the encoder, open.
        reliability: which of its answers are given.
        cascade: the cheap stages, open when they are asked; None: the encoder answers everything.
    """

    def __init__(self, scorer: Scorer, reliability: Reliability, cascade: Cascade | None = None) -> None:
        self._scorer = scorer
        self._reliability = reliability
        self._cascade = cascade

    async def answers(self, texts: Sequence[str], languages: Sequence[str]) -> Answers:
        """The answers about `texts` in these `languages`. Those about one text do not depend on the others.

        Raises:
            TransientError: the scorer is away; the same call may succeed later.
            PermanentError: the scorer refuses a text, or gives no numbers (``score.not_finite``).
        """
        if self._cascade is None:
            scores, withheld = await self._by_the_encoder(texts, languages)
            return Answers(scores.sentiment, scores.topic, withheld, None)
        return await self._by_stages(self._cascade, texts, languages)

    async def _by_the_encoder(self, texts: Sequence[str], languages: Sequence[str]) -> tuple[Scores, list[tuple[Abstention, ...]]]:
        scores = _finite(await self._scorer.score(texts))
        # Asked for afterwards: a server may have another model by now.
        model_id = self._scorer.model_id
        scores = self._reliability.calibrated(scores, model_id, languages)
        return scores, self._reliability.abstentions(scores, model_id, self._scorer.topics, languages)

    async def _by_stages(self, cascade: Cascade, texts: Sequence[str], languages: Sequence[str]) -> Answers:
        model_id, topics = self._scorer.model_id, self._scorer.topics
        last = len(cascade.names) - 1
        sentiment, topic = (np.zeros((len(texts), width), np.float32) for width in (3, len(topics)))
        stage = np.full(len(texts), last)
        withheld: list[tuple[Abstention, ...]] = [() for _ in texts]
        asked = self._asked(cascade, model_id, languages)
        first: Scores | None = None
        if len(asked):
            heard = await cascade.hear([texts[row] for row in asked])
            first = _finite(heard.first)
            doubted = self._reliability.abstentions(heard.scores, model_id, topics, [languages[row] for row in asked])
            given = (heard.stage < last) & np.array([not doubts for doubts in doubted], np.bool_)
            rows = asked[given]
            stage[rows] = heard.stage[given]
            sentiment[rows], topic[rows] = heard.scores.sentiment[given], heard.scores.topic[given]
        left = np.flatnonzero(stage == last)
        if len(left):
            scores, kept = await self._by_the_encoder([texts[row] for row in left], [languages[row] for row in left])
            sentiment[left], topic[left] = scores.sentiment, scores.topic
            for row, doubts in zip(left, kept, strict=True):
                withheld[row] = doubts
            if first is not None:
                # The blend comes after what the encoder alone was measured for; a text that was not asked about keeps its answer.
                both, in_left, in_asked = np.intersect1d(left, asked, assume_unique=True, return_indices=True)
                mixed = cascade.blended(_rows(scores, in_left), _rows(first, in_asked))
                sentiment[both], topic[both] = mixed.sentiment, mixed.topic
        names = cascade.names
        return Answers(sentiment, topic, withheld, [names[number] for number in stage])

    def _asked(self, cascade: Cascade, model_id: str, languages: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The texts that the cheap stages are asked about: where they were fitted, and where the encoder's answer would be given."""
        if not cascade.stands_before(model_id):
            return np.zeros(0, np.int64)
        vouched = {language: cascade.knows(language) and self._reliability.vouches(model_id, language) for language in set(languages)}
        return np.flatnonzero([vouched[language] for language in languages])


def _rows(scores: Scores, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Scores:
    return Scores(scores.sentiment[rows], scores.topic[rows], scores.embedding[rows])


def _finite(scores: Scores) -> Scores:
    if not (np.isfinite(scores.sentiment).all() and np.isfinite(scores.topic).all()):
        raise PermanentError("the model gave no numbers (NaN or infinity)", reason="score.not_finite")
    return scores
