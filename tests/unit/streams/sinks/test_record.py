from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.documents import Abstention, AlertStatus, Unscored
from streams.sinks.mapping import Names, documents_template
from streams.sinks.record import alert_from, alert_source, document_source


def test_a_document_as_it_rests_in_the_index(make_document) -> None:
    assert document_source(make_document(), "2026-04-01T00:00:00.123+00:00", {}) == {
        "@timestamp": "2026-03-31T22:30:00+00:00",
        "event": {"id": make_document().id, "ingested": "2026-04-01T00:00:00.123+00:00", "created": "2026-03-31T22:30:30+00:00"},
        "source": {"name": "wire", "id": "1"},
        "url": {"full": "https://news.example/1", "domain": "news.example"},
        "title": "Headline 1",
        "text": "The text.",
        "author": "A. Writer",
        "tags": ("banks", "europe"),
        "language": {"code": "de", "confidence": 0.97},
        "sentiment": {"label": "negative", "score": -0.6, "negative": 0.7, "neutral": 0.2, "positive": 0.1},
        "topic": {"label": "economy", "probability": 0.8, "probabilities": {"economy": 0.8, "arts, culture": 0.2}},
        "duplicate_of": "f" * 32,
        "entities": [{"id": "aurelia", "name": "Aurelia Bank", "matched": "Aurelia"}],
        "model_id": "test-1",
        "timings": {
            "received_at": "2026-03-31T22:30:00+00:00",
            "scored_at": "2026-03-31T22:30:00+00:00",
            "enrich_ms": 0.5,
            "score_ms": 3.25,
        },
        "origin": "journal-0-1",
    }


def test_what_is_absent_is_left_out(make_document) -> None:
    bare = make_document(url=None, author=None, tags=(), source_id=None, fetched_at=None, duplicate_of=None, entities=())
    source = document_source(bare, "", {})
    assert source.keys() & {"url", "author", "tags", "duplicate_of", "entities", "unscored", "abstained", "localized"} == set()
    assert source["source"] == {"name": "wire"}
    assert None not in source.values()


def test_the_stage_that_answered_is_mapped_and_there_where_there_is_a_cascade(make_document) -> None:
    assert "model_stage" not in document_source(make_document(), "", {})
    assert document_source(make_document(model_stage="static"), "", {})["model_stage"] == "static"
    mapping = documents_template(Names("opinion"), {}).mapping["properties"]
    assert mapping["model_stage"] == mapping["model_id"]


def test_what_the_model_answered_and_the_service_did_not_say_is_kept(make_document) -> None:
    doubt = Abstention(head="sentiment", reason="language.not_vouched", confidence=0.7, probabilities={"negative": 0.7, "neutral": 0.3})
    unscored = Unscored(reason="language.not_vouched")
    source = document_source(make_document(sentiment=None, unscored=unscored, abstained=(doubt,)), "", {})
    assert "sentiment" not in source
    assert source["topic"]["label"] == "economy"
    assert source["unscored"]["reason"] == "language.not_vouched"
    assert source["abstained"] == [
        {
            "head": "sentiment",
            "reason": "language.not_vouched",
            "detail": "",
            "confidence": 0.7,
            "probabilities": {"negative": 0.7, "neutral": 0.3},
        }
    ]


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("https://user:pass@News.Example:8443/a?b#c", "news.example"),
        ("https://[2001:db8::1]/x", "2001:db8::1"),
        ("https://[broken/x", None),
        ("urn:isbn:1", None),
        ("not an address", None),
        ("https://пример.рф/x", "пример.рф"),
    ],
)
def test_domains(make_document, address: str, domain: str | None) -> None:
    url = document_source(make_document(url=address), "", {})["url"]
    assert url["full"] == address
    assert url.get("domain") == domain


@given(address=st.text(max_size=80), text=st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=200))
def test_any_document_is_json(address: str, text: str) -> None:
    from datetime import UTC, datetime

    from streams.documents import Language, ScoredDocument, Timings

    now = datetime.now(UTC)
    document = ScoredDocument(
        id="1",
        source="s",
        url=address,
        title=text,
        text=text,
        published_at=now,
        language=Language(code="und", confidence=0),
        unscored=Unscored(reason="text.no_words"),
        model_id="m",
        timings=Timings(received_at=now, scored_at=now),
        origin="journal-0-1",
    )
    source = document_source(document, now.isoformat(), {"und": "x"})
    assert json.loads(json.dumps(source))["text"] == document.text


@pytest.mark.parametrize("status", list(AlertStatus))
def test_an_alert_comes_back_as_it_went(alert, status) -> None:
    alert = alert.model_copy(update={"status": status})
    assert alert_from(json.loads(json.dumps(alert_source(alert)))) == alert
