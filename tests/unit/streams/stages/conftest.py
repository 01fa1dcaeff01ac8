"""Deliveries and documents for the stages, and metrics that can be read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina
import structlog

from streams import patience
from streams.documents import EntityMention, Language, ScoredDocument, Sentiment, Timings, Topic
from streams.metrics import Metrics
from streams.stages.contract import Delivery

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)

Documents = Callable[..., ScoredDocument]
Raws = Callable[..., Delivery]
Read = Callable[..., float]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Retries do not wait, and give up after 50 so that a test that never ends fails. Log lines are kept off the screen."""
    monkeypatch.setattr(patience, "WAIT_MAX", 0.0)
    with stamina.set_testing(True, attempts=50), structlog.testing.capture_logs():
        yield


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of their own."""
    return Metrics()


@pytest.fixture
def read(metrics: Metrics) -> Read:
    """The value of a metric."""

    def sample(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(name, labels) or 0.0

    return sample


@pytest.fixture
def raw() -> Raws:
    """A delivery of the raw topic."""

    def make(number: int, text: str, **changes: Any) -> Delivery:
        fields = {"id": str(number), "source": "wire", "text": text, "published_at": "2024-05-01T12:00:00Z", "language_hint": "en"}
        return Delivery(json.dumps({**fields, **changes}).encode(), f"documents.raw-0-{number}")

    return make


@pytest.fixture
def scored() -> Documents:
    """A scored document about the bank; negative unless said otherwise."""

    def make(number: int, *, negative: float = 0.9, minutes: float = 0, **changes: Any) -> ScoredDocument:
        at = AT + timedelta(minutes=minutes)
        fields: dict[str, Any] = {
            "id": f"{number:032x}",
            "source": "wire",
            "title": f"headline {number}",
            "text": "text",
            "published_at": at,
            "language": Language(code="en", confidence=0.9),
            "sentiment": Sentiment(negative=negative, neutral=0.0, positive=1 - negative),
            "topic": Topic(label="economy", probabilities={"economy": 1.0}),
            "entities": (EntityMention(id="bank", name="Bank", matched="Bank"),),
            "model_id": "m",
            "timings": Timings(received_at=at, scored_at=at),
            "origin": f"documents.raw-0-{number}",
        }
        return ScoredDocument(**{**fields, **changes})

    return make
