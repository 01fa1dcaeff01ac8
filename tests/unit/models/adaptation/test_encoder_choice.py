from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from models.adaptation.encoder_choice import Trained, Trial, Trials, final, try_out
from models.adaptation.fitting import Change, NewRows
from models.adaptation.tuning import Taught, Tuning
from models.errors import ModelError

LABELS = np.arange(90) % 3
TAUGHT = Taught([f"text {number}" for number in range(90)], LABELS, np.array([True, True, True]))


class Told:
    """Stands for a tuner whose networks answer as well as ``skill`` says: steps -> weight of the right answer."""

    chosen = Tuning()

    def __init__(self, skill: dict[int, float]) -> None:
        self.skill, self.asked = skill, []

    def logits(self, _network: Any, weights: int, share: float, texts: Sequence[str]) -> np.ndarray:
        self.asked.append((weights, share))
        rows = [int(text.split()[1]) for text in texts]
        noise = np.random.default_rng(weights).normal(0, 0.4, (90, 3))[rows]
        return noise + share * self.skill[weights] * np.eye(3)[LABELS[rows]]


def trials(skill: dict[int, float], alone: float, rows: Sequence[np.ndarray] = (np.arange(45), np.arange(45, 90))) -> tuple[Trials, Told]:
    told = Told(skill)
    head = np.random.default_rng(0).normal(0, 0.4, (90, 3)) + alone * np.eye(3)[LABELS]
    runs = [Trained(None, {steps: steps for steps in skill}, part) for part in rows]  # type: ignore[arg-type, misc]
    return Trials(told, TAUGHT, np.zeros((90, 3)), runs, head), told  # type: ignore[arg-type]


def test_the_longest_training_is_taken_only_where_it_is_better() -> None:
    assert trials({12: 1.0, 24: 1.0, 48: 3.0}, 0.5)[0].steps == 48
    assert trials({12: 2.0, 24: 2.0, 48: 2.0}, 0.5)[0].steps == 12
    assert trials({12: 2.0, 24: 1.0, 48: 0.2}, 0.5)[0].steps == 12


def test_adapters_that_bring_nothing_are_refused() -> None:
    trials({12: 2.0, 24: 2.0, 48: 2.0}, 0.5)[0].demand_more_than_the_head()
    with pytest.raises(ModelError, match=r"the adapters add nothing to a new head, loss \d\.\d+ -> \d\.\d+") as caught:
        trials({12: 1.0, 24: 1.0, 48: 1.0}, 2.0)[0].demand_more_than_the_head()
    assert "--method heads" in caught.value.mend


def test_only_labels_that_were_held_out_count() -> None:
    made, told = trials({12: 1.0, 24: 1.0, 48: 1.0}, 0.5, [np.arange(30)])
    assert made.rows.tolist() == list(range(30))
    assert made.base.shape == (30, 3)
    assert len(made.watched.labels) == 30
    told.asked.clear()
    half = made.held([Trial(48, 0.5)])
    assert told.asked == [(48, 0.5)]
    assert half.logits[Trial(48, 0.5)].shape == (30, 3)


class Counting(Told):
    """Notes what each network was trained on."""

    def __init__(self) -> None:
        super().__init__({12: 1.0, 24: 1.0, 48: 1.0})
        self.seen: list[set[str]] = []

    def network(self, _start: Any) -> None:
        return None

    def run(self, _network: Any, taught: Taught, stops: Sequence[int], advance: Any) -> dict[int, int]:
        self.seen.append(set(taught.texts))
        advance(stops[-1])
        return {step: step for step in stops}

    def logits(self, _network: Any, weights: int, share: float, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 3))


class Fit:
    """Stands for the fit of a head, which changes nothing."""

    new = NewRows(np.zeros((90, 2)), np.zeros((90, 3)), LABELS, TAUGHT.universe)

    def without(self, _rows: np.ndarray) -> Change:
        return Change(np.zeros((2, 3)), np.zeros(3))

    def changed(self, _change: Change) -> None:
        return None


def test_no_network_is_asked_about_a_label_that_it_has_seen() -> None:
    told, shown = Counting(), []
    made = try_out(told, Fit(), TAUGHT, lambda step, done, total: shown.append((done, total)))  # type: ignore[arg-type]
    assert made.rows.tolist() == list(range(90)), "below two hundred labels every one is held out once"
    for run, seen in zip(made._runs, told.seen, strict=True):
        assert not seen & {TAUGHT.texts[row] for row in run.rows}
        assert len(seen) + len(run.rows) == 90
    assert shown[-1][0] == shown[-1][1], "the time left goes by all folds together"
    final(told, Fit(), TAUGHT, 24, lambda *_: None)  # type: ignore[arg-type]
    assert told.seen[-1] == set(TAUGHT.texts)
