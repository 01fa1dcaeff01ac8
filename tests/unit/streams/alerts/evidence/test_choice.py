"""Which documents an alert shows, who agrees, and what is doubtful about them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.evidence.documents import MAX_EVIDENCE, choose, evidence
from streams.alerts.evidence.flags import doubts
from streams.alerts.evidence.support import support


def test_copies_of_one_site_do_not_fill_the_list(witness) -> None:
    loud = [witness(n, source="loud", original="d0", score=-1.0, weight=float(n == 0)) for n in range(20)]
    quiet = [witness(100 + n, source=f"quiet{n}", score=-0.5) for n in range(5)]
    chosen = choose([*loud, *quiet])
    assert [one.id for one in chosen[:6]] == ["d0", "d100", "d101", "d102", "d103", "d104"]
    assert len(chosen) == MAX_EVIDENCE, "with nobody else left, its copies are shown"


def test_what_counted_comes_first_then_originals_then_the_most_negative(witness) -> None:
    capped = witness(1, score=-1.0, weight=0.0, capped=True)
    copied = witness(2, score=-0.99, original="elsewhere", weight=0.5)
    mild, grave = witness(3, score=-0.4), witness(4, score=-0.9)
    untold = witness(5, score=-0.95, title="")
    assert choose([capped, copied, mild, grave, untold]) == [grave, mild, untold, copied, capped]
    assert choose([mild, grave], rising=True) == [mild, grave]


def test_languages_take_turns(witness) -> None:
    english = [witness(n, language="en", score=-0.9) for n in range(30)]
    others = [witness(50 + n, language=language, score=-0.3) for n, language in enumerate(("de", "zh"))]
    assert {one.language for one in choose([*english, *others])[:3]} == {"en", "de", "zh"}


def test_a_source_with_much_to_say_leaves_room(witness) -> None:
    wire = [witness(n, source="wire", score=-0.9) for n in range(30)]
    copies = [witness(50 + n, source=f"site{n}", original="d0", weight=0.0) for n in range(30)]
    found = [one.source for one in choose([*wire, *copies])]
    assert found[:5] == ["wire"] * 5
    assert found.count("wire") > 5
    assert any(source.startswith("site") for source in found)


WITNESSES = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["a", "b", "c"]),
            "author": st.integers(0, 3),
            "original": st.sampled_from(["d1", "d2", "other"]),
            "language": st.sampled_from(["en", "ar"]),
            "weight": st.sampled_from([0.0, 0.5, 1.0]),
            "negative": st.booleans(),
            "score": st.floats(-1, 1),
            "title": st.sampled_from(["", "Run"]),
        }
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(WITNESSES)
def test_the_choice_is_bounded_and_does_not_depend_on_the_order(fields) -> None:
    from streams.alerts.judgement import Witness

    def make(number: int, changed: dict[str, object]) -> Witness:
        base = {"id": f"d{number}", "minute": number % 7, "scored": True, "topic": "", "capped": False}
        return Witness(**(base | changed))

    found = [make(number, changed) for number, changed in enumerate(fields)]
    chosen = choose(found)
    assert len(chosen) == min(len(found), MAX_EVIDENCE)
    assert len({one.id for one in chosen}) == len(chosen)
    assert choose(found[::-1]) == chosen


def test_a_flood_of_documents_is_searched_in_part_only(witness) -> None:
    flood = [witness(n, source=f"s{n % 3000}", score=-0.5 - (n % 400) / 1000) for n in range(20_000)]
    assert len(choose(flood)) == MAX_EVIDENCE


def test_independent_voices_are_counted_without_copies(witness, judged) -> None:
    story = [witness(n, original="d0", source=f"site{n}", language=("en", "de")[n % 2], weight=0.5 if n else 1.0) for n in range(10)]
    own = [witness(20, source="other", language="zh"), witness(21, source="other", language="zh")]
    found = support(judged([*story, *own, witness(30, negative=False, score=0.5)]))
    assert len(found.all) == 12
    assert found.independent_sources == 2
    assert found.independent_languages == 2
    assert list(found.languages.items()) == [("de", 5), ("en", 5), ("zh", 2)]
    assert found.topics == {"economy": 12}


@pytest.mark.parametrize(
    ("signal", "value", "expected", "noun", "number"),
    [
        ("negative_share", 0.8, 0.2, "negative documents", 2),
        ("negative_share", 0.1, 0.5, "positive documents", 1),
        ("mean_score", 0.5, 0.0, "positive documents", 1),
        ("mean_score", -0.5, 0.0, "negative documents", 2),
        ("documents", 9.0, 2.0, "documents", 4),
        ("negative", 9.0, 2.0, "negative documents", 2),
    ],
)
def test_what_bears_an_alert_out_depends_on_its_signal(witness, judged, signal, value, expected, noun, number) -> None:
    documents = [witness(1), witness(2), witness(3, negative=False, score=0.5), witness(4, negative=False, score=0.0, scored=False)]
    rule = {"signal": signal, "detector": {"type": "threshold", "above": 0.1}}
    found = support(judged(documents, rule=rule, value=value, expected=expected))
    assert (found.noun, len(found.all)) == (noun, number)
    assert len(evidence(found)) == number


def _flags(found) -> list[str]:
    return [doubt.flag for doubt in doubts(found)]


def test_one_author_behind_most_of_it_is_a_possible_campaign(witness, judged) -> None:
    campaign = [witness(n, author=7, source="forum", weight=float(n < 5)) for n in range(12)]
    others = [witness(50 + n, author=100 + n, source="forum") for n in range(8)]
    (doubt, single) = doubts(support(judged([*campaign, *others])))
    assert doubt.flag == "possible_campaign"
    assert "one author wrote 12 of 20 negative documents" in doubt.sentence
    assert single.flag == "single_source"
    assert _flags(support(judged([*campaign[:8], *others]))) == ["single_source"]


def test_an_agency_that_many_sites_print_is_no_campaign(witness, judged) -> None:
    printed = [witness(n, author=7, original="d0", source=f"site{n}", weight=float(n == 0)) for n in range(15)]
    own = [witness(50 + n, source=f"own{n}") for n in range(4)]
    (doubt,) = doubts(support(judged([*printed, *own])))
    assert doubt.flag == "mostly_copies"
    assert "14 of 19 negative documents repeat another one" in doubt.sentence


def test_one_source_behind_most_of_it_is_a_possible_campaign_unless_many_write_there(witness, judged) -> None:
    others = [witness(50 + n) for n in range(4)]
    site = [witness(n, source="site") for n in range(9)]
    (doubt,) = doubts(support(judged([*site, *others])))
    assert "one source (site) published 9 of 13 negative documents" in doubt.sentence
    forum = [witness(n, source="forum", author=n + 1) for n in range(9)]
    assert _flags(support(judged([*forum, *others]))) == []


def test_few_documents_raise_no_doubt_but_that_of_one_source(witness, judged) -> None:
    assert _flags(support(judged([witness(n, author=1, source="a") for n in range(3)]))) == ["single_source"]
    assert _flags(support(judged([witness(1)]))) == []
    assert _flags(support(judged([]))) == []
