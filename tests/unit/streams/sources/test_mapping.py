"""Foreign lines become raw documents; nothing is dropped, guessed or repaired."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.documents import parse_raw
from streams.errors import PermanentError, SettingsError
from streams.sources.mapping import FieldMapping

LINE = json.dumps(
    {
        "id": "768c2cf7",
        "source": "cnbc",
        "text": "Startup Asia masih seksi",
        "published_at": "2020-07-06T09:10:32",
        "lang_true": "id",
        "target": "GOTO",
        "outlet": "cnbc",
    }
).encode()


def mapped(text: str | None, zone: str | None = None, line: bytes = LINE, shift: timedelta | None = None) -> dict:
    return json.loads(FieldMapping.parse(text, zone=zone).apply(line, shift=shift))


def test_a_raw_document_passes_byte_for_byte_when_nothing_is_asked_for() -> None:
    line = b'{ "source" :"a",  "text":"\\u00fc", "published_at":"2024-01-01T00:00:00+00:00"}'
    assert FieldMapping.parse(None).apply(line) is line
    assert FieldMapping.parse("").apply(line) is line


def test_fields_are_renamed_and_the_rest_is_left_out() -> None:
    document = mapped("text=text,published_at=published_at,tags=target,tags=outlet,source:=jakarta", zone="Asia/Jakarta")
    assert document == {
        "id": "768c2cf7",
        "source": "jakarta",
        "text": "Startup Asia masih seksi",
        "published_at": "2020-07-06T02:10:32Z",
        "tags": ["GOTO", "cnbc"],
    }
    assert "language_hint" not in document, "the true language is no hint unless it is mapped"
    assert mapped("language_hint=lang_true", zone="UTC")["language_hint"] == "id"


def test_a_naive_time_stays_naive_and_is_dead_lettered_unless_its_zone_is_stated() -> None:
    naive = FieldMapping.parse("tags=target").apply(LINE)
    with pytest.raises(PermanentError) as caught:
        parse_raw(naive)
    assert caught.value.reason == "document.date.naive"
    stated = FieldMapping.parse(None, zone="UTC").apply(LINE)
    assert parse_raw(stated).published_at == datetime(2020, 7, 6, 9, 10, 32, tzinfo=UTC)


def test_a_date_without_a_time_is_its_midnight_in_the_stated_zone() -> None:
    line = b'{"source":"a","text":"x","published_at":"2020-01-15"}'
    assert mapped(None, zone="Asia/Jakarta", line=line)["published_at"] == "2020-01-14T17:00:00Z"
    assert mapped(None, zone="America/New_York", line=line)["published_at"] == "2020-01-15T05:00:00Z"
    with pytest.raises(PermanentError, match=r"zone|timezone"):
        parse_raw(FieldMapping.parse(None).apply(line))


def test_a_zone_of_its_own_wins_over_the_stated_one() -> None:
    line = b'{"source":"a","text":"x","published_at":"2020-01-15T00:00:00+03:00"}'
    assert mapped(None, zone="Asia/Jakarta", line=line)["published_at"] == "2020-01-14T21:00:00Z"


def test_an_hour_that_happens_twice_is_the_first_one() -> None:
    line = b'{"source":"a","text":"x","published_at":"2020-10-25T02:30:00"}'
    assert mapped(None, zone="Europe/Berlin", line=line)["published_at"] == "2020-10-25T00:30:00Z"


def test_nested_fields_numbers_and_lists() -> None:
    line = json.dumps({"a": {"b": "deep"}, "a.c": "literal", "n": 123, "l": ["x", 7, "x", ""], "t": None}).encode()
    document = mapped("text=a.b,title=a.c,id=n,tags=l,tags=t,tags=n,author=missing.path", line=line)
    assert document == {"id": "123", "title": "literal", "text": "deep", "tags": ["x", "7", "123"]}


@pytest.mark.parametrize("line", [b"", b"\xff\xfe", b"[1]", b'"text"', b"{", b"null", b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}"])
def test_what_is_no_object_passes_as_it_is(line: bytes) -> None:
    mapping = FieldMapping.parse("text=a,source:=s", zone="UTC")
    assert mapping.apply(line, shift=timedelta(days=1)) == line
    assert mapping.published(line) is None


def test_dates_that_cannot_be_read_are_left_for_the_service_to_name() -> None:
    for value in ("yesterday", "", 1577836800, None, "9999-12-31T23:59:59Z"):
        line = json.dumps({"source": "a", "text": "x", "published_at": value}).encode()
        document = mapped(None, zone="UTC", line=line, shift=timedelta(days=400))
        assert document["published_at"] == value


def test_shifting_moves_both_times_alike() -> None:
    line = b'{"source":"a","text":"x","published_at":"2020-01-15T00:00:00Z","fetched_at":"2020-01-15T01:00:00Z","extra":1}'
    document = mapped(None, line=line, shift=timedelta(days=1))
    assert (document["published_at"], document["fetched_at"]) == ("2020-01-16T00:00:00Z", "2020-01-16T01:00:00Z")
    assert document["extra"] == 1


def test_lone_surrogates_reach_the_service_as_such() -> None:
    line = b'{"source":"a","text":"\\ud800","published_at":"2020-01-15T00:00:00Z"}'
    with pytest.raises(PermanentError) as caught:
        parse_raw(FieldMapping.parse(None, zone="UTC").apply(line))
    assert caught.value.reason == "document.encoding.surrogate"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("text", "not of the form"),
        ("=x", "not of the form"),
        ("text=", "not of the form"),
        ("body=text", "no field 'body'"),
        ("text=a,text=b", "given twice"),
        ("source:=a,source=b", "given twice"),
    ],
)
def test_a_bad_mapping_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        FieldMapping.parse(text)
    assert caught.value.mend


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "x" * 300])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(SettingsError, match="--zone"):
        FieldMapping.parse(None, zone=zone)


@given(
    fields=st.dictionaries(
        st.sampled_from(["id", "source", "text", "published_at", "tags", "x"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers(), max_size=3),
    ),
    shift=st.none() | st.timedeltas(),
)
def test_any_object_gives_one_message_and_keeps_its_text(fields: dict, shift: timedelta | None) -> None:
    line = json.dumps(fields).encode()
    document = json.loads(FieldMapping.parse("tags=x", zone="UTC").apply(line, shift=shift))
    assert document.get("text") == fields.get("text")
    assert all(tag != "" for tag in document["tags"])


@given(when=st.datetimes(min_value=datetime(1990, 1, 2), max_value=datetime(2025, 1, 1)))  # noqa: DTZ001
def test_what_is_accepted_as_published_is_what_the_service_reads(when: datetime) -> None:
    line = json.dumps({"source": "a", "text": "x", "published_at": when.isoformat()}).encode()
    mapping = FieldMapping.parse(None, zone="Asia/Kolkata")
    assert mapping.published(line) == parse_raw(mapping.apply(line)).published_at
    assert FieldMapping.parse(None).published(line) is None
