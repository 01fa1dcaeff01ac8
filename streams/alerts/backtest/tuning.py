"""Parameters for a bearable number of false alerts.

Every detector has one parameter that trades sensitivity for quiet. Tuning runs the rule over the first part of the history
with ever stricter values and keeps the most sensitive one that stays within the target; the rest of the history then says
what that value costs on text it was not chosen on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from streams.alerts.backtest.incidents import Incident
from streams.alerts.backtest.parameters import with_parameters
from streams.alerts.backtest.run import run
from streams.alerts.backtest.scoring import Score, score
from streams.alerts.rules.model import Rule
from streams.alerts.rules.reading import RuleSet
from streams.alerts.sighting import Sighting
from streams.errors import SettingsError

__all__ = ["Proposal", "tune"]

CHOSEN_ON = 2 / 3
"""Part of the history, from its beginning, on which the value is chosen."""

_P_VALUES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12)
_DAYS = (3, 7, 14, 30, 60, 90, 180, 365, 730, 1825)
_FACTORS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What tuning proposes for one rule.

    Attributes:
        parameter, before, value: the dotted name, what the rule has now, and the proposal; None: nothing stays within the target.
        tried: values and false alerts a week on the part they were chosen on, the most sensitive first.
        chosen, unseen: figures of the proposal on the two parts.
    """

    rule: str
    parameter: str
    before: Any
    value: Any | None
    tried: tuple[tuple[Any, float], ...]
    chosen: Score | None
    unseen: Score | None


def tune(
    rules: RuleSet,
    sightings: Sequence[Sighting],
    incidents: Sequence[Incident],
    *,
    false_per_week: float,
    keys: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Proposal]:
    """Propose a value for every rule.

    Args:
        rules: each is tuned by itself.
        sightings: history in event-time order.
        incidents: alerts within them are not false; without any, every alert is taken for false.
        false_per_week: false alerts a week, over all keys of one rule, that are bearable.
        keys: keys over which false alerts are spread.
        progress: called with (runs done, at most).

    Raises:
        SettingsError: the target is not above zero, or the history is too short to say anything.
    """
    if false_per_week <= 0:
        raise SettingsError(f"false alerts a week: {false_per_week:g}", mend="more than 0, for example 1")
    first, last = sightings[0].minute, sightings[-1].minute
    border = first + int((last - first) * CHOSEN_ON)
    early = [item for item in sightings if item.minute < border]
    if (border - first) / 10080 * false_per_week < 1:
        needed = 7 / CHOSEN_ON / false_per_week
        raise SettingsError(
            f"the history spans {(last - first) / 1440:.1f} days: too short to tell {false_per_week:g} false alerts a week from none",
            mend=f"at least {needed:.0f} days of history, or a larger target",
        )
    proposals, done = [], 0
    ladders = [(rule, *_ladder(rule)) for rule in rules.rules]
    most = sum(len(values) for _, _, values in ladders) + len(ladders)
    for rule, parameter, values in ladders:
        alone = replace(rules, rules=(rule,))
        tried: list[tuple[Any, float]] = []
        value = best = None
        for candidate in values:
            figures = _measure(alone, {parameter: candidate}, early, incidents, keys)
            done += 1
            if progress is not None:
                progress(done, most)
            tried.append((candidate, 7 * figures.false_per_day))
            if 7 * figures.false_per_day <= false_per_week:
                value, best = candidate, figures
                break
        unseen = None
        if value is not None:
            unseen = _after(with_parameters(alone, {parameter: value}), sightings, incidents, border, keys)
        done += 1 + len(values) - len(tried)
        if progress is not None:
            progress(done, most)
        proposals.append(Proposal(rule.name, parameter, _current(rule, parameter), value, tuple(tried), best, unseen))
    return proposals


def _ladder(rule: Rule) -> tuple[str, tuple[Any, ...]]:
    """The rule's principal parameter and the values to try, the most sensitive first."""
    spec: Any = rule.detector
    if hasattr(spec, "max_p_value"):
        return "detector.max_p_value", _P_VALUES
    if spec.type == "return_period":
        return "detector.once_in", tuple(timedelta(days=days) for days in _DAYS)
    if getattr(spec, "parts", None) or spec.type == "breadth":
        documents = max(1, rule.evidence.documents)
        return "evidence.documents", tuple(sorted({max(1, round(documents * factor)) for factor in _FACTORS}))
    name = {"threshold": "below" if spec.type == "threshold" and spec.above is None else "above", "rate_of_change": "factor"}.get(
        spec.type, {"change_point": "threshold", "spike": "spike_height"}.get(spec.type, "")
    )
    now = getattr(spec, name, None)
    if now is None:  # rate_of_change by delta
        name, now = "delta", spec.delta
    if name == "below":
        return "detector.below", tuple(now / factor if now > 0 else now * factor for factor in _FACTORS)
    return f"detector.{name}", tuple(now * factor for factor in _FACTORS)


def _current(rule: Rule, parameter: str) -> Any:
    place: Any = rule
    for part in parameter.split("."):
        place = getattr(place, part)
    return place


def _measure(rules: RuleSet, chosen: dict[str, Any], sightings: Sequence[Sighting], incidents: Sequence[Incident], keys: int) -> Score:
    changed = with_parameters(rules, chosen)
    found = run(changed, sightings)
    windows = {rule.name: rule.window_minutes for rule in changed.rules}
    within = [incident for incident in incidents if found.first <= incident.start <= found.last]
    return score(found, within, windows, keys=keys)


def _after(rules: RuleSet, sightings: Sequence[Sighting], incidents: Sequence[Incident], border: int, keys: int) -> Score:
    """Figures of the part after `border` in a run over everything: the baselines are as long as they would be."""
    found = run(rules, sightings)
    found.detections = [detection for detection in found.detections if detection.minute >= border]
    found.first = border
    windows = {rule.name: rule.window_minutes for rule in rules.rules}
    return score(found, [incident for incident in incidents if incident.start >= border], windows, keys=keys)
