from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.evidence.passages import Passage, RecentPassages
from streams.documents import Language, ScoredDocument, Sentiment, Timings, Unscored
from streams.enrich.cleaning import model_text

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)


def document(number: int, text: str = "text", *, scored: bool = True) -> ScoredDocument:
    return ScoredDocument(
        id=str(number),
        source="wire",
        title=f"title {number}",
        text=text,
        published_at=AT,
        language=Language(code="en", confidence=0.9),
        sentiment=Sentiment(negative=0.8, neutral=0.1, positive=0.1) if scored else None,
        topic=None,
        unscored=None if scored else Unscored(reason="language.unknown"),
        model_id="m",
        timings=Timings(received_at=AT, scored_at=AT),
        origin=f"t-0-{number}",
    )


def test_the_last_ones_are_remembered() -> None:
    recent = RecentPassages(capacity=3)
    for number in (1, 2, 3, 1, 4):
        recent.remember(document(number))
    assert [recent.get(str(number)) is not None for number in (1, 2, 3, 4, 5)] == [True, False, True, True, False]
    assert recent.get("4") == Passage("title 4", "text", "m", scored=True)


@pytest.mark.parametrize("scored", [True, False])
def test_it_knows_whether_the_service_gave_a_sentiment(scored: bool) -> None:
    recent = RecentPassages()
    recent.remember(document(1, scored=scored))
    found = recent.get("1")
    assert found is not None
    assert found.scored is scored


@settings(max_examples=60, deadline=None)
@given(st.text("abc 走XÉ.!\n", max_size=40), st.text("ab. Z走\u0301É!\n", max_size=60), st.integers(1, 120))
def test_no_more_is_kept_of_a_text_than_the_model_reads_and_no_less(title: str, text: str, times: int) -> None:
    kept = Passage.of(title * times, text * times, "m", scored=True)
    assert model_text(kept.title, kept.text) == model_text(title * times, text * times)
    assert len(kept.title) + len(kept.text) <= 3_200
