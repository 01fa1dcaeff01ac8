"""Sentences for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.evidence.background import Background
from streams.alerts.evidence.compose import Composer
from streams.alerts.evidence.phrases import between, counted, isolated, length, listing, number
from streams.alerts.judgement import TurnKind
from streams.alerts.tally import Tally
from streams.documents import Key


def _said(turn) -> str:
    return Composer(Background()).alert(turn).summary


@pytest.fixture
def crisis(witness):
    return [*(witness(n, language=("en", "de")[n % 2]) for n in range(3)), witness(9, negative=False, score=0.5)]


def test_a_share_that_rose(crisis, judged, turned) -> None:
    assert _said(turned(judged(crisis))) == (
        "Opinion about Caldrava Bank turned: 3 of 4 documents between 2026-03-20 13:00 and 16:00 UTC are negative (75%); "
        "25% were expected from the 288 documents of the 3 days before. "
        "3 independent sources in 2 languages agree: site0, site1, site2; en, de."
    )


def test_a_key_without_a_past(witness, judged, turned) -> None:
    said = _said(turned(judged([witness(1)], baseline_minutes=0)))
    assert "1 of 1 document between" in said
    assert "is negative (100%); 25% were expected from other news (nothing is known of the time before)." in said
    assert said.endswith("1 independent source in 1 language says so: site1; en.")


VIEW = Tally(40.0, 40.0, 30.0, -24.8)
MEAN = {"signal": "mean_score", "detector": {"type": "rate_of_change", "delta": 0.3}}
FELL_SILENT = "The wire fell silent: no documents between 2026-03-20 13:00 and 16:00 UTC, 24 were expected from the 288 documents"


@pytest.mark.parametrize(
    ("rule", "changed", "window", "expected"),
    [
        (
            {"signal": "documents", "detector": {"type": "seasonal"}},
            {"value": 40.0, "expected": 12.0},
            VIEW,
            "More documents about The wire than usual: 40 documents between 2026-03-20 13:00 and 16:00 UTC, 30 of 40 negative (75%); "
            "12 were expected from the 288 documents of the 3 days before.",
        ),
        (
            {"signal": "documents", "detector": {"type": "seasonal"}},
            {"value": 5.0, "expected": 12.0},
            Tally(5.0, 0.0, 0.0, 0.0),
            "Fewer documents about The wire than usual: 5 documents between",
        ),
        (
            {"signal": "negative", "detector": {"type": "spike"}},
            {"value": 30, "expected": 3},
            VIEW,
            "More negative documents about The wire",
        ),
        (
            MEAN,
            {"value": -0.62, "expected": -0.05},
            VIEW,
            "Opinion about The wire fell: the mean score of 40 documents between 2026-03-20 13:00 and 16:00 UTC is -0.62; the numbers",
        ),
        (MEAN, {"value": 0.6, "expected": 0.1}, Tally(4, 4, 0, 2.4), "Opinion about The wire rose: the mean score of"),
        ({"signal": "negative_share"}, {"value": 0.1, "expected": 0.5}, Tally(40, 40, 4, 9), "Opinion about The wire brightened: 4 of 40"),
        ({"signal": "documents", "detector": {"type": "absence"}}, {"value": 0.0, "expected": 24.0}, Tally(0, 0, 0, 0), FELL_SILENT),
        (
            {"signal": "documents", "detector": {"type": "absence"}},
            {"value": 1.0, "expected": 24.0},
            Tally(1, 1, 0, 0),
            "The wire fell silent: only 1 document between",
        ),
        (
            {"detector": {"type": "composite", "parts": [{"detector": {"type": "share"}}, {"detector": {"type": "breadth"}}]}},
            {},
            VIEW,
            "Several signs at once about The wire: 30 of 40 documents between 2026-03-20 13:00 and 16:00 UTC are negative (75%); ",
        ),
        (
            {"signal": "documents", "detector": {"type": "threshold", "above": 30}},
            {"value": 40.0, "expected": 30.0},
            VIEW,
            "The wire: 40 documents between 2026-03-20 13:00 and 16:00 UTC, 30 of 40 negative (75%); the numbers of the detector.",
        ),
        ({"detector": {"type": "change_point"}}, {}, VIEW, "The wire: 30 of 40 documents between"),
        ({"detector": {"type": "breadth"}}, {}, VIEW, "Many agree about The wire: 30 of 40 documents between"),
    ],
)
def test_every_signal_and_detector_has_a_sentence(judged, turned, view, rule, changed, window, expected) -> None:
    key = Key(kind="source", value="wire", name="The wire")
    assert _said(turned(judged(key=key, rule=rule, view=view(window), **changed))).startswith(expected)


def test_the_end_of_an_alert(crisis, judged, turned) -> None:
    began = "; the alert began on 2026-03-20 12:00 UTC."
    recovered = _said(turned(judged(crisis), TurnKind.RECOVERED))
    assert recovered.startswith("Opinion about Caldrava Bank is back near its baseline: 3 of 4 documents between")
    assert recovered.endswith(f"are negative (75%){began}")
    assert _said(turned(judged([]), TurnKind.SILENT)) == (
        f"No more is heard about Caldrava Bank: no documents between 2026-03-20 13:00 and 16:00 UTC{began}"
    )
    assert _said(turned(judged(crisis), TurnKind.RETRACTED)).startswith("The alert about Caldrava Bank is withdrawn, late documents")
    absence = {"signal": "documents", "detector": {"type": "absence"}}
    assert _said(turned(judged(crisis, rule=absence), TurnKind.RECOVERED)).startswith("Caldrava Bank is heard of again: 4 documents")
    volume = {"signal": "documents", "detector": {"type": "seasonal"}}
    assert _said(turned(judged(crisis, rule=volume), TurnKind.RECOVERED)).startswith("As many documents about Caldrava Bank as usual again")
    assert _said(turned(judged(crisis), TurnKind.AMENDED)).startswith("Amended: Opinion about Caldrava Bank turned")


def test_doubts_stand_in_the_summary_with_their_numbers(witness, judged, turned) -> None:
    said = _said(turned(judged([witness(n, author=7, source="forum") for n in range(8)])))
    assert said.endswith("Possibly a campaign: one author wrote 8 of 8 negative documents. All that counts is from one source (forum).")


def test_names_from_the_right_are_isolated(witness, judged, turned) -> None:
    key = Key(kind="entity", value="x", name="بنك كالدرافا")
    said = _said(turned(judged([witness(1, source="صحيفة"), witness(2)], key=key)))
    assert "Opinion about \u2068بنك كالدرافا\u2069 turned: 2 of 2" in said
    assert ": site2, \u2068صحيفة\u2069; en." in said


@settings(max_examples=100)
@given(st.text(max_size=300), st.text(max_size=100))
def test_no_name_breaks_a_sentence(name: str, source: str) -> None:
    clean = isolated(name)
    assert len(clean) <= 122
    assert not any(character in clean for character in "\n\r\u202a\u202e\u2066\u2067")
    assert clean.count("\u2068") == clean.count("\u2069") <= 1
    assert listing([source] * 9).count(", ") >= 6


def test_phrases() -> None:
    noon = datetime(2026, 3, 20, 12, tzinfo=UTC)
    assert between(noon, noon + timedelta(hours=3)) == "between 2026-03-20 12:00 and 15:00 UTC"
    assert between(noon, noon + timedelta(hours=12)) == "between 2026-03-20 12:00 and 2026-03-21 00:00 UTC"
    lengths = (1, 5, 60, 90, 120, 1440, 4320, 10_080, 0)
    assert [length(n) for n in lengths] == ["minute", "5 minutes", "hour", "90 minutes", "2 hours", "day", "3 days", "7 days", "moment"]
    assert [counted(n, "source") for n in (0, 1, 1.4, 2, 12_345)] == ["0 sources", "1 source", "1 source", "2 sources", "12,345 sources"]
    assert [number(n) for n in (0.0, 0.04, 1.25, 3.0, 12.6, 12_345.6)] == ["0", "0", "1.2", "3", "13", "12,346"]
    assert listing([f"s{n}" for n in range(7)]) == "s0, s1, s2, s3, s4, s5, …"
