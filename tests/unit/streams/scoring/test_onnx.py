from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from models.artifact import Artifact, load_artifact
from models.errors import ModelError
from models.inference import Encoder
from streams.errors import BellwetherError, PermanentError
from streams.scoring.onnx import OnnxScorer

TEXTS = ["Profits doubled.", "Убытки выросли вдвое.", "股价暴跌", "x" * 5000, "Profits doubled."]


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    try:
        return load_artifact()
    except ModelError as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture
async def scorer(artifact: Artifact) -> AsyncIterator[OnnxScorer]:
    opened = OnnxScorer(threads=2)
    await opened.open()
    yield opened
    await opened.close()


async def test_scores_are_the_encoders(scorer: OnnxScorer, artifact: Artifact) -> None:
    scores = await scorer.score(TEXTS)
    with Encoder(artifact) as encoder:
        expected = encoder.score(TEXTS)
    np.testing.assert_array_equal(scores.sentiment, expected.sentiment)
    np.testing.assert_array_equal(scores.topic, expected.topic)
    np.testing.assert_array_equal(scores.embedding, expected.embedding)
    assert scorer.model_id == artifact.model_id
    assert scorer.topics == artifact.topic_labels


async def test_the_event_loop_lives_while_texts_are_scored(scorer: OnnxScorer) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await scorer.score([f"{text} {number}" for number in range(20) for text in TEXTS[:4]])
    ticking.cancel()
    assert ticks >= 10


async def test_calls_at_the_same_time_keep_their_own_order(scorer: OnnxScorer) -> None:
    expected = await scorer.score(TEXTS)
    orders = [[0, 1, 2], [4, 3], [2], [], [1, 1, 0]]
    found = await asyncio.gather(*(scorer.score([TEXTS[row] for row in order]) for order in orders))
    for order, scores in zip(orders, found, strict=True):
        np.testing.assert_array_equal(scores.embedding, expected.embedding[order])


async def test_a_lone_surrogate_is_this_documents_fault(scorer: OnnxScorer) -> None:
    with pytest.raises(PermanentError) as caught:
        await scorer.score(["good", "bad \udfff"])
    assert caught.value.reason == "encoding.surrogate"
    assert len((await scorer.score(["good"])).sentiment) == 1


async def test_before_open_and_after_close_it_says_so(artifact: Artifact) -> None:
    scorer = OnnxScorer()
    for ask in (lambda: scorer.model_id, lambda: scorer.topics):
        with pytest.raises(BellwetherError, match="not open"):
            ask()
    await scorer.open()
    await scorer.open()
    await scorer.close()
    await scorer.close()
    with pytest.raises(BellwetherError, match="not open"):
        await scorer.score(["late"])


async def test_close_waits_for_the_call_under_way(artifact: Artifact) -> None:
    scorer = OnnxScorer(threads=1)
    await scorer.open()
    call = asyncio.create_task(scorer.score(TEXTS * 5))
    await asyncio.sleep(0)
    await scorer.close()
    assert len((await call).sentiment) == 25


async def test_an_open_that_failed_can_be_repeated(artifact: Artifact, tmp_path: Path) -> None:
    scorer = OnnxScorer(tmp_path / "model")
    with pytest.raises(BellwetherError, match=r"no config\.json in the model folder") as caught:
        await scorer.open()
    assert caught.value.mend
    shutil.copytree(artifact.root, tmp_path / "model")
    await scorer.open()
    assert scorer.model_id == artifact.model_id
    await scorer.close()
