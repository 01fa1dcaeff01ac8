"""Which entity stands behind a window."""

from __future__ import annotations

from streams.alerts.explaining import causes, remainder
from streams.alerts.windows import Counts, Vote
from streams.documents import Key

TAG = Key(kind="tag", value="banking", name="Banking")
PEER = Key(kind="entity", value="peer", name="Peer")


def votes(*groups):
    found = []
    for count, negative, entities in groups:
        found += [
            Vote(f"{len(found) + n}", f"{len(found) + n}", n, negative, 0.0, "s", "en", entities, 0.0, "", None) for n in range(count)
        ]
    return found


def test_half_of_a_tags_negatives_point_at_an_entity():
    window = votes((5, True, ("bank",)), (5, True, ("other",)), (5, True, ()), (9, False, ("other",)))
    assert causes(TAG, window, ()) == []
    assert causes(TAG, votes((5, True, ("bank",)), (5, True, ())), ()) == [("bank", 5)]


def test_an_entity_with_an_alert_explains_its_part_of_a_tag():
    window = votes((3, True, ("bank",)), (9, True, ()))
    assert causes(TAG, window, {"bank"}) == [("bank", 3)]
    assert causes(TAG, window, {"absent"}) == []


def test_an_entity_is_explained_only_by_another_that_has_an_alert_and_most_of_its_negatives():
    window = votes((6, True, ("bank", "peer")), (5, True, ("peer",)))
    assert causes(PEER, window, ()) == []
    assert causes(PEER, window, {"peer"}) == []
    assert causes(PEER, window, {"bank"}) == [("bank", 6)]
    assert causes(PEER, votes((4, True, ("bank", "peer")), (5, True, ("peer",))), {"bank"}) == []


def test_the_strongest_cause_comes_first_and_positives_do_not_count():
    window = votes((4, True, ("a", "b")), (2, True, ("b",)), (9, False, ("a",)))
    assert causes(TAG, window, {"a", "b"}) == [("b", 6), ("a", 4)]


def test_what_is_left_names_none_of_the_causes():
    window = votes((4, True, ("a", "b")), (2, True, ("b",)), (3, False, ("c",)), (1, True, ()))
    assert remainder(window, {"a"}) == Counts(6, 3)
    assert remainder(window, {"a", "b"}) == Counts(4, 1)
    assert remainder(window, set()) == Counts(10, 7)
