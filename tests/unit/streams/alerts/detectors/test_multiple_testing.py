"""Many keys, many windows: how few false alerts are promised, and that the promise is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from streams.alerts.detectors.multiple_testing import Budget, benjamini_hochberg


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


@given(st.lists(st.floats(0, 1), max_size=50), st.floats(0.001, 0.999))
def test_benjamini_hochberg_is_that_of_scipy(p_values, q):
    rejected = benjamini_hochberg(p_values, q)
    assert rejected.shape == (len(p_values),)
    if p_values:
        adjusted = false_discovery_control(np.array(p_values), method="bh")
        clear = np.abs(adjusted - q) > 1e-12
        assert (rejected == (adjusted <= q))[clear].all()


def test_the_share_of_false_discoveries_is_controlled():
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(300):
        p_values = rng.uniform(size=200)
        p_values[:20] /= 1000
        rejected = benjamini_hochberg(p_values, 0.1)
        shares.append(rejected[20:].sum() / max(1, rejected.sum()))
        assert rejected[:20].sum() >= 15
    assert np.mean(shares) <= 0.11


@pytest.mark.parametrize(("p_values", "q"), [([0.5], 0.0), ([0.5], 1.0), ([1.5], 0.1), ([-0.1], 0.1), ([float("nan")], 0.1)])
def test_what_is_no_probability_is_refused(p_values, q):
    with pytest.raises(ValueError, match="benjamini_hochberg"):
        benjamini_hochberg(p_values, q)
