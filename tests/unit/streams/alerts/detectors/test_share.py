"""The share test: calibrated, powerful, and never fooled by a few documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors import share
from streams.alerts.detectors.share import MAX_PRECISION, MIN_PRECISION, USUAL_PRECISION, Share
from streams.alerts.detectors.tails import beta_binomial_tail
from streams.alerts.rules.detectors import ShareSpec
from streams.alerts.tally import NOTHING, Tally

WORLD = Tally(10_000.0, 10_000.0, 2500.0, 0.0)


@pytest.fixture
def assess(look):
    def judge(window, baseline=(0, 0), world=WORLD, hours=24, **spec):
        n, k = baseline
        view = look(window, hours=np.full(hours, n / hours), negative=np.full(hours, k / hours), world=world)
        return Share(ShareSpec(type="share", **spec)).assess(view)

    return judge


def test_the_p_value_is_the_exact_tail_of_prior_and_baseline(assess):
    found = assess((20, 15), (50, 10), NOTHING)
    weight = 50 / (1 + (50 / 8 - 1) / (USUAL_PRECISION + 1))
    share = (4 * 0.35 + 0.2 * weight) / (4 + weight)
    assert found.p_value == pytest.approx(beta_binomial_tail(15, 20, (4 + weight) * share, (4 + weight) * (1 - share)), rel=0.05)
    assert found.value == 0.75
    assert found.expected == pytest.approx(share, rel=1e-2)
    assert found.low <= found.expected <= found.high < found.value
    assert (found.baseline_minutes, found.baseline_documents) == (24 * 60, pytest.approx(50))


def test_more_negatives_are_never_less_unusual(assess):
    @given(st.integers(1, 300), st.data())
    @settings(deadline=None, max_examples=60)
    def check(n, data):
        k = data.draw(st.integers(0, n - 1))
        baseline = data.draw(st.integers(0, 400).flatmap(lambda total: st.tuples(st.just(total), st.integers(0, total))))
        fewer, more = assess((n, k), baseline).p_value, assess((n, k + 1), baseline).p_value
        assert more <= fewer + 1e-12
        assert 0.0 <= more <= 1.0 + 1e-12

    check()


def test_a_short_baseline_says_less_than_a_long_one(assess):
    short, middle, long = (assess((15, 12), (count, count // 5)).p_value for count in (5, 20, 100))
    assert short > middle > long


def test_a_long_baseline_is_not_believed_beyond_the_days_own_swing(look):
    """54 % of 2,000 against 48 % of 100,000: overwhelming for a binomial test, an ordinary day for a key that swings."""
    rng = np.random.default_rng(3)
    hours = np.full(168, 600.0)
    negative = np.repeat(rng.beta(48, 52, 56), 3) * hours
    detector = Share(ShareSpec(type="share"))
    assert detector.assess(look((2000, 1080), hours=hours, negative=negative)).p_value > 0.01
    assert detector.assess(look((2000, 1900), hours=hours, negative=negative)).p_value < 1e-9
    steady = rng.binomial(600, 0.48, 168).astype(float)
    assert detector.assess(look((2000, 1200), hours=hours, negative=steady)).p_value < 1e-4
    assert detector.assess(look((2000, 1200), hours=hours, negative=negative)).p_value > 1e-3


@pytest.mark.parametrize("window", [(0, 0), (1, 1), (2, 2), (5, 5)])
def test_nothing_known_and_few_documents_cannot_fire(assess, window):
    assert not assess(window, world=NOTHING).holds
    assert not assess(window).holds


def test_from_none_to_one_is_nothing(assess):
    found = assess((1, 1), (200, 0))
    assert not found.holds
    assert found.p_value > 1e-3


def test_without_a_baseline_the_world_is_expected_and_without_a_world_the_rule(assess):
    assert assess((10, 5), world=Tally(1e4, 1e4, 1e3, 0.0)).expected == pytest.approx(0.1, abs=0.01)
    assert assess((10, 5), world=NOTHING, prior_share=0.2).expected == pytest.approx(0.2)
    assert assess((10, 5), (1000, 700)).expected == pytest.approx(0.68, abs=0.02)


def test_the_least_share_must_be_reached(assess):
    assert assess((200, 98), (500, 25)).p_value < 1e-4
    assert not assess((200, 98), (500, 25)).holds
    assert assess((200, 98), (500, 25)).near
    assert assess((200, 98), (500, 25), min_share=0.4).holds
    assert not assess((200, 60), (500, 25)).near


def test_only_the_rules_own_baseline_counts(look):
    hours = np.full(48, 10.0)
    negative = np.concatenate((np.full(24, 9.0), np.full(24, 1.0)))
    view = look((20, 15), hours=hours, negative=negative)
    day = Share(ShareSpec(type="share", baseline="1d")).assess(view)
    both = Share(ShareSpec(type="share", baseline="2d")).assess(view)
    assert (day.baseline_documents, day.baseline_minutes) == (240, 1440)
    assert (both.baseline_documents, both.baseline_minutes) == (480, 2880)
    assert day.expected < 0.15 < 0.45 < both.expected


def test_the_baseline_begins_where_the_key_is_known(look):
    view = look((20, 15), hours=np.full(48, 10.0), negative=np.full(48, 1.0))
    later = look((20, 15), hours=np.full(48, 10.0), negative=np.full(48, 1.0), known_since=view.hours.end - 90)
    assert Share(ShareSpec(type="share")).assess(later).baseline_minutes == 90


def test_fractions_err_towards_silence(assess):
    whole = assess((20, 15), (100, 20)).p_value
    assert assess((20.4, 15.9), (100, 20)).p_value > whole


def drawn(rng, rate, share, precision, swing):
    """Documents and negatives of a fortnight of hours, and those of the three-hour window after it."""
    blocks = 14 * 8 + 1
    counts = rng.poisson(rate, blocks)
    if precision is None:
        shares = np.full(blocks, share)
    elif swing == "window":
        shares = rng.beta(precision * share, precision * (1 - share), blocks)
    else:
        shares = np.repeat(rng.beta(precision * share, precision * (1 - share), 15), 8)[-blocks:]
    bad = rng.binomial(counts, shares)
    return counts[:-1].repeat(3) / 3.0, bad[:-1].repeat(3) / 3.0, max(1, counts[-1]), bad[-1], shares[-1]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("rate", [8, 40, 150])
@pytest.mark.parametrize(("precision", "swing"), [(None, ""), (100, "window"), (60, "day"), (30, "window")])
def test_the_false_alarm_rate_is_what_the_p_value_says(look, share, rate, precision, swing):
    """Keys whose share is always the same, and keys whose share is drawn anew for each window, or for each day."""
    rng = np.random.default_rng(7)
    detector = Share(ShareSpec(type="share", baseline="14d"))
    p_values = []
    for _ in range(200):
        hours, negative, count, bad, _ = drawn(rng, rate, share, precision, swing)
        p_values.append(detector.assess(look((count, bad), hours=hours, negative=negative, world=WORLD)).p_value)
    for level in (0.05, 0.01):
        slack = 3 * (level * (1 - level) / len(p_values)) ** 0.5
        assert np.mean(np.array(p_values) <= level) <= level + slack
    assert min(p_values) < 0.5


@pytest.mark.parametrize(("rate", "rise", "found"), [(150, 0.25, 0.85), (60, 0.4, 0.85)])
def test_a_busy_steady_key_is_heard_where_a_swinging_one_is_not(look, rate, rise, found):
    rng = np.random.default_rng(8)

    def heard(precision):
        holds = []
        for _ in range(60):
            hours, negative, count, _, share = drawn(rng, rate, 0.3, precision, "window")
            view = look((count, rng.binomial(count, min(0.95, share + rise))), hours=hours, negative=negative, world=WORLD)
            holds.append(Share(ShareSpec(type="share", baseline="14d")).assess(view).holds)
        return np.mean(holds)

    assert heard(None) >= found
    assert heard(20) <= heard(None) - 0.3


@pytest.mark.parametrize("days", [1, 2])
def test_an_incident_of_the_past_does_not_hide_the_next(look, days):
    rng = np.random.default_rng(10)
    hours = rng.poisson(20.0, 14 * 24).astype(float)
    calm = rng.binomial(hours.astype(int), 0.25).astype(float)
    past = calm.copy()
    where = slice(100, 100 + 24 * days)
    past[where] = rng.binomial(hours[where].astype(int), 0.7)
    detector = Share(ShareSpec(type="share", baseline="14d"))
    before, after = (detector.assess(look((60, 36), hours=hours, negative=bad, world=WORLD)) for bad in (calm, past))
    assert before.holds
    assert after.holds
    assert after.expected == pytest.approx(before.expected, abs=0.03)


def test_what_lasts_is_the_new_ordinary(look):
    rng = np.random.default_rng(11)
    hours = rng.poisson(20.0, 14 * 24)
    negative = rng.binomial(hours, np.where(np.arange(14 * 24) < 5 * 24, 0.25, 0.6)).astype(float)
    found = Share(ShareSpec(type="share", baseline="14d")).assess(look((60, 38), hours=hours.astype(float), negative=negative))
    assert not found.holds
    assert found.expected > 0.45


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 1)), min_size=1, max_size=400), st.sampled_from([1, 3, 12]))
@settings(deadline=None, max_examples=60)
def test_any_past_gives_a_share_and_a_precision_within_bounds(past, block):
    scored = np.array([float(count) for count, _ in past])
    negative = np.array([count * part for count, part in past])
    found = share._learn(scored, negative, block)
    assert 0.0 <= found.share <= 1.0
    assert MIN_PRECISION * 0.999 <= found.precision <= MAX_PRECISION * 1.001
    assert 0.0 <= found.weight <= scored.sum() + 1e-6


@pytest.mark.parametrize(("documents", "share"), [(12, 0.95), (20, 0.85), (50, 0.7), (200, 0.65)])
def test_a_turn_of_opinion_is_found(assess, documents, share):
    rng = np.random.default_rng(9)
    found = [assess((documents, rng.binomial(documents, share)), (300, 60)).holds for _ in range(100)]
    assert np.mean(found) >= 0.9


def test_what_possible_excludes_never_holds(look):
    detector = Share(ShareSpec(type="share", max_p_value=0.5))
    assert not detector.possible(Tally(50.0, 50.0, 0.0, 0.0))
    found = detector.assess(look((50, 0), hours=np.full(24, 5.0), negative=np.zeros(24)))
    assert not found.holds
    assert not found.near
    assert detector.possible(Tally(50.0, 50.0, 1.0, 0.0))


def test_the_explanation_holds_the_numbers(assess):
    text = assess((20, 18), (100, 20)).explanation
    for part in ("18 of 20", "90%", "100 documents", "p = "):
        assert part in text
