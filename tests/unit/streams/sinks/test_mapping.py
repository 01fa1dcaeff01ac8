from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.documents import (
    Abstention,
    Check,
    Decision,
    DecisionOutcome,
    Explanation,
    Key,
    Measure,
    Member,
    Point,
    Series,
    Term,
    Unscored,
    WordEffect,
)
from streams.sinks.analyzers import ANALYZERS
from streams.sinks.mapping import Names, alerts_template, decisions_template, documents_template
from streams.sinks.record import alert_source, decision_from, decision_source, document_source

NAMES = Names("opinion")
CORE_TYPES = {"date", "float", "double", "integer", "keyword", "text", "object"}
"""Types of Elasticsearch's core: what slim builds and the embedded server have too (no flattened, no scaled_float)."""


def _unmapped(source: Mapping[str, Any], mapping: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for name, value in source.items():
        field = mapping["properties"].get(name)
        if field is None:
            yield place + name
        elif "properties" in field:
            for item in value if isinstance(value, list | tuple) else [value] if value is not None else []:
                yield from _unmapped(item, field, f"{place}{name}.")


def _types(mapping: Mapping[str, Any]) -> Iterator[str]:
    for field in mapping["properties"].values():
        if "properties" in field:
            yield from _types(field)
        else:
            yield field["type"]


def test_every_field_of_a_document_is_mapped(make_document) -> None:
    analyzers = {"de": "german"}
    mapping = documents_template(NAMES, analyzers).mapping
    scored = document_source(make_document(model_stage="static"), "2026-04-01T00:00:00+00:00", analyzers)
    doubt = Abstention(
        head="sentiment", reason="confidence.low", detail="x", confidence=0.4, threshold=0.5, probabilities={"negative": 0.4}
    )
    bare = make_document(sentiment=None, topic=None, unscored=Unscored(reason="language.unknown"), abstained=(doubt,))
    unscored = document_source(bare, "2026-04-01T00:00:00+00:00", {})
    assert list(_unmapped(scored, mapping)) == []
    assert list(_unmapped(unscored, mapping)) == []
    assert scored.keys() | unscored.keys() == mapping["properties"].keys()


MEASURE = Measure(
    signal="negative_share",
    detector="share",
    value=0.8,
    expected=0.2,
    low=0.1,
    high=None,
    score=0.9,
    p_value=1e-9,
    baseline_minutes=10_080,
    baseline_documents=200.0,
    explanation="16 of 20 negative",
)


def test_every_field_of_an_alert_and_most_of_its_evidence_is_mapped(alert) -> None:
    key = Key(kind="tag", value="banks", name="banks")
    full = alert.model_copy(
        update={
            "ends_at": alert.starts_at,
            "resent_at": alert.starts_at,
            "measure": MEASURE,
            "terms": (Term(term="withdrawals", documents=7, before=0, lift=9.5),),
            "topics": {"economy": 3},
            "series": Series(step=60, points=(Point(at=alert.starts_at, documents=3.0, negative=1.0),)),
            "members": (Member(id="b", fingerprint="f", rule="r", key=key, severity="info", summary="s"),),
        }
    )
    explained = Explanation(
        words=(WordEffect(text="挤兑", effect=-0.3),),
        turning=("挤兑",),
        turned="neutral",
        score=-0.9,
        without=0.1,
        model_id="m",
        reason="r",
    )
    full = full.model_copy(update={"evidence": tuple(item.model_copy(update={"explanation": explained}) for item in full.evidence)})
    assert not [name for name, value in full if value is None], "a field that is new: fill it in here"
    assert not [name for name, value in explained if value is None]
    # Headlines and addresses of the evidence are kept to be read, not to be searched: the documents themselves are indexed.
    unmapped = set(_unmapped(alert_source(full), alerts_template(NAMES).mapping))
    assert unmapped == {"evidence.title", "evidence.url", "evidence.duplicate_of"}


def test_every_field_of_a_decision_is_mapped(alert) -> None:
    decision = Decision(
        id="d",
        rule="r",
        key=Key(kind="tag", value="banks", name="banks"),
        at=alert.starts_at,
        outcome=DecisionOutcome.HELD,
        observed=alert.observed,
        baseline=alert.baseline,
        p_value=0.5,
        explanation="why",
        alert_id="a",
        measure=MEASURE,
        checks=(Check(name="documents", value=8, relation=">=", needed=12, met=False),),
    )
    assert not [name for name, value in decision if value is None], "a field that is new: fill it in here"
    assert list(_unmapped(decision_source(decision), decisions_template(NAMES).mapping)) == []
    assert decision_from(decision_source(decision)) == decision


@pytest.mark.parametrize(
    "template", [documents_template(NAMES, {"de": "german", "zh": "cjk"}), alerts_template(NAMES), decisions_template(NAMES)]
)
def test_mappings_are_closed_and_made_of_core_types(template) -> None:
    assert template.mapping["dynamic"] is False
    assert set(_types(template.mapping)) <= CORE_TYPES
    assert template.body["index_patterns"] == [template.pattern]
    assert template.body["priority"] > 100


def test_languages_have_a_field_only_where_the_server_has_the_analyzer() -> None:
    assert "localized" not in documents_template(NAMES, {}).mapping["properties"]
    mapping = documents_template(NAMES, {"de": "german"}).mapping
    assert mapping["properties"]["localized"] == {"properties": {"de": {"type": "text", "analyzer": "german"}}}
    assert mapping["_source"] == {"excludes": ["localized"]}


def test_a_document_is_analysed_in_its_own_language_only(make_document) -> None:
    document = make_document(language={"code": "de", "confidence": 0.9})
    assert document_source(document, "", {"de": "german", "fr": "french"})["localized"] == {"de": "Headline 1\nThe text."}
    assert "localized" not in document_source(document, "", {"fr": "french"})


@given(
    moment=st.datetimes(min_value=datetime(1990, 1, 3), max_value=datetime(2090, 1, 1)),  # noqa: DTZ001 - hypothesis wants naive bounds
    hours=st.integers(-14, 14),
)
def test_the_index_depends_on_the_instant_and_not_on_its_zone(moment: datetime, hours: int) -> None:
    instant = moment.replace(tzinfo=UTC)

    class Dated:
        published_at = instant.astimezone(timezone(timedelta(hours=hours)))

    assert NAMES.of_document(Dated()) == f"opinion-documents-{instant:%Y.%m}"  # type: ignore[arg-type]


def test_indices_match_the_patterns_of_their_templates(make_document) -> None:
    from fnmatch import fnmatch

    assert fnmatch(NAMES.of_document(make_document()), documents_template(NAMES, {}).pattern)
    assert not fnmatch(NAMES.alerts, documents_template(NAMES, {}).pattern)


def test_a_language_has_one_analyzer() -> None:
    languages = [language for analyzer in ANALYZERS for language in analyzer.languages]
    assert len(languages) == len(set(languages))
    assert all(analyzer.probe == analyzer.probe.lower() for analyzer in ANALYZERS)
