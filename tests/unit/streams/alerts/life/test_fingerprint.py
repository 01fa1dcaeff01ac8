"""Names that outlive restarts."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from streams.alerts.life.fingerprint import alert_id, fingerprint, group_fingerprint, message_id
from streams.documents import Key

BANK = Key(kind="entity", value="bank", name="The Bank")


def test_the_names_are_those_of_earlier_releases():
    mark = hashlib.sha256(b"negative-share|entity:bank").hexdigest()[:16]
    assert fingerprint("negative-share", BANK) == mark
    assert alert_id(mark, 29_000_000) == hashlib.sha256(f"{mark}|29000000".encode()).hexdigest()[:32]
    assert message_id("a1", 3) == "a1-3"


def test_a_key_is_not_known_by_its_display_name():
    assert fingerprint("r", BANK) == fingerprint("r", BANK.model_copy(update={"name": "Bank, The"}))


@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from(["entity", "tag"]), st.sampled_from(["entity", "tag"]))
def test_different_keys_have_different_names(one, two, kind, other):
    first, second = Key(kind=kind, value=one, name="x"), Key(kind=other, value=two, name="x")
    assert (fingerprint("r", first) == fingerprint("r", second)) == (str(first) == str(second))


def test_a_group_is_its_members_in_any_order():
    assert group_fingerprint(frozenset({"a", "b"}), "digest-0") == group_fingerprint(frozenset({"b", "a"}), "digest-0")
    assert group_fingerprint(frozenset({"a"}), "digest-0") != group_fingerprint(frozenset({"a"}), "digest-1")
