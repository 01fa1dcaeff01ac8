from __future__ import annotations

import numpy as np
import pytest

from models.topics import TOPIC_LABELS
from streams.scoring.noop import NoopScorer


@pytest.mark.parametrize("count", [0, 1, 300])
async def test_constant_probabilities_in_the_shape_of_the_real_ones(count: int) -> None:
    scorer = NoopScorer()
    await scorer.open()
    scores = await scorer.score(["text"] * count)
    assert scores.sentiment.shape == (count, 3)
    assert scores.topic.shape == (count, len(TOPIC_LABELS)) == (count, len(scorer.topics))
    np.testing.assert_allclose(scores.sentiment.sum(axis=1), 1)
    np.testing.assert_allclose(scores.topic.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(scores.embedding, axis=1), 1)
    assert len(np.unique(scores.sentiment, axis=0)) <= 1
    await scorer.close()


def test_nobody_takes_it_for_a_model() -> None:
    assert NoopScorer().model_id == "noop"
