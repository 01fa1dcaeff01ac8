"""What stands in the decision log."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streams.alerts.decisions import checks, compose_decision, decision_id
from streams.alerts.detectors.contract import Assessment
from streams.alerts.judgement import Judgement
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Buckets, Tally, View
from streams.documents import Check, Decision, DecisionOutcome, Key

END = 29_567_040
BANK = Key(kind="entity", value="caldrava-bank", name="Caldrava Bank")


def _judgement(rule: dict[str, object], p_value: float | None = 3e-4) -> Judgement:
    window, end = Tally(8.0, 8.0, 6.0, -3.0), END
    none = np.zeros(36)
    view = View(
        end=end,
        size=36,
        window=window,
        recent=Buckets(end - 180, 5, none, none, none, none),
        hours=Buckets(end - 240, 60, *(np.ones(1),) * 4),
        known_since=0,
        sources=2,
        languages=1,
        negative_sources=2,
        negative_languages=1,
    )
    assessment = Assessment(False, True, 0.4, p_value, window.share, 0.25, 0.1, 0.4, 60, 1.0, "6 of 8 negative.")
    return Judgement(Rule.model_validate({"name": "r"} | rule), BANK, view, assessment, ())


def _check(name: str, value: float, relation: str, needed: float, met: bool) -> Check:
    return Check.model_validate({"name": name, "value": value, "relation": relation, "needed": needed, "met": met})


def test_a_decision_holds_every_condition_and_how_far_the_window_was_from_it() -> None:
    rule = {"evidence": {"documents": 12, "negative": 5, "sources": 3, "languages": 2}}
    decision = compose_decision(_judgement(rule), DecisionOutcome.TOO_FEW, "12 documents are needed", None)
    assert decision.checks == (
        _check("documents", 8, ">=", 12, False),
        _check("negative documents", 6, ">=", 5, True),
        _check("sources", 2, ">=", 3, False),
        _check("languages", 1, ">=", 2, False),
        _check("negative share", 0.75, ">=", 0.5, True),
        _check("p-value", 3e-4, "<=", 1e-4, False),
    )
    assert decision.explanation == "6 of 8 negative; 12 documents are needed"
    assert decision.at == datetime(2026, 3, 20, 16, tzinfo=UTC)
    assert decision.measure is not None
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize(
    ("rule", "p_value", "expected"),
    [
        ({"detector": {"type": "threshold", "above": 0.75}}, None, [_check("negative share", 0.75, ">", 0.75, False)]),
        (
            {"detector": {"type": "threshold", "below": 0.8}, "signal": "mean_score"},
            None,
            [_check("mean score", 0.75, "<", 0.8, True)],
        ),
        ({"detector": {"type": "seasonal"}, "signal": "documents"}, 1e-9, [_check("p-value", 1e-9, "<=", 1e-5, True)]),
        (
            {"detector": {"type": "composite", "parts": [{"detector": {"type": "breadth"}}, {"detector": {"type": "share"}}]}},
            1e-9,
            [_check("sources of negative documents", 2, ">=", 3, False), _check("languages of negative documents", 1, ">=", 1, True)],
        ),
    ],
)
def test_each_detector_names_its_own_thresholds(rule, p_value, expected) -> None:
    assert list(checks(_judgement(rule, p_value=p_value)))[1:] == expected


def test_ids_are_one_for_an_hour_and_outcome_or_for_an_episode() -> None:
    def at(minute: int, outcome: DecisionOutcome = DecisionOutcome.TOO_FEW, alert: str | None = None) -> str:
        return decision_id("r", BANK, outcome, minute, alert)

    assert at(END) == at(END + 59) != at(END + 60)
    assert at(END) != at(END, DecisionOutcome.BELOW_SHARE)
    assert at(END, DecisionOutcome.FIRED, "a") == at(END + 600, DecisionOutcome.FIRED, "a") != at(END, DecisionOutcome.FIRED, "b")
    assert at(END, DecisionOutcome.COOLING_DOWN, "a") != at(END + 600, DecisionOutcome.COOLING_DOWN, "a")
    assert decision_id("q", BANK, DecisionOutcome.TOO_FEW, END) != at(END)
    assert compose_decision(_judgement({}), DecisionOutcome.TOO_FEW, "", None).id == at(END)
