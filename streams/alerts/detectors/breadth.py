"""Breadth: enough independent sources and languages say the same."""

from __future__ import annotations

from streams.alerts.detectors.anomaly_score import NEAR_SHARE, from_ratio
from streams.alerts.detectors.contract import Assessment
from streams.alerts.rules.detectors import BreadthSpec
from streams.alerts.tally import Tally, View

__all__ = ["Breadth"]


class Breadth:
    """Holds where the negative documents of the window come from at least so many distinct sources and languages.

    Meant as a part of a composite. `value` is the number of sources; a key that one source speaks of is what is expected.
    """

    name = "breadth"
    lookback = 1
    judges_silence = False

    def __init__(self, spec: BreadthSpec) -> None:
        self._sources = spec.min_sources
        self._languages = spec.min_languages

    def possible(self, window: Tally) -> bool:
        """See `Detector.possible`. Every source and language takes a document of its own."""
        return window.negative >= NEAR_SHARE * max(self._sources, self._languages)

    def assess(self, view: View) -> Assessment:
        """See `Detector.assess`."""
        reached = min(view.negative_sources / self._sources, view.negative_languages / self._languages)
        return Assessment(
            holds=reached >= 1.0,
            near=NEAR_SHARE <= reached < 1.0,
            score=from_ratio(reached),
            p_value=None,
            value=float(view.negative_sources),
            expected=min(1.0, float(view.negative_sources)),
            low=0.0,
            high=float(self._sources),
            baseline_minutes=0,
            baseline_documents=0.0,
            explanation=(
                f"negative documents of {view.negative_sources} sources (wanted {self._sources}) "
                f"in {view.negative_languages} languages (wanted {self._languages})"
            ),
        )
