"""`bellwether why` against a real index."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner, Result

from streams.commands import why
from streams.documents import (
    Alert,
    AlertStatus,
    Check,
    Decision,
    DecisionOutcome,
    EntityMention,
    Evidence,
    Key,
    Measure,
    Observation,
    Sentiment,
)
from streams.errors import BellwetherError
from streams.settings import SearchSettings
from streams.sinks.inquiry import Heard, Inquiry
from streams.sinks.search import SearchSink

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
RULE = "negative-share"
BANK = Key(kind="entity", value="aurelia", name="Aurelia Bank")
TAG = Key(kind="tag", value="banks", name="Banks")

Ask = Callable[..., Result]


def _decision(number: int, outcome: DecisionOutcome, at: datetime, key: Key = BANK) -> Decision:
    return Decision(
        id=f"d{number}",
        rule=RULE,
        key=key,
        at=at,
        outcome=outcome,
        observed=Observation(start=at - timedelta(hours=3), end=at, documents=8, negative=6, share=0.75),
        baseline=None,
        p_value=2e-4,
        explanation=f"explanation {number}",
        measure=Measure(
            signal="negative_share",
            detector="share",
            value=0.75,
            expected=0.25,
            low=0.1,
            high=0.5,
            score=0.4,
            p_value=2e-4,
            baseline_minutes=10_080,
            baseline_documents=200,
            explanation="",
        ),
        checks=(
            Check(name="documents", value=8, relation=">=", needed=12, met=False),
            Check(name="p-value", value=2e-4, relation="<=", needed=1e-4, met=False),
        ),
    )


@pytest.fixture
async def written(sink: SearchSink, make_document) -> SearchSink:
    """Eight decisions about a bank, the last an hour after noon; one about a tag; twelve documents around noon."""
    decisions = [_decision(n, DecisionOutcome.TOO_FEW, NOON - timedelta(hours=6 - n)) for n in range(7)]
    decisions += [_decision(7, DecisionOutcome.FIRED, NOON + timedelta(hours=1)), _decision(8, DecisionOutcome.HELD, NOON, TAG)]
    await sink.write_decisions(decisions)
    gloomy, calm = Sentiment(negative=0.8, neutral=0.1, positive=0.1), Sentiment(negative=0.1, neutral=0.8, positive=0.1)
    await sink.index(
        [
            make_document(
                number,
                published_at=NOON - timedelta(minutes=10 * number),
                sentiment=gloomy if number % 3 == 0 else calm,
                entities=(EntityMention(id="quiet-co", name="Quiet Co", matched="Quiet"),),
                tags=("Banks",),
            )
            for number in range(12)
        ]
    )
    observed = Observation(start=NOON - timedelta(hours=2), end=NOON + timedelta(hours=1), documents=20, negative=16, share=0.8)
    evidence = Evidence(id="x", title="Run", url=None, source="wire", language="en", published_at=NOON, score=-0.9)
    alert = Alert(
        id="a1",
        fingerprint="f",
        rule=RULE,
        status=AlertStatus.FIRING,
        severity="critical",
        key=BANK,
        starts_at=NOON + timedelta(hours=1),
        observed=observed,
        baseline=None,
        p_value=1e-9,
        evidence=(evidence,),
        languages={"en": 1},
        sources={"wire": 1},
        summary="Opinion about Aurelia Bank turned.",
    )
    await sink.write_alert(alert)
    over = alert.model_copy(update={"status": AlertStatus.RESOLVED, "revision": 1, "ends_at": NOON + timedelta(hours=5)})
    await sink.write_alert(over)
    return sink


@pytest.fixture
def ask(settings: SearchSettings, tmp_path) -> Ask:
    def invoke(*arguments: str) -> Result:
        app = typer.Typer()
        why.register(app)
        options = ["-s", f"search.url={settings.url}", "-s", f"search.index_prefix={settings.index_prefix}", "--data", str(tmp_path)]
        return CliRunner().invoke(app, [*arguments, *options])

    return invoke


async def _run(ask: Ask, *arguments: str) -> Result:
    return await asyncio.to_thread(ask, *arguments)


async def test_it_says_what_was_missing_at_that_time(written, ask) -> None:
    result = await _run(ask, RULE, "aurelia", "--at", "2026-03-31T12:20", "--limit", "3")
    assert result.exit_code == 0, result.output
    assert "Aurelia Bank (entity:aurelia) · 2026-03-31 12:20 UTC" in result.output
    assert "is of 2026-03-31 12:00 UTC: it kept silent: there were too few documents." in result.output
    assert "6 of 8 documents between 2026-03-31 09:00 and 12:00 UTC are negative (75%)" in result.output
    assert "It would have needed 4 more documents and a p-value of at most 0.0001." in result.output
    assert result.output.count("too_few_documents: explanation") == 2
    assert "explanation 7" not in result.output


async def test_it_says_that_an_alert_was_firing(written, ask) -> None:
    for at, firing in (("12:59", False), ("14:00", True), ("16:59", True), ("17:00", False)):
        result = await _run(ask, RULE, "Aurelia Bank", "--at", f"2026-03-31T{at}+00:00")
        assert ("was firing, since 2026-03-31 13:00 UTC: Opinion about Aurelia Bank turned." in result.output) is firing, at


async def test_without_a_time_it_answers_for_the_last_that_is_known(written, ask) -> None:
    result = json.loads((await _run(ask, RULE, "entity:aurelia", "--json")).output)
    assert result["at"] == "2026-03-31T13:00:00+00:00"
    assert [decision["id"] for decision in result["decisions"]] == ["d7", "d6", "d5", "d4", "d3"]
    assert [alert["id"] for alert in result["alerts"]] == ["a1"]


async def test_a_key_without_decisions_is_told_with_what_was_heard(written, ask) -> None:
    result = await _run(ask, RULE, "quiet-co", "--at", "2026-03-31T12:01")
    assert result.exit_code == 0, result.output
    assert "noted nothing about quiet-co (entity:quiet-co): nothing came near a threshold." in result.output
    assert "The index holds 12 documents about it" in result.output
    assert "4 of 12 with a sentiment are negative (33%)." in result.output


async def test_an_old_decision_does_not_stand_for_a_later_time(written, ask) -> None:
    result = await _run(ask, RULE, "tag:banks", "--at", "2026-04-02")
    assert "In the 3 hours before 2026-04-02 00:00 UTC negative-share noted nothing about Banks (tag:banks)" in result.output
    assert "The index holds no document about it" in result.output
    assert "The last decision before that is of 2026-03-31 12:00 UTC: it was held back" in result.output


@pytest.mark.parametrize(
    ("arguments", "message", "mend"),
    [
        ((RULE, "aurelai"), "nothing is known of the key 'aurelai'", "entity:aurelia"),
        ((RULE, "entity:quiet"), "nothing is known of the key 'entity:quiet'", "entity:quiet-co"),
        (("negative-shar", "aurelia"), "there is no rule 'negative-shar'", "negative-share"),
        ((RULE, "aurelia", "--at", "yesterday"), "--at yesterday: not a time", "2026-04-07T15:00"),
    ],
)
async def test_what_cannot_be_answered_says_what_could(written, ask, arguments, message, mend) -> None:
    result = await _run(ask, *arguments)
    assert isinstance(result.exception, BellwetherError)
    assert message in result.exception.message
    assert mend in result.exception.mend


async def test_an_empty_index_has_an_answer_too(sink, ask) -> None:
    result = await _run(ask, RULE, "all")
    assert result.exit_code == 0, result.output
    assert "The index holds no document about it" in result.output


async def test_documents_are_counted_by_every_dimension_of_the_key(written, settings) -> None:
    inquiry = Inquiry(settings)
    await inquiry.open()
    try:
        start, end = NOON - timedelta(minutes=45), NOON + timedelta(minutes=1)
        expected = Heard(start, end, documents=5, scored=5, negative=2)
        for kind, value in (
            ("entity", "quiet-co"),
            ("tag", "banks"),
            ("all", ""),
            ("entity+topic", "quiet-co|economy"),
            ("language+source", "en|wire"),
        ):
            assert await inquiry.heard(Key(kind=kind, value=value, name=""), start, end) == expected, kind
        nobody = await inquiry.heard(Key(kind="entity+topic", value="quiet-co|sport", name=""), start, end)
        assert nobody is not None
        assert nobody.documents == 0
        assert await inquiry.heard(Key(kind="entity+topic", value="a|b|c", name=""), start, end) is None
        assert await inquiry.keys(RULE) == [BANK, TAG]
        assert await inquiry.rules() == [RULE]
    finally:
        await inquiry.close()
