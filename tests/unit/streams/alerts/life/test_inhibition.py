"""Who stands behind a window, and what is left without them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.detectors.contract import Assessment
from streams.alerts.life.inhibition import NO_SUSPICION, entity_of, suspicion, without
from streams.documents import Key

END = 29_000_000 // 60 * 60
TAG = Key(kind="tag", value="banking", name="Banking")
PEER = Key(kind="entity", value="peer", name="Peer")


def half(rule, view):
    share = view.window.share
    return Assessment(share >= 0.5, False, share, None, share, 0.2, 0.0, 0.4, 0, 0.0, "")


@pytest.fixture(scope="session")
def judge(rule, judgement, witnesses):
    def make(key, *groups, known=True, **fields):
        return judgement(rule(**fields), key, END, witnesses(END, *groups, known=known))

    return make


def named(found):
    return [(suspect.entity, round(suspect.share, 2), suspect.alone) for suspect in found.suspects]


def test_the_entity_of_a_key():
    assert entity_of(PEER) == "peer"
    assert entity_of(Key(kind="topic+entity", value="economy|peer", name="x")) == "peer"
    assert entity_of(TAG) is None


def test_half_of_a_tags_negatives_point_at_an_entity(judge):
    assert named(suspicion(judge(TAG, (15, True, ("bank",)), (4, True, ()), (10, False, ())), half)) == [("bank", 0.79, True)]


def test_an_entity_is_explained_only_by_another_that_most_of_its_negatives_name(judge):
    assert named(suspicion(judge(PEER, (16, True, ("bank", "peer")), (4, True, ("peer",))), half)) == [("bank", 0.8, True)]
    assert suspicion(judge(PEER, (9, True, ("bank", "peer")), (11, True, ("peer",))), half) == NO_SUSPICION


def test_a_sector_that_moves_without_the_bank_is_not_explained(judge):
    assert named(suspicion(judge(TAG, (20, True, ("bank",)), (20, True, ())), half)) == [("bank", 0.5, False)]


def test_two_crises_explain_a_tag_together(judge):
    found = suspicion(judge(TAG, (20, True, ("bank",)), (18, True, ("fund",)), (6, True, ())), half)
    assert named(found) == [("bank", 0.45, False), ("fund", 0.41, False)]
    assert found.together == ("bank", "fund")


def test_positives_do_not_count_unless_documents_are_counted(judge):
    groups = ((12, True, ()), (20, False, ("bank",)))
    assert suspicion(judge(TAG, *groups), half) == NO_SUSPICION
    assert named(suspicion(judge(TAG, *groups, signal="documents", detector={"type": "seasonal"}), half))[0][:2] == ("bank", 0.62)


@pytest.mark.parametrize(("kind", "value"), [("source", "wire"), ("language", "en"), ("all", "all"), ("source+language", "wire|en")])
def test_other_keys_are_explained_by_nobody(judge, kind, value):
    assert suspicion(judge(Key(kind=kind, value=value, name="x"), (30, True, ("bank",))), half) == NO_SUSPICION


def test_too_little_evidence_is_nothing_unusual(judge):
    assert named(suspicion(judge(TAG, (30, True, ("bank",)), (11, True, ())), half)) == [("bank", 0.73, True)]
    assert named(suspicion(judge(TAG, (30, True, ("bank",)), (12, True, ())), half)) == [("bank", 0.71, False)]
    fewer = {"evidence": {"documents": 12, "sources": 8}}
    assert named(suspicion(judge(TAG, (30, True, ("bank",)), (12, True, ()), **fewer), half)) == [("bank", 0.71, True)]


def test_what_is_left_names_none_of_the_causes(judge):
    seen = judge(TAG, (10, True, ("bank",)), (6, True, ()), (4, False, ("bank",)), (5, False, ()))
    rest = without(seen, {"bank"})
    assert tuple(rest.window)[:3] == pytest.approx((11, 11, 6))
    assert rest.recent.total()[:3] == pytest.approx((11, 11, 6))
    assert seen.view.window.documents == 25, "the judgement stays as it was"


def test_the_unknown_are_taken_to_be_like_the_known_of_their_kind(judge, judgement, witnesses, rule):
    known = witnesses(END, (15, True, ("bank",)), (5, True, ()))
    unknown = tuple(w._replace(id=f"u{w.id}") for w in witnesses(END, (20, True, ()), (40, False, ()), known=False))
    rest = without(judgement(rule(), TAG, END, known + unknown), {"bank"})
    # Three quarters of the known negatives name the bank; of no other kind is anything known, and the same is taken for it.
    assert rest.window.negative == pytest.approx(10)
    assert rest.window.documents == pytest.approx(20)


def test_nothing_known_explains_nothing(judge):
    seen = judge(TAG, (30, True, ("bank",)), known=False)
    assert suspicion(seen, half) == NO_SUSPICION
    assert without(seen, {"bank"}).window == seen.view.window


groups = st.lists(
    st.tuples(st.integers(1, 12), st.booleans(), st.sampled_from([(), ("bank",), ("peer", "bank"), ("fund",)])), min_size=1, max_size=6
)


@given(groups, st.sampled_from([{"bank"}, {"fund"}, {"bank", "fund"}, set()]))
def test_counts_never_go_negative_nor_grow(judge, plan, entities):
    seen = judge(TAG, *plan)
    rest = without(seen, entities)
    for before, after in zip(seen.view.window[:3], rest.window[:3], strict=True):
        assert 0 <= after <= before + 1e-9
    assert np.all(rest.recent.negative >= 0)
    assert np.all(rest.recent.scored >= rest.recent.negative - 1e-9)
    assert rest.sources <= seen.view.sources
    if not entities:
        assert rest.window == seen.view.window
