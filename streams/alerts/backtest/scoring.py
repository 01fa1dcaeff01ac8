"""How good was a run? Alerts against labelled incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from streams.alerts.backtest.incidents import Incident
from streams.alerts.backtest.run import Detection, Run

__all__ = ["Match", "Score", "match", "score"]


@dataclass(frozen=True, slots=True)
class Match:
    """An incident and the first detection of it; None: it was missed."""

    incident: Incident
    detection: Detection | None

    @property
    def delay(self) -> int | None:
        """Minutes from the incident's start to the first word of it; never negative."""
        return None if self.detection is None else max(0, self.detection.minute - self.incident.start)


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of a run.

    Attributes:
        alerts: first notices. true_alerts: those that fall into an incident of their key.
        incidents, found: labelled, and noticed by at least one alert.
        false_per_day: alerts outside every incident, a day, over all keys.
        false_per_key_month: the same for one key and 30 days; `keys` is the number of keys they are spread over.
        delay_minutes: median time from an incident's start to its first alert; None where none was found.
        delay_windows: the same in windows of the rule that spoke.
    """

    alerts: int
    true_alerts: int
    incidents: int
    found: int
    days: float
    keys: int
    delay_minutes: float | None
    delay_windows: float | None

    @property
    def recall(self) -> float | None:
        """Part of the incidents that were noticed; None without any."""
        return self.found / self.incidents if self.incidents else None

    @property
    def precision(self) -> float | None:
        """Part of the alerts that are about an incident; None without alerts."""
        return self.true_alerts / self.alerts if self.alerts else None

    @property
    def false_alerts(self) -> int:
        """Alerts outside every incident."""
        return self.alerts - self.true_alerts

    @property
    def false_per_day(self) -> float:
        """False alerts a day, over all keys."""
        return self.false_alerts / self.days if self.days else 0.0

    @property
    def false_per_key_month(self) -> float:
        """False alerts of one key in thirty days."""
        return 30 * self.false_per_day / self.keys if self.keys else 0.0


def match(detections: Sequence[Detection], incidents: Sequence[Incident], *, grace: int = 0) -> tuple[list[Match], list[Detection]]:
    """Pair incidents with their first detection.

    Args:
        detections: alerts.
        incidents: what happened.
        grace: minutes after an incident's end in which an alert still counts as about it: its window still holds the incident.

    Returns:
        One match for every incident, in its order, and the detections that are about none.
    """
    matches = []
    used: set[str] = set()
    for incident in incidents:
        about = [
            found
            for found in detections
            if incident.start <= found.minute < incident.end + grace and incident.concerns(found.rule, found.key)
        ]
        used.update(found.id for found in about)
        matches.append(Match(incident, min(about, key=lambda found: (found.minute, found.id), default=None)))
    return matches, [found for found in detections if found.id not in used]


def score(run: Run, incidents: Sequence[Incident], windows: dict[str, int], *, keys: int) -> Score:
    """The figures of `run`.

    Args:
        run: what was told.
        incidents: what happened.
        windows: minutes of each rule's window, by its name; one window after an incident's end an alert still counts.
        keys: keys over which false alerts are spread.
    """
    matches, false = match(run.detections, incidents, grace=max(windows.values(), default=0))
    delays = [found.delay for found in matches if found.delay is not None]
    relative = [found.delay / windows[found.detection.rule] for found in matches if found.delay is not None and found.detection is not None]
    return Score(
        alerts=len(run.detections),
        true_alerts=len(run.detections) - len(false),
        incidents=len(incidents),
        found=sum(found.detection is not None for found in matches),
        days=run.days,
        keys=keys,
        delay_minutes=median(delays) if delays else None,
        delay_windows=median(relative) if relative else None,
    )
