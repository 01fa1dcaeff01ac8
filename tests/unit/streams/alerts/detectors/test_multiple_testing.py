"""Many keys, many windows: how few false alerts are promised, and that the promise is kept."""

from __future__ import annotations

import numpy as np
import pytest

from streams.alerts.detectors.multiple_testing import Budget


@pytest.mark.parametrize(
    ("per_day", "keys", "hops", "alpha"), [(1.0, 1000, 288, 1 / 288_000), (0.5, 10, 24, 0.5 / 240), (3.0, 0, 288, 1.0)]
)
def test_the_budget_is_divided_among_the_evaluations(per_day, keys, hops, alpha):
    assert Budget(per_day).alpha(keys, hops) == pytest.approx(alpha)


def test_the_budget_is_kept():
    """A hundred days of 200 keys with 24 windows each, where nothing ever happens."""
    p_values = np.random.default_rng(1).uniform(size=(100, 200 * 24))
    alarms = (p_values <= Budget(1.0).alpha(200, 24)).sum(axis=1)
    assert alarms.mean() == pytest.approx(1.0, abs=0.3)
