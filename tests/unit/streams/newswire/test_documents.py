"""The messages of the newswire: their order, form, dates and outlets, and that the broken ones are broken as they say."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from streams import newswire
from streams.documents import RawDocument, parse_raw
from streams.errors import PermanentError

START = datetime(2026, 3, 2, tzinfo=UTC)
END = START + timedelta(days=3)
FIELDS = {"source", "url", "title", "text", "author", "published_at", "language_hint", "tags"}
BROKEN = newswire.unreadable()


def lines() -> list[bytes]:
    return newswire.NEWSWIRE.read_bytes().splitlines()


def items() -> list[dict[str, Any]]:
    """Every readable item once, in the order in which it was first sent."""
    return [json.loads(line) for line in dict.fromkeys(lines())]


def at(item: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(item["published_at"])


def test_every_message_is_sent_once_and_in_its_place() -> None:
    sent = list(newswire.documents())
    readable = lines()
    assert len(sent) == len(readable) + len(BROKEN)
    assert Counter(sent) == Counter(readable) + Counter(message.message for message in BROKEN)
    broken = {message.message for message in BROKEN}
    assert [message for message in sent if message not in broken] == readable
    for message in BROKEN:
        before = sent[: sent.index(message.message)]
        assert len([earlier for earlier in before if earlier not in broken]) == message.after


def test_documents_can_be_read_twice() -> None:
    assert list(newswire.documents()) == list(newswire.documents())


def test_at_least_400_items() -> None:
    assert len(items()) >= 400


def test_each_line_is_an_object_with_the_fields_of_a_raw_document_written_readably() -> None:
    for line in lines():
        item = json.loads(line.decode("utf-8"))
        assert set(item) == FIELDS
        assert json.dumps(item, ensure_ascii=False).encode() == line, "not the plain form: escapes or other spacing"


def test_each_readable_item_is_accepted_and_its_text_arrives_whole() -> None:
    for line in lines():
        raw, document = json.loads(line), parse_raw(line)
        assert (document.source, document.url, document.title, document.text) == tuple(
            raw[field].strip() for field in ("source", "url", "title", "text")
        )
        assert document.published_at == datetime.fromisoformat(raw["published_at"])


def test_urls_are_unique_and_of_the_outlet_under_a_reserved_name() -> None:
    urls = [item["url"] for item in items()]
    assert len(urls) == len(set(urls))
    for item in items():
        address = urlsplit(item["url"])
        assert address.scheme == "https"
        assert address.netloc == item["source"].split(".")[1] + ".example"


def test_exact_duplicates_are_the_same_bytes_sent_later_and_get_the_same_id() -> None:
    repeated = {line: count for line, count in Counter(lines()).items() if count > 1}
    assert len(repeated) == newswire.counts().exact_duplicates >= 6
    assert set(repeated.values()) == {2}
    ids = Counter(parse_raw(line).document_id for line in lines())
    assert sorted(ids.values(), reverse=True)[: len(repeated) + 1] == [2] * len(repeated) + [1]


def test_items_come_in_order_of_time() -> None:
    dates = [at(item) for item in items()]
    assert dates == sorted(dates)


def test_a_duplicate_is_re_sent_within_a_quarter_of_an_hour() -> None:
    seen: dict[bytes, datetime] = {}
    clock = START
    for line in lines():
        if line in seen:
            assert clock - seen[line] <= timedelta(minutes=15)
        seen[line] = at(json.loads(line))
        clock = max(clock, seen[line])


def test_dates_carry_a_zone_and_lie_in_the_three_days() -> None:
    for item in items():
        assert at(item).tzinfo is not None, item["url"]
        assert START <= at(item) < END, item["url"]
    assert {at(item).astimezone(UTC).date() for item in items()} == {(START + timedelta(days=n)).date() for n in range(3)}
    assert len({at(item).utcoffset() for item in items()}) >= 10


def test_span_is_the_first_and_the_last_date() -> None:
    dates = [at(item) for item in items()]
    assert newswire.span() == (min(dates), max(dates))


def test_about_a_dozen_outlets_each_with_several_items() -> None:
    outlets = Counter(item["source"] for item in items())
    assert 12 <= len(outlets) <= 20
    assert min(outlets.values()) >= 10
    assert {name.split(".")[0] for name in outlets} == {"wire", "news", "blog", "social", "feed"}


def test_social_posts_have_a_handle_and_news_has_a_lead() -> None:
    for item in items():
        if item["source"].startswith("social."):
            assert item["author"].startswith("@"), item["url"]
            assert item["title"], item["url"]
        elif not item["tags"]:
            pytest.fail(f"{item['url']}: news without a tag")
        else:
            assert item["text"], item["url"]
            assert item["title"], item["url"]


def test_hints_are_right_where_they_are_given_and_often_missing() -> None:
    truth = newswire.truths()
    hinted = [item for item in items() if item["language_hint"] is not None]
    assert 0.5 < len(hinted) / len(items()) < 0.9
    assert all(item["language_hint"] == truth[item["url"]].language for item in hinted)


def test_titles_of_originals_are_all_different() -> None:
    truth = newswire.truths()
    titles = Counter(item["title"] for item in items() if truth[item["url"]].near_copy_of is None)
    assert [title for title, count in titles.items() if count > 1] == []


def test_odd_but_legal_items_are_there() -> None:
    texts = [item["title"] for item in items()]
    assert any(not any(character.isalnum() for character in text) for text in texts), "emoji only"
    assert any(len(text) <= 3 for text in texts), "very short"
    arabic = [text for text in texts if any("\u0600" <= character <= "\u06ff" for character in text)]
    assert any("QLCN" in text for text in arabic), "right to left with a Latin ticker"
    korean = [text for text in texts if any("\uac00" <= character <= "\ud7a3" for character in text)]
    assert any("new game" in text for text in korean), "two languages in one post"


def test_the_unreadable_ones_cover_the_ways_of_being_unreadable() -> None:
    assert {message.reason for message in BROKEN} == {
        "document.encoding.utf8",
        "document.json.invalid",
        "document.text.empty",
        "document.date.naive",
        "document.date.absurd",
        "document.encoding.surrogate",
        "document.text.nul",
        "document.type",
    }
    assert all(0 <= message.after <= len(lines()) for message in BROKEN)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.reason + "-" + str(broken.after))
def test_the_service_refuses_each_for_the_stated_reason(broken: newswire.Unreadable) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_raw(broken.message)
    assert refused.value.reason == broken.reason
    assert len(broken.why) > 10


def the_broken(reason: str) -> bytes:
    return next(message.message for message in BROKEN if message.reason == reason)


def test_the_broken_bytes_are_broken_by_plain_means_too() -> None:
    with pytest.raises(UnicodeDecodeError):
        the_broken("document.encoding.utf8").decode("utf-8")
    for message in BROKEN:
        if message.reason == "document.json.invalid":
            text = message.message.decode("utf-8")
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)
    empty = json.loads(the_broken("document.text.empty"))
    assert empty["title"] == empty["text"] == ""
    assert datetime.fromisoformat(json.loads(the_broken("document.date.naive"))["published_at"]).tzinfo is None
    assert json.loads(the_broken("document.date.absurd"))["published_at"].startswith("9999-")
    with pytest.raises(UnicodeEncodeError):
        json.loads(the_broken("document.encoding.surrogate"))["title"].encode("utf-8")
    assert "\x00" in json.loads(the_broken("document.text.nul"))["text"]
    assert not isinstance(json.loads(the_broken("document.type"))["title"], str)


@pytest.mark.parametrize(
    ("reason", "mended"),
    [
        ("document.text.empty", {"title": "Harbour bridge opens to walkers"}),
        ("document.date.naive", {"published_at": "2026-03-03T08:15:00+01:00"}),
        ("document.date.absurd", {"published_at": "2026-03-03T08:15:00+01:00"}),
        ("document.encoding.surrogate", {"title": "sunset over the bay"}),
        ("document.text.nul", {"text": "Tide tables for the week are out."}),
        ("document.type", {"title": "Cup tie postponed", "tags": ["sport"]}),
    ],
)
def test_nothing_but_the_stated_fault_is_wrong_with_it(reason: str, mended: dict[str, Any]) -> None:
    document = json.loads(the_broken(reason)) | mended
    assert isinstance(parse_raw(json.dumps(document).encode()), RawDocument)


def test_the_latin_1_one_is_sound_in_latin_1() -> None:
    text = the_broken("document.encoding.utf8").decode("latin-1")
    assert parse_raw(text.encode("utf-8")).title == "El puente peatonal abrirá mañana"
