"""What the trackers of one rule have in common: its lengths in minutes, its detector, what is known of all keys."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

from streams.alerts.detectors.absence import Absence
from streams.alerts.detectors.anomaly_score import NEAR_SHARE
from streams.alerts.detectors.contract import Detector
from streams.alerts.detectors.multiple_testing import Budget
from streams.alerts.detectors.seasonal import Seasonal
from streams.alerts.fold import Terms
from streams.alerts.names import Names
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Tally
from streams.alerts.world import World

__all__ = ["Frame"]

_SENTIMENT = frozenset({"negative", "negative_share", "mean_score"})
_HOUR = 60
_NEAR_EVIDENCE = 2
_UNKNOWN_KEYS = 1000
"""Keys among which a budget is shared before the first day is over."""


class Frame:
    """Constants of `rule`, and what its trackers share.

    Attributes:
        size: hops of a window. reach: minutes that a view shows vote by vote. kept: minutes for which votes are kept,
            whole hours. context: hours before an hour that decide what its votes weigh.
        eager: whether the newest hop is judged before it is over. Not where too few documents are what is looked for.
        hears_voices: whether the detector itself asks how many sources and languages there are.
        unscored: whether documents without a sentiment count for anything.
        known_since: minute since which the stream is known; None before the first document.
        headers, touched, kept_touched, days_touched: what must be saved: keys of which it is what is beside votes; by key, parts
            of hours; hours of which it is the documents to show; days with closed hours.
    """

    def __init__(self, rule: Rule, detector: Detector, names: Names) -> None:
        self.rule = rule
        self.detector = detector
        self.names = names
        self.window = rule.window_minutes
        self.hop = rule.hop_minutes
        self.size = self.window // self.hop
        self.reach = self.window * max(1, detector.lookback)
        self.lateness = int(rule.allowed_lateness.total_seconds() // 60)
        self.context = -(-self.window // _HOUR)
        self.kept = -(-(self.lateness + self.reach + self.hop) // _HOUR) * _HOUR + self.context * _HOUR
        self.baseline = rule.baseline_minutes
        self.history = self.baseline + self.window + self.lateness + _HOUR
        self.forget_after = self.baseline + self.kept
        self.silence = detector.judges_silence
        self.hears_voices = rule.detector.type in {"breadth", "composite"}
        self.terms = Terms(int(rule.hold.total_seconds() // 60), int(rule.cool_down.total_seconds() // 60), self.silence)
        parts: list[Any] = [rule, *getattr(rule.detector, "parts", ())]
        signals = {part.signal or rule.signal for part in parts}
        self.unscored = not signals <= _SENTIMENT or self.silence
        self.sentiment = rule.signal in _SENTIMENT
        self.shows_all = rule.signal in {"documents", "mean_score"}
        self.eager = not self.silence and not any(_looks_down(part.detector, part.signal or rule.signal) for part in parts)
        self.foresight = detector.foresight if isinstance(detector, (Absence, Seasonal)) else None
        self.world = World(self.lateness)
        self.known_since: int | None = None
        self.dropped_until: int | None = None
        self.headers: set[str] = set()
        self.touched: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
        self.kept_touched: set[tuple[str, int]] = set()
        self.days_touched: set[tuple[str, int]] = set()
        self._budget = Budget(rule.budget) if rule.budget is not None else None
        self._least_share = NEAR_SHARE * rule.detector.min_share if rule.detector.type == "share" else 0.0

    @property
    def meaning(self) -> str:
        """Names what is counted: as long as it stays the same, saved counts mean the same."""
        rule = self.rule
        what = rule.model_dump_json(include={"watch", "group_by", "counting"})
        return hashlib.sha256(f"{what}|{self.unscored}".encode()).hexdigest()[:16]

    @property
    def needs_negative(self) -> bool:
        """Whether sources and languages are counted among the negative documents."""
        return self.rule.signal in {"negative", "negative_share"}

    def worth_a_look(self, documents: float, scored: float, negative: float, score: float) -> bool:
        """Cheap and safe: False only if a window with these unweighted sums cannot hold, nor nearly."""
        if self.silence:
            return self.detector.possible(Tally(documents, scored, negative, score))
        evidence = self.rule.evidence
        seen = scored if self.sentiment else documents
        if _NEAR_EVIDENCE * seen < evidence.documents or _NEAR_EVIDENCE * negative < evidence.negative:
            return False
        return self.detector.possible(Tally(documents, scored, negative, score))

    def share_may_suffice(self, scored: float, negative: float, doubtful: float) -> bool:
        """False only if the negative share of a window is too small even where `doubtful` documents weigh nothing."""
        return negative >= self._least_share * (negative + max(0.0, scored - negative - doubtful))

    def still_worth_it(self, window: Tally) -> bool:
        """The same of weighted sums: those that are judged."""
        return window.negative >= self._least_share * window.scored and self.worth_a_look(*window)

    def alpha(self, end: int) -> float | None:
        """Largest p-value that the rule's budget lets fire in the window that ends at `end`; None without a budget."""
        if self._budget is None:
            return None
        return self._budget.alpha(self.world.before(end - self.hop)[1] or _UNKNOWN_KEYS, 1440 / self.hop)


def _looks_down(detector: Any, signal: str) -> bool:
    if signal not in {"documents", "negative"}:
        return False
    return (
        getattr(detector, "direction", None) in {"down", "both"}
        or getattr(detector, "spike_type", None) in {"down", "both"}
        or getattr(detector, "below", None) is not None
        or (getattr(detector, "factor", None) or 1.0) < 1.0
    )
