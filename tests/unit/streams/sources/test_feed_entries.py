"""From bytes to raw documents: dates, charsets, broken feeds."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams.documents import parse_raw
from streams.errors import PermanentError
from streams.sources.feed_entries import FeedEntry, document, read_entries
from streams.sources.feed_list import Feed

URL = "https://news.example/rss/feed.xml"
FEED = Feed(name="Example", url=URL, language="de", tags=("markets",))
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def rss(items: str, encoding: str = "utf-8", declare: bool = True) -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?>' if declare else ""
    return f'{head}<rss version="2.0"><channel><title>T</title><link>https://news.example/</link>{items}</channel></rss>'.encode(encoding)


def atom(entries: str) -> bytes:
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>urn:t</id>{entries}</feed>'.encode()


def read(body: bytes, content_type: str = "application/rss+xml", zone: str | None = None) -> list[FeedEntry]:
    return read_entries(body, content_type=content_type, url=URL, zone=zone)


def dated(date: str) -> bytes:
    return rss(f"<item><title>a</title><guid>1</guid><pubDate>{date}</pubDate></item>")


def test_an_rss_item_becomes_a_raw_document_that_the_service_reads() -> None:
    body = rss(
        "<item><title>Bank &amp; Co</title><guid>g-1</guid><link>/a?b=1</link><author>A. Author</author>"
        "<description>&lt;p&gt;Lead&lt;/p&gt;</description><pubDate>Sat, 01 Jun 2024 10:00:00 +0200</pubDate></item>"
    )
    raw = parse_raw(document(FEED, read(body)[0], NOW))
    assert (raw.id, raw.source, raw.url, raw.title) == ("g-1", "Example", "https://news.example/a?b=1", "Bank & Co")
    assert raw.text == "<p>Lead</p>", "markup is the service's business"
    assert (raw.author, raw.language_hint, raw.tags) == ("A. Author", "de", ("markets",))
    assert raw.published_at == datetime(2024, 6, 1, 8, tzinfo=UTC)
    assert raw.fetched_at == NOW


def test_an_atom_entry_is_dated_by_its_publication_else_by_its_update() -> None:
    entry = "<entry><id>urn:{0}</id><title>{0}</title><link href='https://x.example/{0}'/><summary>s</summary>{1}</entry>"
    body = atom(
        entry.format("1", "<published>2024-05-01T00:00:00Z</published><updated>2024-05-02T00:00:00Z</updated>")
        + entry.format("2", "<updated>2024-05-02T00:00:00+02:00</updated>")
    )
    assert [e.published for e in read(body)] == [datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, 22, tzinfo=UTC)]


@pytest.mark.parametrize(
    "date",
    [
        "Sat, 01 Jun 2024 10:00:00 +0200",
        "Sat, 01 Jun 2024 08:00:00 GMT",
        "Sat, 01 Jun 2024 04:00:00 EDT",
        "2024-06-01T10:00:00+02:00",
        "2024-06-01T08:00:00Z",
        "<![CDATA[Sat, 01 Jun 2024 08:00:00 UT]]>",
        "01 Jun 2024 08:00 +0000",
    ],
)
def test_dates_with_a_zone(date: str) -> None:
    assert read(dated(date))[0].published == datetime(2024, 6, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("date", ["2024-06-01T15:00:00", "2024-06-01 15:00:00", "Sat, 01 Jun 2024 15:00:00", "01-06-2024 15:00"])
def test_dates_without_a_zone_are_not_taken_for_utc(date: str) -> None:
    assert read(dated(date))[0].published is None
    raw = parse_raw(document(FEED, read(dated(date))[0], NOW))
    assert raw.published_at == NOW
    assert raw.tags == ("markets", "undated")


@pytest.mark.parametrize("date", ["2024-06-01T15:00:00", "2024-06-01 15:00:00", "Sat, 01 Jun 2024 15:00:00"])
def test_dates_without_a_zone_count_where_the_list_states_it(date: str) -> None:
    entry = read(dated(date), zone="Asia/Jakarta")[0]
    assert entry.published == datetime(2024, 6, 1, 8, tzinfo=UTC)
    assert parse_raw(document(FEED, entry, NOW)).tags == ("markets",)


def test_one_naive_date_does_not_harm_the_others_of_the_feed() -> None:
    body = rss(
        "<item><title>a</title><pubDate>Sat, 01 Jun 2024 08:00:00 GMT</pubDate></item>"
        "<item><title>b</title><pubDate>2024-06-01 15:00:00</pubDate></item><item><title>c</title></item>"
    )
    assert [e.published for e in read(body)] == [datetime(2024, 6, 1, 8, tzinfo=UTC), None, None]


@pytest.mark.parametrize(
    ("encoding", "declare", "content_type"),
    [
        ("utf-8", True, "text/xml"),
        ("windows-1251", True, "text/xml"),
        ("koi8-r", True, "application/rss+xml"),
        ("windows-1251", False, "text/xml; charset=windows-1251"),
        ("utf-16", True, "application/xml"),
    ],
)
def test_charsets_of_the_declaration_or_the_header(encoding: str, declare: bool, content_type: str) -> None:
    body = rss("<item><title>Банк объявил о дефолте</title><guid>1</guid></item>", encoding, declare)
    assert read(body, content_type)[0].title == "Банк объявил о дефолте"


@pytest.mark.parametrize("title", ["البنك يعلن إفلاسه", "银行宣布破产", "बैंक दिवालिया", "הבנק הודיע", "ธนาคารล้มละลาย", "emoji 🏦📉"])
def test_every_script_arrives_as_it_was_sent(title: str) -> None:
    entry = read(rss(f"<item><title>{title}</title><guid>1</guid></item>"))[0]
    assert entry.title == title
    assert json.loads(document(FEED, entry, NOW))["title"] == title


def test_broken_xml_is_left_to_the_second_reader() -> None:
    body = b'<rss version="2.0"><channel><item><title>A & B</title><guid>1</guid></item><item><title>C</title><guid>2</guid>'
    found = read(body)
    assert [(entry.title, entry.id) for entry in found] == [("A & B", "1"), ("C", "2")]


def test_both_readers_give_an_entry_the_same_id() -> None:
    """Else an entry would be put twice when another entry of its feed makes the other reader take over."""
    item = "<item><guid>tag-1</guid><title>a</title><link>/x</link></item>"
    sound = read(rss(item))[0]
    careful = read(rss(item + "<item><title>b</title><pubDate>2024-06-01 15:00:00</pubDate></item>"))[0]
    broken = read(rss(item + "<item><title>AT&T</title></item>"))[0]
    assert sound == careful == broken


@pytest.mark.parametrize("body", [b"", b"garbage", b"\x00\xff" * 100, b"<html><body><h1>Log in</h1></body></html>", b"{}", b"null"])
def test_what_is_no_feed_is_told(body: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        read(body, "text/html")
    assert caught.value.reason == "feed.unreadable"


def test_a_feed_without_entries_is_a_feed() -> None:
    assert read(rss("")) == []
    assert read(atom("")) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("before", ["", f"<!-- {'x' * 100_000} -->"], ids=["at the begin", "behind a long comment"])
def test_entity_declarations_are_refused(encoding: str, before: str) -> None:
    subset = '<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">'
    bomb = f'<?xml version="1.0"?>{before}<!DOCTYPE x [{subset}]><rss><channel/></rss>'
    with pytest.raises(PermanentError) as caught:
        read(bomb.encode(encoding))
    assert caught.value.reason == "feed.entities"


def test_entries_are_told_apart_by_id_else_link_else_words() -> None:
    body = rss(
        "<item><guid>1</guid><title>a</title></item><item><guid>2</guid><title>a</title></item>"
        "<item><link>/x</link><title>a</title></item><item><title>a</title></item><item><title>b</title></item>"
    )
    assert len({entry.key for entry in read(body)}) == 5
    assert [entry.key for entry in read(body)] == [entry.key for entry in read(body)]


def test_addresses_that_are_none_and_ids_that_are_too_long() -> None:
    body = rss(f"<item><guid>{'g' * 600}</guid><link>javascript:alert(1)</link><title>{'t' * 5000}</title></item>")
    raw = parse_raw(document(FEED, read(body)[0], NOW))
    assert raw.url is None
    assert raw.id is not None
    assert len(raw.id) == 64
    assert len(raw.title) == 4096


def test_addresses_with_secrets_are_not_in_errors() -> None:
    with pytest.raises(PermanentError) as caught:
        read_entries(b"x", content_type="", url="https://user:secret@news.example/f?token=hidden")
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@given(
    body=st.binary(max_size=400)
    | st.text(max_size=300).map(lambda text: rss(f"<item><title>{text}</title></item>"[:300]) if text.isprintable() else b"")
)
@hypothesis_settings(deadline=None, max_examples=80)
def test_any_bytes_give_entries_or_one_kind_of_error(body: bytes) -> None:
    entries: list[FeedEntry] = []
    with contextlib.suppress(PermanentError):
        entries = read(body)
    for entry in entries:
        assert json.loads(document(FEED, entry, NOW))["source"] == "Example"
