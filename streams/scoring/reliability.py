"""Which answers of the model are given: calibrated for the language of each text, and withheld where the model is not to be relied on.

It works on what any scorer answers, because the language of a text is known here and not to the model. What was measured of the model
stands in its folder (``calibration.json``, see :mod:`models.calibration.record`); a model without it is taken at its word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import structlog

from models.artifact import load_artifact
from models.calibration.record import Calibration, load_calibration
from models.errors import ModelError
from streams.documents import Abstention
from streams.errors import BellwetherError
from streams.scoring.contract import Floats, Scores
from streams.settings import ScoringSettings

__all__ = ["Reliability"]

SENTIMENTS = ("negative", "neutral", "positive")

_log = structlog.get_logger(__name__)


class Reliability:
    """Calibrates the scores of one model, and says where to abstain.

    Args:
        calibration: what was measured of it; None: nothing.
        abstain: ``off``: nowhere; ``languages``: in languages that are not vouched for; ``confidence``: also where the confidence is below
            the language's threshold.
    """

    def __init__(self, calibration: Calibration | None, abstain: str) -> None:
        self._calibration = calibration
        self._abstain = abstain
        self._stranger: str | None = None

    @classmethod
    def of_settings(cls, settings: ScoringSettings) -> Reliability:
        """The calibration of the model folder that `settings` name, for whatever backend serves it.

        Raises:
            BellwetherError: the folder has a calibration, and it is damaged or another model's.
        """
        try:
            artifact = load_artifact(settings.model)
        except ModelError:
            # Whoever needs the folder says so when it is opened. A Triton server may be all there is.
            return cls(None, settings.abstain)
        try:
            return cls(load_calibration(artifact), settings.abstain)
        except ModelError as error:
            raise BellwetherError(str(error), mend=error.mend) from error

    def calibrated(self, scores: Scores, model_id: str, languages: Sequence[str]) -> Scores:
        """`scores` of texts in these `languages`, at the temperatures of their groups, if it was this model that was measured."""
        known = self._of(model_id)
        if known is None:
            return scores
        sentiment = known.apply("sentiment", scores.sentiment, languages)
        return replace(scores, sentiment=sentiment, topic=known.apply("topic", scores.topic, languages))

    def vouches(self, model_id: str, language: str) -> bool:
        """Whether a sure enough answer in `language` would be given, sentiment and topic."""
        known = self._of(model_id)
        return known is None or self._abstain == "off" or all(known.doubt(head, language, 1.0) is None for head in ("sentiment", "topic"))

    def abstentions(self, scores: Scores, model_id: str, topics: Sequence[str], languages: Sequence[str]) -> list[tuple[Abstention, ...]]:
        """For each text the answers that should not be given, of calibrated `scores`."""
        known = self._of(model_id)
        if known is None or self._abstain == "off":
            return [() for _ in languages]
        heads = (("sentiment", SENTIMENTS, scores.sentiment), ("topic", tuple(topics), scores.topic))
        withheld: list[tuple[Abstention, ...]] = []
        for row, language in enumerate(languages):
            found = (self._abstention(known, head, labels, values[row], language) for head, labels, values in heads if labels)
            withheld.append(tuple(one for one in found if one is not None))
        return withheld

    def _abstention(self, known: Calibration, head: str, labels: tuple[str, ...], values: Floats, language: str) -> Abstention | None:
        doubt = known.doubt(head, language, float(values.max()))
        if doubt is None or (doubt.reason == "confidence.low" and self._abstain == "languages"):
            return None
        rounded = np.clip(values.astype(np.float64), 0.0, 1.0).round(4).tolist()
        return Abstention(
            head=head,
            reason=doubt.reason,
            detail=doubt.detail,
            confidence=min(1.0, doubt.confidence),
            threshold=doubt.threshold,
            probabilities=dict(zip(labels, rounded, strict=True)),
        )

    def _of(self, model_id: str) -> Calibration | None:
        """The calibration, if it is of the model that answered."""
        known = self._calibration
        if known is None or known.model_id == model_id:
            return known
        if self._stranger != model_id:
            self._stranger = model_id
            _log.warning("the model that answers is not the one that was calibrated", answers=model_id, calibrated=known.model_id)
        return None
