"""Weights: against a slow and obvious count, and what they mean for a campaign."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.counting import Weights, settled_weights, weigh
from streams.alerts.rules.model import Counting
from streams.alerts.votes import VOTE, Flag

WINDOW = 60
NOTHING_KNOWN = Weights(np.empty(0), np.empty(0, dtype=np.bool_))


def made(documents):
    """(minute, id, original, author, source) of each document."""
    rows = np.zeros(len(documents), dtype=VOTE)
    for place, (_, number, original, author, source) in enumerate(documents):
        rows[place]["id"], rows[place]["original"] = number, original
        rows[place]["author"], rows[place]["source"] = author, source
        rows[place]["flags"] = Flag.SCORED | (Flag.COPY if number != original else 0)
    return np.array([document[0] for document in documents], dtype=np.int64), rows


def slowly(documents, counting):
    """The same by the letter of the rule, one document after the other."""
    ordered = sorted(
        range(len(documents)), key=lambda place: (documents[place][0], documents[place][1] != documents[place][2], documents[place][1])
    )
    weights = [0.0] * len(documents)
    capped = [False] * len(documents)
    for rank, place in enumerate(ordered):
        earlier = [documents[other] for other in ordered[:rank]]
        muted = any(item[2] == documents[place][2] and documents[place][0] - item[0] < WINDOW for item in earlier)
        weights[place] = counting.copy_weight if muted else 1.0
    caps = [(cap, field) for cap, field in ((counting.per_author, 3), (counting.per_source, 4)) if cap]
    counted = []
    for place in ordered:
        minute = documents[place][0]
        near = [documents[other] for other in counted if minute - documents[other][0] < WINDOW]
        whose = [(cap, field, documents[place][field]) for cap, field in caps if documents[place][field]]
        if any(sum(item[field] == who for item in near) >= cap for cap, field, who in whose):
            weights[place], capped[place] = 0.0, True
        elif weights[place] == 1.0:
            counted.append(place)
    return weights, capped


def streams(seed, count):
    choose = random.Random(seed)
    documents = []
    for number in range(1, count + 1):
        original = choose.randrange(1, number + 1) if choose.random() < 0.5 else number
        documents.append((choose.randrange(300), number, original, choose.randrange(3), choose.randrange(3)))
    return documents


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 60),
    per_author=st.integers(0, 3),
    per_source=st.integers(0, 4),
    copy_weight=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_it_is_what_the_rule_says(seed, count, per_author, per_source, copy_weight):
    documents = streams(seed, count)
    counting = Counting(copy_weight=copy_weight, per_author=per_author, per_source=per_source)
    found = weigh(*made(documents), NOTHING_KNOWN, counting, WINDOW)
    weights, capped = slowly(documents, counting)
    assert found.weight.tolist() == weights
    assert found.capped.tolist() == capped


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(2, 60),
    split=st.integers(60, 240),
    per_author=st.integers(0, 3),
    per_source=st.integers(0, 4),
)
def test_what_is_decided_need_not_be_decided_again(seed, count, split, per_author, per_source):
    """Hour by hour, with the hour before as it was decided: the same as at once."""
    documents = sorted(streams(seed, count))
    counting = Counting(per_author=per_author, per_source=per_source)
    first = [item for item in documents if item[0] < split]
    if not first or len(first) == len(documents):
        return
    whole = weigh(*made(documents), NOTHING_KNOWN, counting, WINDOW)
    known = weigh(*made(first), NOTHING_KNOWN, counting, WINDOW)
    near = [place for place, item in enumerate(first) if item[0] >= split - WINDOW]
    rest = [first[place] for place in near] + documents[len(first) :]
    again = weigh(*made(rest), Weights(known.weight[near], known.capped[near]), counting, WINDOW)
    assert again.weight.tolist() == whole.weight[len(first) - len(near) :].tolist()


def test_a_flood_is_cut_down_to_the_cap_in_every_window():
    documents = [(minute, minute + 1, minute + 1, 7, 1) for minute in range(600)]
    weight = weigh(*made(documents), NOTHING_KNOWN, Counting(per_author=5), WINDOW).weight
    assert max(weight[start : start + WINDOW].sum() for start in range(540)) == 5
    assert weight.sum() == 50, "who writes steadily keeps the cap in every window"


def test_what_is_beyond_the_cap_of_its_source_takes_no_place_of_its_author():
    """It weighs nothing, so its author has said nothing yet: the next document counts, whatever was looked at together with it."""
    documents = [(minute, minute + 1, minute + 1, 0, 1) for minute in range(3)]
    documents += [(10, 11, 11, 7, 1), (20, 21, 21, 7, 2)]
    found = weigh(*made(documents), NOTHING_KNOWN, Counting(per_author=1, per_source=3), WINDOW)
    assert found.weight.tolist() == [1.0, 1.0, 1.0, 0.0, 1.0]
    assert found.capped.tolist() == [False, False, False, True, False]


def test_unknown_authors_are_not_one_author():
    documents = [(minute, minute + 1, minute + 1, 0, 1) for minute in range(30)]
    assert weigh(*made(documents), NOTHING_KNOWN, Counting(per_author=2), WINDOW).weight.sum() == 30


def test_a_story_that_is_syndicated_for_hours_counts_once():
    documents = [(minute * 30, minute + 1, 1, 0, minute) for minute in range(12)]
    assert weigh(*made(documents), NOTHING_KNOWN, Counting(), WINDOW).weight.tolist() == [1.0] + [0.0] * 11


@pytest.mark.parametrize(("flag", "weight", "capped"), [(0, 1.0, False), (Flag.MUTED, 0.3, False), (Flag.CAPPED, 0.0, True)])
def test_what_was_written_down_is_read_again(flag, weight, capped):
    rows = np.zeros(1, dtype=VOTE)
    rows["flags"] = flag | Flag.SETTLED
    found = settled_weights(rows, Counting(copy_weight=0.3))
    assert (found.weight.tolist(), found.capped.tolist()) == ([weight], [capped])
