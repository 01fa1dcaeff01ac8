"""What an incident of the past leaves behind in what is expected: nothing, where it was one, and all, where it is how the key is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors.expectation import Rhythm
from streams.alerts.detectors.past_incidents import INCIDENT_EVERY, INCIDENT_HOURS

DAYS = 28


def ordinary(rng, rate=3.0, days=DAYS, dispersion=0.1):
    """Documents an hour of a small key with a rhythm of the day."""
    means = rate * np.exp(0.5 * np.sin(2 * np.pi * np.arange(days * 24) / 24))
    return rng.poisson(means * rng.gamma(1 / dispersion, dispersion, len(means))).astype(float)


def added(counts, rng, first, hours, factor):
    more = counts.copy()
    more[first : first + hours] += rng.poisson(counts.mean() * (factor - 1.0), hours)
    return more


def seen(counts, minutes=180):
    found = Rhythm(counts, 0, "auto").expect(0, minutes)
    return found.mean, found.dispersion


@pytest.mark.parametrize(("hours", "factor"), [(12, 6.0), (30, 6.0), (60, 4.0), (80, 10.0)])
@pytest.mark.parametrize("ago", [100, 250, 500])
def test_an_incident_that_is_over_leaves_no_trace(hours, factor, ago):
    rng = np.random.default_rng(ago + hours)
    clean = ordinary(rng)
    stained = added(clean, rng, len(clean) - ago, hours, factor)
    (mean, width), (other_mean, other_width) = seen(clean), seen(stained)
    assert other_mean == pytest.approx(mean, rel=0.2)
    assert other_width < 1.5 * width + 0.02


def test_it_did_before_it_was_left_out(monkeypatch):
    """The dispersion of this key is several times as great where nothing is left out: the test above can fail."""
    rng = np.random.default_rng(1)
    clean = ordinary(rng)
    stained = added(clean, rng, 400, 60, 6.0)
    monkeypatch.setattr("streams.alerts.detectors.past_incidents.INCIDENT_HOURS", 0)
    assert seen(stained)[1] > 2.0 * seen(clean)[1]


def test_a_silence_leaves_no_trace_either():
    rng = np.random.default_rng(2)
    clean = ordinary(rng, rate=10.0)
    stained = clean.copy()
    stained[300:336] = 0.0
    assert seen(stained)[1] < 1.3 * seen(clean)[1] + 0.01


def test_what_comes_every_few_days_is_how_the_key_is():
    rng = np.random.default_rng(3)
    clean = ordinary(rng)
    often = clean
    for first in range(40, len(clean) - 100, 72):
        often = added(often, rng, first, 8, 6.0)
    assert seen(often)[1] > 2.5 * seen(clean)[1]


@pytest.mark.parametrize("hours", [24, INCIDENT_HOURS + 60])
def test_what_lasts_is_not_left_out(hours):
    """An incident that goes on and a change that has lasted for days both count: the level has followed, or soon will."""
    rng = np.random.default_rng(4)
    clean = ordinary(rng)
    changed = added(clean, rng, len(clean) - hours, hours, 4.0)
    rhythm = Rhythm(changed, 0, "auto")
    expected = rhythm.expect(0, 1440).mean / seen(clean, 1440)[0]
    assert expected > 3.0 if hours > INCIDENT_HOURS else expected < 2.0


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.floats(0.0, 2.0))
def test_at_most_one_incident_for_every_ten_days_is_left_out(days, seed, dispersion):
    rng = np.random.default_rng(seed)
    counts = ordinary(rng, rate=float(rng.uniform(0.05, 40.0)), days=days, dispersion=dispersion + 0.01)
    for _ in range(int(rng.integers(0, 8))):
        if days > 3:
            counts = added(counts, rng, int(rng.integers(0, len(counts) - 48)), int(rng.integers(1, 48)), float(rng.uniform(2, 20)))
    usual = Rhythm(counts, 0, "auto").usual
    edges = np.flatnonzero(np.diff(np.concatenate(([True], usual, [True])).astype(int)) == -1)
    assert len(edges) <= days // INCIDENT_EVERY
    assert (~usual).sum() <= INCIDENT_HOURS * (days // INCIDENT_EVERY)


def test_ordinary_keys_have_no_incidents():
    """Of a hundred keys, sparse and busy, calm and unsteady, hardly any hour is taken for one."""
    rng = np.random.default_rng(5)
    left_out = [
        (~Rhythm(ordinary(rng, rate=float(10 ** rng.uniform(-1.5, 2)), dispersion=float(rng.uniform(0.01, 0.5))), 0, "auto").usual).mean()
        for _ in range(100)
    ]
    assert np.mean(left_out) < 0.004
