"""Answers in plain sentences, and which key a person means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.asked_key import candidates, choose_key, find_key
from streams.alerts.why import answer, window_of
from streams.documents import (
    Alert,
    AlertStatus,
    Check,
    Decision,
    DecisionOutcome,
    Evidence,
    Explanation,
    Key,
    Measure,
    Observation,
    WordEffect,
)
from streams.errors import BellwetherError
from streams.sinks.inquiry import Heard

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
BANK = Key(kind="entity", value="caldrava-bank", name="Caldrava Bank")
TAG = Key(kind="tag", value="caldrava-bank", name="Caldrava-Bank")
PAIR = Key(kind="entity+topic", value="caldrava-bank|economy", name="Caldrava Bank, economy")


def _decision(outcome: DecisionOutcome = DecisionOutcome.BELOW_SHARE, **changed: object) -> Decision:
    fields: dict[str, object] = {
        "id": "d",
        "rule": "r",
        "key": BANK,
        "at": NOON,
        "outcome": outcome,
        "observed": Observation(start=NOON - timedelta(hours=6), end=NOON, documents=1, negative=1, share=1.0),
        "baseline": None,
        "p_value": None,
        "explanation": "as it was.",
    }
    return Decision.model_validate(fields | changed)


def _measure(**changed: object) -> Measure:
    fields: dict[str, object] = {
        "signal": "documents",
        "detector": "seasonal",
        "value": 40,
        "expected": 12.5,
        "low": 5,
        "high": None,
        "score": 0.5,
        "p_value": None,
        "baseline_minutes": 0,
        "baseline_documents": 0,
        "explanation": "",
    }
    return Measure.model_validate(fields | changed)


def _sentences(decision: Decision) -> list[str]:
    return list(answer("r", BANK, NOON, [decision], [], None, timedelta(hours=3)).sentences)


@pytest.mark.parametrize("outcome", list(DecisionOutcome))
def test_every_outcome_has_a_verdict(outcome: DecisionOutcome) -> None:
    assert _sentences(_decision(outcome))[0].startswith("The decision nearest before it is of 2026-03-20 12:00 UTC: it")


def test_a_decision_without_measure_is_told_too() -> None:
    # As written before decisions held measures and checks.
    assert _sentences(_decision()) == [
        "The decision nearest before it is of 2026-03-20 12:00 UTC: it kept silent: the negative share was too low.",
        "Seen: 1 of 1 document between 2026-03-20 06:00 and 12:00 UTC is negative (100%).",
        "In the rule's words: as it was.",
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "Measured (seasonal): documents 40, expected 12; ordinary is 5 or more."),
        ({"low": None, "high": 20}, "; ordinary is 20 or less."),
        ({"low": None}, "documents 40, expected 12."),
        ({"high": 20}, "; ordinary is 5 to 20."),
        ({"baseline_minutes": 1440, "baseline_documents": 288}, "expected 12 from 288 documents of the day before; ordinary is 5 or more."),
        ({"p_value": 0.00012}, "; a window at least so unusual has probability 0.00012."),
        ({"signal": "mean_score", "value": -0.5, "expected": 0.0}, "mean score -0.50, expected +0.00"),
        ({"signal": "negative_share", "value": 0.805, "expected": 0.25}, "negative share 80.5%, expected 25%"),
    ],
)
def test_what_was_measured_is_told_in_its_unit(changed, expected) -> None:
    said = _sentences(_decision(measure=_measure(**changed)))[2]
    assert expected in said


def test_what_the_detector_said_is_told_once() -> None:
    measure = _measure(explanation="40 documents; 12 expected.")
    said = _sentences(_decision(measure=measure, explanation="told as notice 0"))
    assert said[-2:] == ["In the detector's words: 40 documents; 12 expected.", "In the rule's words: told as notice 0."]
    assert "detector's" not in " ".join(_sentences(_decision(measure=measure, explanation="40 documents; 12 expected; held")))


@pytest.mark.parametrize(
    ("name", "value", "relation", "needed", "told", "missing"),
    [
        ("documents", 8, ">=", 12, "documents 8, at least 12 wanted", "4 more documents"),
        ("negative share", 0.4, ">=", 0.5, "negative share 40%, at least 50% wanted", "a negative share of at least 50%"),
        ("p-value", 3e-4, "<=", 1e-4, "p-value 0.0003, at most 0.0001 wanted", "a p-value of at most 0.0001"),
        ("mean score", -0.1, "<", -0.3, "mean score -0.10, less than -0.30 wanted", "a mean score of less than -0.30"),
        ("documents", 30, ">", 30, "documents 30, more than 30 wanted", "more than 30 documents"),
    ],
)
def test_what_was_missing_is_told(name, value, relation, needed, told, missing) -> None:
    check = Check(name=name, value=value, relation=relation, needed=needed, met=False)
    met = Check(name="sources", value=3, relation=">=", needed=2, met=True)
    said = _sentences(_decision(checks=(check, met)))
    assert said[-3:] == [f"Not met: {told}.", "Met: sources 3, at least 2 wanted.", f"It would have needed {missing}."]


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ((0, 0, 0), "The index holds no document about it between 2026-03-20 09:00 and 12:00 UTC."),
        ((1, 1, 1), "holds 1 document about it between 2026-03-20 09:00 and 12:00 UTC, near-copies included; 1 of 1 with a sentiment is"),
        ((9, 0, 0), "; none has a sentiment."),
        ((9, 8, 2), "; 2 of 8 with a sentiment are negative (25%)."),
    ],
)
def test_a_key_with_no_decision(heard, expected) -> None:
    found = answer("r", BANK, NOON, [], [], Heard(NOON - timedelta(hours=3), NOON, *heard), timedelta(hours=3))
    nothing, told = found.sentences
    assert nothing == "In the 3 hours before 2026-03-20 12:00 UTC r noted nothing about Caldrava Bank (entity:caldrava-bank): " + (
        "nothing came near a threshold."
    )
    assert expected in told
    assert found.to_json()["documents"]["documents"] == heard[0]


def test_the_words_of_a_firing_alert_are_told() -> None:
    words = Explanation(words=(WordEffect(text="הפסדים", effect=-0.3),))
    evidence = Evidence(id="d", title="בנק מתמוטט", url=None, source="s", language="he", published_at=NOON, score=-0.9, explanation=words)
    firing = Alert(
        id="a",
        fingerprint="f",
        rule="r",
        status=AlertStatus.FIRING,
        severity="info",
        key=BANK,
        starts_at=NOON - timedelta(minutes=5),
        observed=Observation(start=NOON - timedelta(hours=6), end=NOON, documents=1, negative=1, share=1.0),
        baseline=None,
        p_value=None,
        evidence=(evidence,),
        languages={},
        sources={},
        summary="it turned",
    )
    told = answer("r", BANK, NOON, [], [firing], None).sentences
    assert "In the document \u2068בנק מתמוטט\u2069 these words weigh most: \u2068הפסדים\u2069 -0.30." in told
    bare = firing.model_copy(update={"evidence": ()})
    assert not any("weigh" in sentence for sentence in answer("r", BANK, NOON, [], [bare], None).sentences)


def test_the_window_is_the_configured_one_else_that_of_the_last_decision() -> None:
    assert window_of([_decision()], [], timedelta(hours=1)) == timedelta(hours=1)
    assert window_of([_decision()], [], None) == timedelta(hours=6)
    assert window_of([], [], None) == timedelta(hours=3)


def test_a_key_is_found_as_people_write_it() -> None:
    assert find_key("entity:caldrava-bank", [BANK, TAG]) == BANK
    assert find_key("caldrava-bank", [BANK, PAIR]) == BANK
    assert find_key("caldrava bank", [BANK, TAG]) == BANK
    assert find_key("ENTITY:Caldrava-Bank", [BANK, TAG]) == BANK
    assert find_key("entity+topic:caldrava-bank|economy", [BANK, PAIR]) == PAIR
    assert find_key("nobody", [BANK, TAG]) is None
    with pytest.raises(BellwetherError, match="may be several keys") as caught:
        find_key("caldrava-bank", [BANK, TAG])
    assert caught.value.mend == "say which: entity:caldrava-bank, tag:caldrava-bank"


def test_what_a_key_may_mean() -> None:
    assert [str(key) for key in candidates("Banks")] == ["entity:Banks", "tag:banks", "topic:Banks", "language:Banks", "source:Banks"]
    assert [str(key) for key in candidates("tag+source:Banks|Wire")] == ["tag+source:banks|Wire"]
    assert candidates("entity+topic:x") == []
    assert [str(key) for key in candidates("https://x")] == [
        f"{name}:https://x" for name in ("entity", "tag", "topic", "language", "source")
    ]
    assert str(candidates("all")[0]) == "all:"


def test_a_key_without_decisions_is_chosen_among_those_that_documents_have() -> None:
    entity, tag = candidates("quiet")[:2]
    assert choose_key("quiet", [tag], [], {}) == tag
    assert choose_key("quiet", [entity, tag], [BANK], {}) == entity
    with pytest.raises(BellwetherError, match="several"):
        choose_key("quiet", [entity, tag], [], {})
    with pytest.raises(BellwetherError, match="nothing is known of the key 'caldrva'") as caught:
        choose_key("caldrva", [], [BANK], {"tag": ["Caldrava"]})
    assert caught.value.mend == "similar keys: tag:Caldrava, entity:caldrava-bank"
    with pytest.raises(BellwetherError) as caught:
        choose_key("zzz", [], [BANK], {})
    assert caught.value.mend.startswith("write it as entity:")


@settings(max_examples=60)
@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=10), max_size=5))
def test_no_text_breaks_the_search_for_a_key(text: str, values: list[str]) -> None:
    for key in candidates(text):
        assert find_key(str(key), [key]) == key
    with pytest.raises(BellwetherError):
        choose_key(text, [], [BANK], {"tag": values})
