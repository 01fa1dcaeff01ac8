"""Run the engine over history and keep what it told."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streams.alerts.engine import Engine
from streams.alerts.rules.matching import Matcher
from streams.alerts.rules.reading import RuleSet
from streams.alerts.sighting import Sighting
from streams.documents import Alert, AlertStatus, Key

__all__ = ["Detection", "Run", "count_keys", "run"]

BATCH = 2000

Progress = Callable[[int, int], None]
"""Called with (sightings done, sightings in all)."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One alert about one key: the minute (event time, end of the judged window) at which it was told."""

    rule: str
    key: Key
    minute: int
    id: str
    severity: str
    summary: str


@dataclass(slots=True)
class Run:
    """What a run led to.

    Attributes:
        detections: first notices in the order in which they were told; members of digests one by one. What was retracted
            later stands among them all the same: somebody was told.
        notices: messages that a receiver would have had, digests and resolutions included.
        ended: event minute at which each alert id was over.
        documents, ignored: sightings that were fed, and those that were not counted, by reason.
        seconds: wall time of the engine alone.
        first, last: first and last event minute.
    """

    detections: list[Detection] = field(default_factory=list)
    notices: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    documents: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    first: int = 0
    last: int = 0

    @property
    def days(self) -> float:
        """Days of event time."""
        return (self.last - self.first + 1) / 1440

    @property
    def rate(self) -> float:
        """Sightings a second."""
        return self.documents / self.seconds if self.seconds else 0.0


def run(rules: RuleSet, sightings: Sequence[Sighting], *, progress: Progress | None = None) -> Run:
    """Feed `sightings`, in the order given, to a new engine with `rules`; at the end as much time passes as every rule needs to resolve.

    Raises:
        SettingsError: the rules make no sense.
    """
    engine = Engine(rules)
    found = Run(documents=len(sightings))
    if sightings:
        found.first = min(item.minute for item in sightings)
        found.last = max(item.minute for item in sightings)
    told: set[str] = set()
    for start in range(0, len(sightings), BATCH):
        batch = sightings[start : start + BATCH]
        before = time.perf_counter()
        result = engine.observe(batch)
        found.seconds += time.perf_counter() - before
        found.ignored.update(result.ignored)
        _keep(found, result.alerts, told)
        for alert in result.alerts:
            engine.acknowledge(alert)
        if progress is not None:
            progress(start + len(batch), len(sightings))
    result = engine.advance(found.last + max(rule.hop_minutes for rule in rules.rules))
    _keep(found, result.alerts, told)
    return found


def count_keys(rules: RuleSet, sightings: Sequence[Sighting]) -> int:
    """How many keys, of all rules together, `sightings` are about."""
    matcher = Matcher(rules.rules)
    # All keys of a rule are of one kind.
    return len({(index, key.value) for item in sightings for index, key in matcher.match(item)})


def _keep(found: Run, alerts: Sequence[Alert], told: set[str]) -> None:
    for alert in alerts:
        found.notices += 1
        minute = int(alert.observed.end.timestamp() // 60)
        if alert.status is AlertStatus.RESOLVED:
            found.ended[alert.id] = minute
            continue
        if alert.members:
            for member in alert.members:
                _detect(found, told, Detection(member.rule, member.key, minute, member.id, member.severity, member.summary))
        else:
            _detect(found, told, Detection(alert.rule, alert.key, minute, alert.id, alert.severity, alert.summary))


def _detect(found: Run, told: set[str], detection: Detection) -> None:
    if detection.id not in told:
        told.add(detection.id)
        found.detections.append(detection)
