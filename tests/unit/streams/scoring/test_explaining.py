from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from bag_model import write_model

from models.artifact import load_artifact
from models.inference import Encoder
from streams.documents import Language, ScoredDocument, Sentiment, Timings, Topic, Unscored
from streams.enrich.cleaning import model_text
from streams.errors import BellwetherError
from streams.scoring.explaining import Explainer
from streams.scoring.onnx import OnnxScorer

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def document(title: str, text: str, unscored: Unscored | None = None) -> ScoredDocument:
    return ScoredDocument(
        id="d1",
        source="s",
        title=title,
        text=text,
        published_at=NOW,
        language=Language(code="en", confidence=0.9),
        sentiment=None if unscored else Sentiment(negative=0.8, neutral=0.1, positive=0.1),
        topic=None if unscored else Topic(label="health", probabilities={"health": 1.0}),
        unscored=unscored,
        model_id="m",
        timings=Timings(received_at=NOW, scored_at=NOW),
        origin="t-0-1",
    )


@pytest_asyncio.fixture
async def explainer() -> AsyncIterator[Explainer]:
    opened = Explainer(threads=2)
    await opened.open()
    yield opened
    await opened.close()


async def test_what_is_explained_is_what_the_service_scores(explainer: Explainer) -> None:
    title, text = "Bank in crisis", "<b>Shares</b> plunged, see https://a.example/x by @maria &amp; friends\u200b."
    found = await explainer.explain(text, title=title)
    assert found.text == "Bank in crisis. Shares plunged, see http by @user & friends."
    with Encoder(load_artifact()) as encoder:
        negative, _, positive = encoder.score([found.text]).sentiment[0]
    assert found.score == pytest.approx(float(positive) - float(negative), abs=1e-6)


async def test_a_document_is_explained_by_title_and_lead(explainer: Explainer) -> None:
    one = document("Profits collapse", "The company lost half of its value. " * 30)
    found = await explainer.explain_document(one)
    assert found.text == model_text(one.title, one.text)
    assert found.label == "negative"
    assert "collapse" in [word.text for word in found.words]
    topic = await explainer.explain_document(one, target="topic")
    assert topic.target == topic.label == "economy, business and finance"


async def test_a_document_without_a_score_says_why(explainer: Explainer) -> None:
    with pytest.raises(BellwetherError, match=r"d1 has no score: language\.unknown"):
        await explainer.explain_document(document("", "xyz", Unscored(reason="language.unknown")))


async def test_an_unknown_topic_is_a_fault_with_its_mend(explainer: Explainer) -> None:
    with pytest.raises(BellwetherError, match="no topic 'opera'") as caught:
        await explainer.explain("The opera opened", target="opera")
    assert "religion; science and technology" in caught.value.mend


async def test_calls_wait_for_each_other_and_the_loop_lives(explainer: Explainer) -> None:
    calls = [asyncio.create_task(explainer.explain("Shares of the bank plunged again today.")) for _ in range(3)]
    turns = 0
    while not all(call.done() for call in calls):
        await asyncio.sleep(0.005)
        turns += 1
    first, *others = [call.result() for call in calls]
    assert others == [first, first]
    assert turns > 3


async def test_it_must_be_open_and_may_be_closed_twice() -> None:
    explainer = Explainer()
    with pytest.raises(BellwetherError, match="not open"):
        await explainer.explain("x")
    await explainer.close()
    await explainer.open()
    await explainer.open()
    await explainer.close()
    await explainer.close()


async def test_a_missing_model_is_a_fault_of_the_service(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match=r"config\.json") as caught:
        await Explainer(tmp_path).open()
    assert caught.value.mend


async def test_the_model_that_scores_is_not_loaded_again(tmp_path: Path) -> None:
    scorer = OnnxScorer(threads=2)
    explainer = Explainer(tmp_path / "none", threads=1, lend=scorer.lend)
    with pytest.raises(BellwetherError, match=r"config\.json"):
        await explainer.open()
    await scorer.open()
    await explainer.open()
    found = await explainer.explain("Shares of the bank plunged again today.")
    [negative, _, positive] = (await scorer.score([found.text])).sentiment[0]
    assert found.score == pytest.approx(float(positive) - float(negative), abs=1e-6)
    await explainer.close()
    assert (await scorer.score(["It goes on."])).sentiment.shape == (1, 3)
    await explainer.open()
    await scorer.close()
    assert (await explainer.explain("It goes on here, too.")).words
    await explainer.close()


async def test_it_speaks_for_its_own_weights_only(tmp_path: Path) -> None:
    explainer = Explainer(write_model(tmp_path / "model").root, threads=1)
    with pytest.raises(BellwetherError, match="not open"):
        explainer.speaks_for("bag/1.0+00000000")
    await explainer.open()
    ids = ["bag/1.0+00000000", "bag/1.0-fp16+12345678", "bag/1.0-fp32+1", "bag/1.0+11111111", "bag/1.1+00000000", "noop", ""]
    assert [explainer.speaks_for(one) for one in ids] == [True, True, True, False, False, False, False]
    await explainer.close()
