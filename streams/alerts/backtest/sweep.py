"""Many runs over one history: which parameters cost what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from streams.alerts.backtest.incidents import Incident
from streams.alerts.backtest.parameters import Axis, grid, with_parameters
from streams.alerts.backtest.run import run
from streams.alerts.backtest.scoring import Score, score
from streams.alerts.rules.reading import RuleSet
from streams.alerts.sighting import Sighting

__all__ = ["Trial", "pareto", "sweep"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination of parameters and the figures of its run."""

    parameters: dict[str, Any]
    score: Score


def sweep(
    rules: RuleSet,
    sightings: Sequence[Sighting],
    incidents: Sequence[Incident],
    axes: Sequence[Axis],
    *,
    keys: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Trial]:
    """Run every combination of `axes`.

    Args:
        rules, sightings, incidents: as for one run.
        axes: parameters and their values.
        keys: keys over which false alerts are spread.
        progress: called with (combinations done, in all).

    Raises:
        SettingsError: a parameter that no rule has, or a value that makes no sense.
    """
    combinations = [(chosen, with_parameters(rules, chosen)) for chosen in grid(axes)]
    trials = []
    for done, (chosen, changed) in enumerate(combinations, start=1):
        windows = {rule.name: rule.window_minutes for rule in changed.rules}
        trials.append(Trial(chosen, score(run(changed, sightings), incidents, windows, keys=keys)))
        if progress is not None:
            progress(done, len(combinations))
    return trials


def pareto(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no other one beats: more recall, fewer false alerts, less delay; fewest false alerts first."""

    def cost(trial: Trial) -> tuple[float, float, float]:
        figures = trial.score
        delay = figures.delay_minutes if figures.delay_minutes is not None else float("inf")
        return -(figures.recall or 0.0), figures.false_per_day, delay

    costs = [cost(trial) for trial in trials]
    kept = [
        trial
        for trial, own in zip(trials, costs, strict=True)
        if not any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in costs)
    ]
    return sorted(kept, key=lambda trial: (trial.score.false_per_day, -(trial.score.recall or 0.0)))
