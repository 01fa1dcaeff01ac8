"""Rule files on made-up streams: what they found, how fast, and what they cried about in vain."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from streams.alerts.backtest.run import Detection, Run
from streams.alerts.backtest.scoring import Match, match
from streams.alerts.benchmark.generator import Stream
from streams.alerts.benchmark.injection import Injected
from streams.alerts.rules.ruleset import RuleSet

__all__ = ["Outcome", "Part", "judge", "parts", "pool"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule file on one or several streams, after their warm-up.

    Attributes:
        found: every incident with the first alert about it, and the delay in windows of the rule that spoke; None: missed.
        alerts: alerts in all. false: those about no incident, counted by what happened then (``nothing``: nothing did).
        key_months: keys times thirty days.
        documents, seconds: the engine's work.
    """

    name: str
    found: tuple[tuple[Injected, float | None], ...]
    alerts: int
    false: Counter[str]
    key_months: float
    documents: int
    seconds: float

    @property
    def recall(self) -> float:
        """Part of the incidents that were noticed."""
        return sum(delay is not None for _, delay in self.found) / len(self.found) if self.found else 0.0

    @property
    def precision(self) -> float:
        """Part of the alerts that are about an incident."""
        return 1.0 - self.false.total() / self.alerts if self.alerts else 0.0

    @property
    def false_per_key_month(self) -> float:
        """False alerts for each key and thirty days."""
        return self.false.total() / self.key_months if self.key_months else 0.0

    @property
    def delay(self) -> float | None:
        """Median time from an incident's start to its first alert, in windows of the rule that spoke; None where none was found."""
        delays = [delay for _, delay in self.found if delay is not None]
        return median(delays) if delays else None


@dataclass(frozen=True, slots=True)
class Part:
    """The incidents that have one thing in common."""

    name: str
    incidents: int
    found: int
    delay: float | None


def judge(stream: Stream, rules: RuleSet, run: Run) -> Outcome:
    """What `run` of `rules` on `stream` is worth. An alert belongs to an incident of its key until one window of its rule after its end."""
    begin = stream.plan.start + stream.plan.warm_up * 1440
    windows = {rule.name: rule.window_minutes for rule in rules.rules}
    detections = [found for found in run.detections if found.minute >= begin]
    incidents = [item.incident for item in stream.incidents]
    matches = [Match(incident, None) for incident in incidents]
    false: list[Detection] = []
    for name, window in windows.items():
        found_by, false_by = match([one for one in detections if one.rule == name], incidents, grace=window)
        matches = [min(pair, key=_when) for pair in zip(matches, found_by, strict=True)]
        false += false_by
    months = stream.plan.keys * (stream.plan.days - stream.plan.warm_up) / 30.0
    causes = Counter(_cause(stream, one, windows[one.rule]) for one in false)
    found = tuple((item, _delay(one, windows)) for item, one in zip(stream.incidents, matches, strict=True))
    return Outcome(Path(rules.source).stem, found, len(detections), causes, months, run.documents, run.seconds)


def pool(outcomes: Sequence[Outcome]) -> Outcome:
    """Several streams as one; all of the same rules, at least one."""
    return Outcome(
        outcomes[0].name,
        tuple(item for one in outcomes for item in one.found),
        sum(one.alerts for one in outcomes),
        sum((one.false for one in outcomes), Counter()),
        sum(one.key_months for one in outcomes),
        sum(one.documents for one in outcomes),
        sum(one.seconds for one in outcomes),
    )


def parts(outcome: Outcome, of: Callable[[Injected], str]) -> list[Part]:
    """The incidents of `outcome` told apart by `of`, in the order of their names."""
    names = sorted({of(item) for item, _ in outcome.found})
    result = []
    for name in names:
        delays = [delay for item, delay in outcome.found if of(item) == name]
        heard = [delay for delay in delays if delay is not None]
        result.append(Part(name, len(delays), len(heard), median(heard) if heard else None))
    return result


def _when(one: Match) -> float:
    return math.inf if one.detection is None else one.detection.minute


def _delay(one: Match, windows: dict[str, int]) -> float | None:
    return None if one.delay is None or one.detection is None else one.delay / windows[one.detection.rule]


def _cause(stream: Stream, detection: Detection, window: int) -> str:
    """The kind of the disturbance whose documents lie in the window that was judged."""
    for item in stream.disturbances:
        concerned = item.key in {"", *detection.key.value.split("|")}
        if concerned and item.start < detection.minute and detection.minute - window < item.end:
            return item.kind
    return "nothing"
