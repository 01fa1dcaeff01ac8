"""The wire models: deterministic ids, bad input of any kind, and round trips of everything that travels."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from streams.documents import (
    EARLIEST,
    MAX_BYTES,
    Alert,
    AlertStatus,
    Baseline,
    DeadLetter,
    Decision,
    DecisionOutcome,
    EntityMention,
    Evidence,
    Key,
    Language,
    Observation,
    Origin,
    Outcome,
    RawDocument,
    ScoredDocument,
    Sentiment,
    SentimentLabel,
    Timings,
    Topic,
    Unscored,
    document_id,
    parse_raw,
    read_scored,
)
from streams.errors import PermanentError

AT = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
GOOD: dict[str, Any] = {"source": "wire", "text": "Aktien steigen", "published_at": "2024-05-01T12:30:00Z"}

REASONS = {
    "document.empty",
    "document.too_large",
    "document.encoding.utf8",
    "document.encoding.surrogate",
    "document.json.invalid",
    "document.json.not_an_object",
    "document.missing",
    "document.type",
    "document.length",
    "document.text.empty",
    "document.text.nul",
    "document.date.naive",
    "document.date.unreadable",
    "document.date.absurd",
    "document.schema",
}

any_text = st.text(st.characters(codec=None))  # lone surrogates and NUL too
clean_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)
instants = st.datetimes(
    min_value=datetime(1990, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2024, 1, 1),  # noqa: DTZ001
    timezones=st.timezones() | st.just(timezone(timedelta(hours=-14))),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(any_text, children, max_size=4),
    max_leaves=12,
)


def message(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def reason_of(data: bytes | None) -> str:
    with pytest.raises(PermanentError) as caught:
        parse_raw(data)
    assert caught.value.message
    assert "\n" not in caught.value.message
    return caught.value.reason


# -- ids ---------------------------------------------------------------------------------------------------------------


@given(any_text, any_text | st.none(), any_text | st.none(), st.lists(any_text, max_size=4).map(tuple))
def test_an_id_is_32_hexadecimal_digits_and_deterministic(source: str, own: str | None, url: str | None, parts: tuple[str, ...]) -> None:
    first = document_id(source, source_id=own, url=url, parts=parts)
    assert first == document_id(source, source_id=own, url=url, parts=parts)
    assert len(first) == 32
    assert set(first) <= set("0123456789abcdef")


def test_ids_do_not_change_between_releases() -> None:
    """They stand in indices: a change of the scheme would index everything twice."""
    assert document_id("wire", source_id="7", url=None, parts=()) == "314f64876e84fddc778a8d1cc1883fe9"
    assert (
        document_id("wire", source_id=None, url="https://a.example/1", parts=("Title", "Text", "", ""))
        == "3b3a0c1035d18d85fbb4916a181666dc"
    )


@given(st.lists(any_text, min_size=2, max_size=5), st.data())
def test_moving_a_boundary_between_fields_gives_another_id(fields: list[str], data: st.DataObject) -> None:
    whole = "".join(fields)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), min_size=len(fields) - 1, max_size=len(fields) - 1)))
    other = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    same = document_id("s", source_id=None, url=None, parts=tuple(fields)) == document_id("s", source_id=None, url=None, parts=tuple(other))
    assert same == (fields == other)


@given(any_text, any_text)
def test_sources_are_separated_also_against_their_own_ids(one: str, two: str) -> None:
    same = document_id(one, source_id=two, url=None, parts=()) == document_id(two, source_id=one, url=None, parts=())
    assert same == (one == two)


@given(any_text, any_text)
def test_an_own_id_never_meets_an_address(source: str, value: str) -> None:
    assert document_id(source, source_id=value, url=None, parts=()) != document_id(source, source_id=None, url=value, parts=())


@given(words, clean_text, clean_text, clean_text, instants, words | st.none())
def test_parsing_again_what_was_written_gives_the_same_document(
    source: str, title: str, text: str, author: str, at: datetime, own: str | None
) -> None:
    try:
        raw = RawDocument(id=own, source=source, title=title, text=text, author=author[:500], published_at=at)
    except ValidationError:
        assert not title.strip()
        assert not text.strip()
        return
    again = parse_raw(raw.model_dump_json().encode())
    assert again == raw
    assert again.document_id == raw.document_id


def test_the_zone_in_which_a_time_is_written_does_not_matter() -> None:
    berlin = parse_raw(message(published_at="2024-05-01T14:30:00+02:00"))
    assert berlin.document_id == parse_raw(message()).document_id
    assert berlin.published_at == AT
    assert berlin.published_at.tzinfo == UTC


def test_a_rewritten_story_is_new_but_a_corrected_date_under_the_same_address_is_not() -> None:
    first = parse_raw(message(url="https://a.example/1"))
    assert parse_raw(message(url="https://a.example/1", text="Aktien fallen")).document_id != first.document_id
    assert parse_raw(message(url="https://a.example/1", published_at="2024-05-01T13:00:00Z")).document_id == first.document_id
    assert parse_raw(message(published_at="2024-05-01T13:00:00Z")).document_id != parse_raw(message()).document_id


def test_a_senders_own_id_counts_more_than_the_content() -> None:
    assert parse_raw(message(id="7")).document_id == parse_raw(message(id="7", text="corrected")).document_id
    assert parse_raw(message(id="7")).document_id != parse_raw(message(id="7", source="other")).document_id


# -- bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b" " * (MAX_BYTES + 1), "too_large"),
        (b"x" * 10_000_000, "too_large"),
        (b'{"source": "\xff"}', "encoding.utf8"),
        (json.dumps(GOOD).encode("utf-16"), "encoding.utf8"),
        (message().replace(b"Aktien", b"\xed\xa0\x80"), "encoding.utf8"),
        (message(text="a\ud800b"), "encoding.surrogate"),
        (message(text="\udc00"), "encoding.surrogate"),
        (message(tags=["\ud83d\ud83d"]), "encoding.surrogate"),
        (b'{"\\ud800": 1}', "encoding.surrogate"),
        (b'{"source": "\\ud83d\\u0041"}', "encoding.surrogate"),
        (b'\xef\xbb\xbf{"source": "\\ud83d"}', "encoding.surrogate"),
        (b"{", "json.invalid"),
        (b"not json", "json.invalid"),
        (b"\x00", "json.invalid"),
        (b"\xef\xbb\xbf", "json.invalid"),
        ("{}".encode("utf-16-le"), "json.invalid"),
        (message()[:-1], "json.invalid"),
        (message() + b"x", "json.invalid"),
        (message() + message(), "json.invalid"),
        (b'{"a": "\\ud800"', "json.invalid"),
        (b"{'source': 'wire'}", "json.invalid"),
        (message().replace(b"Aktien", b"a\x01b"), "json.invalid"),
        (b"[" * 100_000, "json.invalid"),
        (b"[" * 100_000 + b"]" * 100_000, "json.invalid"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "json.invalid"),
        (message(x=0).replace(b'"x": 0', b'"x": ' + b"[" * 300 + b"]" * 300), "json.invalid"),
        (message(x=0).replace(b'"x": 0', b'"x": ' + b"9" * 5000), "json.invalid"),
        (b"[]", "json.not_an_object"),
        (b"null", "json.not_an_object"),
        (b'"text"', "json.not_an_object"),
        (b"1", "json.not_an_object"),
        (b"NaN", "json.not_an_object"),
        (b"{}", "missing"),
        (without("source"), "missing"),
        (without("published_at"), "missing"),
        (message(source=""), "missing"),
        (message(source="  "), "missing"),
        (message(source=None), "type"),
        (message(source=1), "type"),
        (message(source=["wire"]), "type"),
        (message(text=1.5), "type"),
        (message(text=float("nan")), "type"),
        (message(title={"de": "x"}), "type"),
        (message(id=7), "type"),
        (message(id=0).replace(b'"id": 0', b'"id": ' + b"9" * 4000), "type"),
        (message(tags="a"), "type"),
        (message(tags={"a": 1}), "type"),
        (message(tags=[1]), "type"),
        (message(published_at=None), "type"),
        (message(published_at=True), "type"),
        (message(published_at=[]), "type"),
        (message(published_at=1714566600), "type"),
        (message(published_at=1e400), "type"),
        (message(published_at=float("nan")), "type"),
        (message(published_at="1714566600"), "type"),
        (message(published_at="1714566600000"), "type"),
        (message(published_at="20240501"), "type"),
        (message(fetched_at=1714566600.5), "type"),
        (message(published_at="9" * 400), "type"),
        (message(id="x" * 513), "length"),
        (message(source="x" * 513), "length"),
        (message(title="x" * 4097), "length"),
        (message(url="x" * 4097), "length"),
        (message(language_hint="x" * 36), "length"),
        (message(tags=["a"] * 65), "length"),
        (message(tags=["x" * 129]), "length"),
        (message(text=""), "text.empty"),
        (message(text=" \n\u3000"), "text.empty"),
        (message(text=None, title=None), "text.empty"),
        (without("text"), "text.empty"),
        (message(text="a\x00b"), "text.nul"),
        (message(title="\x00"), "text.nul"),
        (message(published_at="2024-05-01T12:30:00"), "date.naive"),
        (message(published_at="2024-05-01"), "date.naive"),
        (message(published_at="2024-05-01T12:30:00Z", fetched_at="2024-05-01T12:30:00"), "date.naive"),
        (message(published_at="yesterday"), "date.unreadable"),
        (message(published_at=""), "date.unreadable"),
        (message(published_at="Wed, 01 May 2024 12:30:00 GMT"), "date.unreadable"),
        (message(published_at="2024-02-30T00:00:00Z"), "date.unreadable"),
        (message(published_at="2016-12-31T23:59:60Z"), "date.unreadable"),
        (message(published_at="2024-05-01T12:30:00+25:00"), "date.unreadable"),
        (message(published_at="0000-01-01T00:00:00Z"), "date.unreadable"),
        (message(published_at="10000-01-01T00:00:00Z"), "date.unreadable"),
        (message(published_at="0001-01-01T00:00:00Z"), "date.absurd"),
        (message(published_at="0001-01-01T00:00:00+14:00"), "date.absurd"),
        (message(published_at="9999-12-31T23:59:59Z"), "date.absurd"),
        (message(published_at="9999-12-31T23:59:59-14:00"), "date.absurd"),
        (message(published_at="1989-12-31T23:59:59Z"), "date.absurd"),
        (message(fetched_at="1970-01-01T00:00:00Z"), "date.absurd"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value),
)
def test_bad_input_has_its_reason(data: bytes | None, reason: str) -> None:
    assert reason_of(data) == f"document.{reason}"


def test_the_listed_reasons_are_the_ones_that_the_docstring_promises() -> None:
    assert parse_raw.__doc__ is not None
    assert {reason for reason in REASONS if f"``{reason}``" in parse_raw.__doc__} == REASONS


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_else(data: bytes) -> None:
    before = bytes(data)
    try:
        parse_raw(data)
    except PermanentError as error:
        assert error.reason in REASONS  # noqa: PT017 - not raising is right as well
    assert data == before


@given(json_values)
def test_arbitrary_json_raises_nothing_else(value: Any) -> None:
    assert reason_of(json.dumps(value).encode()) in REASONS


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*RawDocument.model_fields, "unknown"]), json_values, max_size=5))
def test_arbitrary_values_in_known_fields_raise_nothing_else(changes: dict[str, Any]) -> None:
    try:
        raw = parse_raw(message(**changes))
    except PermanentError as error:
        assert error.reason in REASONS  # noqa: PT017 - not raising is right as well
    else:
        assert raw.published_at.utcoffset() == timedelta(0)
        assert parse_raw(raw.model_dump_json().encode()).document_id == raw.document_id


@given(any_text)
def test_a_text_is_taken_as_it_is_or_refused(text: str) -> None:
    bad = "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text)
    try:
        raw = parse_raw(json.dumps({**GOOD, "title": "t", "text": text}, ensure_ascii=True).encode())
    except PermanentError as error:
        assert bad
        assert error.reason in {"document.text.nul", "document.encoding.surrogate"}  # noqa: PT017 - not raising is right as well
    else:
        # Two escaped halves that stand together are one character, by JSON's own rule.
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        assert raw.text == RawDocument(source="s", title="t", text=joined, published_at=AT).text
        assert not bad or joined != text


def test_what_may_be_absent_may_be_null_or_empty() -> None:
    raw = parse_raw(message(id="", url=None, title=None, author=" ", fetched_at=None, language_hint="", tags=None))
    assert (raw.id, raw.url, raw.title, raw.author, raw.fetched_at, raw.language_hint, raw.tags) == (None, None, "", None, None, None, ())
    assert raw == parse_raw(message())


def test_what_we_do_not_know_is_ignored() -> None:
    assert parse_raw(message(sentiment="great", deep={"a": [1, {"b": None}]}, odd=float("inf"))) == parse_raw(message())


def test_the_last_of_two_equal_names_counts() -> None:
    raw = parse_raw(b'{"source": "a", "source": "b", "text": "t", "published_at": "2024-05-01T12:30:00Z"}')
    assert raw.source == "b"


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse_raw(b"\xef\xbb\xbf" + message()) == parse_raw(message())


def test_the_largest_message_is_read() -> None:
    text = "x" * (MAX_BYTES - len(message(text="")))
    assert parse_raw(message(text=text)).text == text
    assert reason_of(message(text=text + "x")) == "document.too_large"


def test_dates_up_to_the_limits_are_read() -> None:
    assert parse_raw(message(published_at="1990-01-01T00:00:00Z")).published_at == EARLIEST
    assert parse_raw(message(published_at="1989-12-31T23:00:00-02:00")).published_at == EARLIEST + timedelta(hours=1)
    ahead = datetime.now(UTC) + timedelta(hours=23)
    assert parse_raw(message(published_at=ahead.isoformat())).published_at == ahead
    assert reason_of(message(published_at=(ahead + timedelta(hours=2)).isoformat())) == "document.date.absurd"


# -- origins -------------------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("abcXYZ019._-"), max_size=40), st.integers(0, 10_000), st.integers(0, 2**63))
def test_an_origin_is_read_back(topic: str, partition: int, offset: int) -> None:
    origin = Origin(topic=topic, partition=partition, offset=offset)
    assert Origin.parse(str(origin)) == origin


@pytest.mark.parametrize("text", ["", "a", "a-1", "a-b-1", "a-1-b", "a-1-", "a--1", "documents.raw-0--1", "a-1-²"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Origin.parse(text)


@pytest.mark.parametrize("place", [{"partition": -1, "offset": 0}, {"partition": 0, "offset": -1}])
def test_there_are_no_negative_places(place: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Origin(topic="a", **place)


# -- scores --------------------------------------------------------------------------------------------------------------

probabilities = st.floats(0, 1)


@given(probabilities, probabilities, probabilities)
def test_label_and_score_follow_the_probabilities(negative: float, neutral: float, positive: float) -> None:
    sentiment = Sentiment(negative=negative, neutral=neutral, positive=positive)
    assert -1 <= sentiment.score <= 1
    assert sentiment.score == pytest.approx(positive - negative, abs=1e-6)
    by_label = {SentimentLabel.NEGATIVE: negative, SentimentLabel.NEUTRAL: neutral, SentimentLabel.POSITIVE: positive}
    assert by_label[sentiment.label] == max(by_label.values())
    assert Sentiment.model_validate_json(sentiment.model_dump_json()) == sentiment


def test_label_and_score_stand_on_the_wire() -> None:
    data = Sentiment(negative=0.7, neutral=0.2, positive=0.1).model_dump(mode="json")
    assert data == {"negative": 0.7, "neutral": 0.2, "positive": 0.1, "label": "negative", "score": -0.6}


def test_label_and_score_from_the_wire_are_not_believed() -> None:
    read = Sentiment.model_validate_json('{"negative": 0.7, "neutral": 0.2, "positive": 0.1, "label": "positive", "score": 1}')
    assert (read.label, read.score) == (SentimentLabel.NEGATIVE, -0.6)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Sentiment(negative=value, neutral=0, positive=0)


def test_large_messages_are_not_remembered() -> None:
    small, large = (scored(text="x" * size).model_dump_json().encode() for size in (100, 100_000))
    assert read_scored(small) is read_scored(small)
    assert read_scored(large) is not read_scored(large)
    assert read_scored(large).text == "x" * 100_000


def scored(**changes: Any) -> ScoredDocument:
    fields: dict[str, Any] = {
        "id": "0" * 32,
        "source": "wire",
        "title": "Banken",
        "text": "عنوان 标题",
        "published_at": AT,
        "language": Language(code="de", confidence=0.9),
        "sentiment": Sentiment(negative=0.7, neutral=0.2, positive=0.1),
        "topic": Topic(label="economy", probabilities={"economy": 0.8, "sport": 0.2}),
        "entities": (EntityMention(id="e1", name="Bank", matched="банк"),),
        "tags": ("a", "b"),
        "model_id": "m",
        "timings": Timings(received_at=AT, scored_at=AT, enrich_ms=1.5),
        "origin": "documents.raw-0-7",
    }
    return ScoredDocument(**{**fields, **changes})


def test_a_document_is_scored_or_says_why_not_never_both_nor_neither() -> None:
    assert scored(sentiment=None, topic=None, unscored=Unscored(reason="text.no_words")).sentiment is None
    with pytest.raises(ValidationError, match="either a sentiment or a reason"):
        scored(sentiment=None)
    with pytest.raises(ValidationError, match="either a sentiment or a reason"):
        scored(unscored=Unscored(reason="text.no_words"))


@pytest.mark.parametrize("name", ["published_at", "fetched_at"])
def test_naive_times_do_not_travel(name: str) -> None:
    with pytest.raises(ValidationError, match="timezone"):
        scored(**{name: datetime(2024, 5, 1)})  # noqa: DTZ001 - what is refused


OBSERVED = Observation(start=AT - timedelta(hours=3), end=AT, documents=20, negative=15, share=0.75)
BASELINE = Baseline(start=AT - timedelta(days=7), end=AT, documents=200, negative=20, share=0.1, expected_share=0.12)
KEY = Key(kind="entity", value="e1", name="Banque «É» 銀行")
ALERT = Alert(
    id="a" * 16,
    fingerprint="f" * 16,
    rule="negative-share",
    status=AlertStatus.FIRING,
    severity="critical",
    key=KEY,
    starts_at=AT,
    observed=OBSERVED,
    baseline=BASELINE,
    p_value=1e-9,
    evidence=(Evidence(id="1", title="Run auf die Bank", url=None, source="wire", language="de", published_at=AT, score=-0.9),),
    languages={"de": 3, "zh": 2},
    sources={"wire": 5},
    summary="75 % negative",
)
DECISION = Decision(
    id="d", rule="r", key=KEY, at=AT, outcome=DecisionOutcome.FIRED, observed=OBSERVED, baseline=None, p_value=None, explanation="why"
)


@pytest.mark.parametrize(
    "model",
    [
        parse_raw(message(id="7", url="https://a.example", tags=["x"], fetched_at="2024-05-01T12:31:00Z", language_hint="de")),
        scored(),
        scored(sentiment=None, topic=None, unscored=Unscored(reason="language.unknown", detail="x"), duplicate_of="1" * 32),
        DeadLetter(reason="a.b", detail="d", stage="index", origin="o-0-1", failed_at=AT, original=b"\xff\x00 x ", truncated_from=9),
        ALERT,
        ALERT.model_copy(update={"status": AlertStatus.RESOLVED}),
        DECISION,
        DECISION.model_copy(update={"baseline": BASELINE, "p_value": 0.5, "alert_id": "a"}),
        Origin(topic="documents.raw", partition=3, offset=9),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_wire_model_is_read_back_from_its_json(model: BaseModel) -> None:
    assert type(model).model_validate_json(model.model_dump_json()) == model


@pytest.mark.parametrize("model", [scored(), ALERT, DECISION])
def test_unknown_fields_are_refused_between_our_own_agents(model: BaseModel) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(model).model_validate({**model.model_dump(), "surprise": 1})


@pytest.mark.parametrize("model", [scored(), ALERT, DECISION])
def test_wire_models_do_not_change(model: BaseModel) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        model.id = "other"  # type: ignore[attr-defined]


def test_a_key_is_shown_with_its_kind() -> None:
    assert str(KEY) == "entity:e1"


# -- dead letters --------------------------------------------------------------------------------------------------------


@given(
    any_text,
    st.binary(max_size=100),
    st.sampled_from(["source", "score", "index", "watch", "notify"]),
    st.none() | st.integers(0, 2**40),
    instants,
)
def test_a_dead_letter_is_read_back_from_its_record(detail: str, original: bytes, stage: Any, cut: int | None, at: datetime) -> None:
    letter = DeadLetter(
        reason="search.rejected",
        detail=detail,
        stage=stage,
        origin="documents.raw-1-2",
        failed_at=at.astimezone(UTC),
        original=original,
        truncated_from=cut,
    )
    again = DeadLetter.from_record(original, letter.headers())
    assert again.model_copy(update={"detail": ""}) == letter.model_copy(update={"detail": ""})
    assert again.detail == letter.detail[:1000].strip() or again.detail == letter.detail[:1000]
    assert DeadLetter.model_validate_json(letter.model_dump_json()) == letter


def test_a_long_detail_is_cut_in_the_headers() -> None:
    letter = DeadLetter(reason="r", detail="ж" * 5000, stage="score", origin="o-0-1", failed_at=AT, original=b"")
    assert DeadLetter.from_record(b"", letter.headers()).detail == "ж" * 1000


def test_a_record_of_somebody_else_is_no_letter() -> None:
    with pytest.raises(ValidationError):
        DeadLetter.from_record(b"{}", [("traceparent", b"00")])


def test_a_record_without_a_value_is_a_letter_about_nothing() -> None:
    letter = DeadLetter(reason="document.empty", detail="", stage="score", origin="o-0-1", failed_at=AT, original=b"")
    assert DeadLetter.from_record(None, letter.headers()) == letter


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("filtered.language", Outcome.FILTERED), ("filtered", Outcome.DEAD), ("document.filtered.x", Outcome.DEAD), ("x", Outcome.DEAD)],
)
def test_only_reasons_under_filtered_are_filtered(reason: str, outcome: Outcome) -> None:
    assert DeadLetter(reason=reason, detail="", stage="score", origin="o-0-1", failed_at=AT, original=b"").outcome is outcome


def test_blank_tags_are_dropped_and_the_document_stays() -> None:
    assert parse_raw(message(tags=["a", " ", "", "b"])).tags == ("a", "b")
