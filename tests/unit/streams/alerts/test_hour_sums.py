"""The sums of an hour are those of a slow count, whichever way they are taken."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.counting import Weights
from streams.alerts.hour_sums import settled_sums, sum_weighed, sum_whole
from streams.alerts.votes import Flag, Hour

PACK = struct.Struct("<BQQIQQIIhB")

#: (minute of the hour, scored, negative, score in ten-thousandths, kind of weight: whole, copy, capped)
VOTES = st.lists(st.tuples(st.integers(0, 59), st.booleans(), st.booleans(), st.integers(-10_000, 10_000), st.integers(0, 2)), max_size=30)
KINDS = (0, Flag.MUTED, Flag.CAPPED)


def hour_of(votes: list[tuple[int, bool, bool, int, int]]) -> Hour:
    hour = Hour()
    for number, (minute, scored, negative, score, kind) in enumerate(votes):
        flags = scored * Flag.SCORED | (scored and negative) * Flag.NEGATIVE | Flag.SETTLED | KINDS[kind]
        hour.add(PACK.pack(minute, number + 1, number + 1, 0, 0, 0, 0, 0, score if scored else 0, flags))
    return hour


def counted(votes: list[tuple[int, bool, bool, int, int]], hop: int, each: list[float]) -> np.ndarray:
    sums = np.zeros((60 // hop, 4))
    for (minute, scored, negative, score, _), weight in zip(votes, each, strict=True):
        sums[minute // hop] += weight * np.array([1, scored, scored and negative, score / 10_000 if scored else 0])
    return sums


@settings(max_examples=80, deadline=None)
@given(VOTES, st.sampled_from([5, 15, 60]), st.sampled_from([0.0, 0.25, 1.0]))
def test_weighed_sums(votes, hop, copy_weight):
    each = [(1.0, copy_weight, 0.0)[kind] for *_, kind in votes]
    hour, weights = hour_of(votes), Weights(np.array(each, dtype=float), np.array([kind == 2 for *_, kind in votes], dtype=bool))
    sum_weighed(hour, hour.rows(), weights, hop, copy_weight)
    assert hour.sums == pytest.approx(counted(votes, hop, each))
    assert hour.total == pytest.approx(counted(votes, hop, each).sum(axis=0))
    assert hour.weights is weights.weight
    assert hour.capped is weights.capped
    assert list(settled_sums(hour, copy_weight)) == pytest.approx(list(counted(votes, hop, each).sum(axis=0)))


@settings(max_examples=40, deadline=None)
@given(VOTES, st.sampled_from([5, 15, 60]))
def test_whole_sums_need_no_votes_only_those_of_the_hops_that_have_some(votes, hop):
    hour, whole = hour_of(votes), counted(votes, hop, [1.0] * len(votes))
    each = [
        (place, tuple(round(value * scale) for value, scale in zip(row, (1, 1, 1, 10_000), strict=True))) for place, row in enumerate(whole)
    ]
    sum_whole(hour, [one for one in each if one[1][0]], 60 // hop)
    assert hour.sums == pytest.approx(whole)
    assert hour.total == pytest.approx(whole.sum(axis=0))
    assert hour.weights.tolist() == [1.0] * len(votes)
    assert not hour.capped.any()


def test_the_weights_that_hours_share_cannot_be_written_to():
    hour = hour_of([(0, True, False, 0, 0)])
    sum_whole(hour, [(0, (1, 1, 0, 0))], 1)
    with pytest.raises(ValueError, match="read-only"):
        hour.weights[0] = 0.5
