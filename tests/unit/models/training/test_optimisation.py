from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.configuration import Optimisation
from models.training.network import Network
from models.training.optimisation import advance_average, make_optimizer, rate_factor, set_rates

CHOSEN = Optimisation(steps=100, warmup=10, cooldown=0.2)


def test_rates_warm_up_stay_and_cool_down() -> None:
    assert [rate_factor(step, CHOSEN) for step in (0, 4, 9, 10, 80, 90, 99, 100)] == pytest.approx([0.1, 0.5, 1, 1, 1, 0.5, 0.05, 0])


@settings(max_examples=50)
@given(step=st.integers(0, 3_000), steps=st.integers(50, 2_000), cooldown=st.floats(0.0, 0.8))
def test_a_factor_lies_between_nought_and_one(step: int, steps: int, cooldown: float) -> None:
    assert 0.0 <= rate_factor(step, dataclasses.replace(CHOSEN, steps=steps, cooldown=cooldown)) <= 1.0


def test_a_longer_run_has_the_same_rates_until_the_shorter_one_cools() -> None:
    longer = dataclasses.replace(CHOSEN, steps=1_000)
    assert [rate_factor(step, CHOSEN) for step in range(80)] == [rate_factor(step, longer) for step in range(80)]


def test_lower_layers_move_less_and_only_matrices_decay(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    network = Network(small_tensors, small_config, frozen=1, feature_layers=(3,), heads={"sentiment": 3})
    chosen = Optimisation(learning_rate=1e-3, head_rate=1e-2, layer_decay=0.5, weight_decay=0.1)
    optimizer = make_optimizer(network, chosen)
    set_rates(optimizer, 0.5)
    names = list(network.parameters)
    groups = {name: optimizer.param_groups[index] for index, name in enumerate(names)}
    assert groups["encoder.layer.2.output.dense.weight"]["lr"] == pytest.approx(5e-4)
    assert groups["encoder.layer.1.output.dense.weight"]["lr"] == pytest.approx(2.5e-4)
    assert groups["heads.sentiment.bias"]["lr"] == pytest.approx(5e-3)
    assert groups["heads.sentiment.weight"]["weight_decay"] == 0.1
    assert groups["encoder.layer.1.output.LayerNorm.weight"]["weight_decay"] == 0.0


def test_the_average_follows_fast_at_first_and_slowly_later() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    average, parameters = {"a": torch.zeros(2)}, {"a": torch.ones(2, requires_grad=True)}
    advance_average(average, parameters, 1, 0.99)
    assert average["a"].tolist() == pytest.approx([9 / 11] * 2)
    late = {"a": torch.zeros(2)}
    advance_average(late, parameters, 100_000, 0.99)
    assert late["a"].tolist() == pytest.approx([0.01] * 2)
    advance_average(late, parameters, 100_000, 0.0)
    assert late["a"].tolist() == [1.0, 1.0]
