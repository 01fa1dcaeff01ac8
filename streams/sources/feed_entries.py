"""From the bytes of a feed to raw documents. fastfeedparser reads the sound feeds, feedparser the broken ones.

Titles and summaries are passed on as they are written (with their markup): cleaning is the service's business.

Dates: an entry's publication, else its update, else the moment of the visit with the tag ``undated``. RSS and Atom demand
a zone; a date without one counts only where the feed's list states the zone. fastfeedparser takes such dates for UTC
without a word, therefore a feed that has one is read by feedparser, which hands dates over as they are written.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin
from xml.parsers import expat
from zoneinfo import ZoneInfo

import fastfeedparser
import feedparser

from streams.errors import PermanentError
from streams.sources.feed_list import Feed
from streams.sources.fetch import shown

__all__ = ["UNDATED", "FeedEntry", "document", "read_entries"]

UNDATED = "undated"

_TITLE = 4096
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_DATE = re.compile(
    rb"<(?:\w+:)?(?:pubDate|date|published|updated|modified|issued|created)\b[^>]*>\s*(?:<!\[CDATA\[)?\s*([^<\]]{4,64}?)\s*(?:\]\]>)?\s*</"
    rb'|"date_(?:published|modified)"\s*:\s*"([^"]{4,64})"',
    re.IGNORECASE,
)
_ZONED = re.compile(r"\d:\d\d.*?(?:[Zz]|[+-](?:0\d|1[0-4]):?[0-5]\d|(?<![A-Za-z])(?!AM|PM|am|pm)[A-Za-z]{1,5})\)?$")
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*\bencoding\s*=", re.IGNORECASE)
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry. `key` tells it from the feed's others over visits; `published` is an instant (UTC) or unknown."""

    key: str
    id: str | None
    title: str
    text: str
    url: str | None
    author: str | None
    published: datetime | None


def read_entries(body: bytes, *, content_type: str, url: str, zone: str | None = None) -> list[FeedEntry]:
    """The entries of a feed, in its order.

    Args:
        body: as the server sent it, unpacked.
        content_type: the HTTP header, for its charset.
        url: address of the feed; relative links are resolved by it.
        zone: IANA zone of dates that carry none.

    Raises:
        PermanentError: not a feed (``feed.unreadable``), or it declares entities (``feed.entities``).
    """
    # Feeds need no entity declarations; bombs and file readers do.
    if _ENTITY.search(body.replace(b"\x00", b"")):
        raise PermanentError(f"{shown(url)} declares XML entities", reason="feed.entities", mend="tell the feed's owner")
    body = _as_declared(body, content_type)
    if not _dates_want_care(body) and _well_formed(body):
        found = _fast(body)
        if found:
            return [_entry(entry, url, _fast_date(entry)) for entry in found]
    # Without the feed's address: feedparser would turn plain ids into addresses, the other reader does not.
    parsed = feedparser.parse(body, response_headers={"content-type": content_type})
    if not parsed.entries and not parsed.get("version"):
        raise PermanentError(f"{shown(url)} is not a feed: {_why(parsed)}", reason="feed.unreadable", mend="check the address in a browser")
    known_zone = ZoneInfo(zone) if zone else None
    return [_entry(entry, url, _careful_date(entry, known_zone)) for entry in parsed.entries]


def _why(parsed: Any) -> str:
    problem = parsed.get("bozo_exception")
    return " ".join(str(problem).split())[:200] if problem else "neither RSS nor Atom"


def _as_declared(body: bytes, content_type: str) -> bytes:
    """The body in UTF-8 where only the HTTP header names its charset."""
    header = Message()
    header["content-type"] = content_type
    charset = header.get_content_charset()
    if charset is None or body.startswith(_MARKS) or _DECLARED.match(body[:256]):
        return body
    try:
        return body.decode(charset).encode()
    except (LookupError, UnicodeError):
        return body


def _dates_want_care(body: bytes) -> bool:
    if body.startswith(_MARKS[1:]):  # UTF-16: the pattern below is blind there
        return True
    dates = (match[1] or match[2] for match in _DATE.finditer(body))
    return any(not _ZONED.search(date.decode("ascii", "replace")) for date in dates)


def _well_formed(body: bytes) -> bool:
    """Whether XML is sound. In broken XML fastfeedparser leaves out what it stumbles over ("AT&T" becomes "ATT")."""
    if body.lstrip()[:1] == b"{":  # a JSON feed
        return True
    try:
        expat.ParserCreate().Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):  # the last two: encodings that expat does not know
        return False
    return True


def _fast(body: bytes) -> list[dict[str, Any]]:
    try:
        parsed = fastfeedparser.parse(body, include_tags=False, include_media=False, include_enclosures=False)
    except Exception:  # noqa: BLE001 - whatever it stumbles over, feedparser has the last word
        return []
    return list(parsed.entries)


def _fast_date(entry: dict[str, Any]) -> datetime | None:
    for name in ("published", "updated"):
        value = entry.get(name)
        if isinstance(value, str) and value:
            try:
                read = datetime.fromisoformat(value)
            except ValueError:
                continue
            if read.tzinfo is not None:
                return read.astimezone(UTC)
    return None


def _careful_date(entry: Any, zone: ZoneInfo | None) -> datetime | None:
    for name in ("published", "updated"):
        # dict.get: feedparser's own answers with the publication where there is no update, and warns of it.
        written = str(dict.get(entry, name) or "").strip()
        fields = dict.get(entry, f"{name}_parsed")
        zoned = bool(_ZONED.search(written))
        if not zoned and zone is None:
            continue
        exact = _exact(written)
        if exact is None and fields is not None:  # a form that only feedparser knows; it has applied a zone if there was one
            exact = datetime.fromtimestamp(calendar.timegm(fields), UTC).replace(tzinfo=UTC if zoned else None)
        if exact is not None and (exact.tzinfo is not None or zone is not None):
            return (exact if exact.tzinfo is not None else exact.replace(tzinfo=zone)).astimezone(UTC)
    return None


def _exact(written: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(written)
        except (ValueError, TypeError, IndexError):
            continue
    return None


def _string(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _entry(entry: Any, url: str, published: datetime | None) -> FeedEntry:
    title = _string(entry.get("title"))
    text = _string(entry.get("summary")) or _string(entry.get("description"))
    if not text:
        contents = entry.get("content") or []
        text = next((_string(part.get("value")) for part in contents if isinstance(part, dict) and part.get("value")), "")
    identifier = _string(entry.get("id")) or None
    link = _string(entry.get("link"))
    address = _absolute(url, link) if link else None
    key = identifier or address or "\0".join((title, text))
    return FeedEntry(
        key=hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16],
        id=identifier
        if identifier is None or len(identifier) <= 512
        else hashlib.sha256(identifier.encode("utf-8", "replace")).hexdigest(),
        title=title[:_TITLE],
        text=text,
        url=address,
        author=_string(entry.get("author"))[:512] or None,
        published=published,
    )


def _absolute(base: str, link: str) -> str | None:
    try:
        joined = urljoin(base, link)
    except ValueError:
        return None
    return joined if joined.startswith(("http://", "https://")) and len(joined) <= 4096 else None


def document(feed: Feed, entry: FeedEntry, fetched_at: datetime) -> bytes:
    """The raw message of an entry.

    Args:
        feed: where it stood.
        entry: the entry.
        fetched_at: moment of the visit (with zone).
    """
    tags = feed.tags if entry.published else (*feed.tags, UNDATED)
    fields = {
        "id": entry.id,
        "source": feed.name,
        "url": entry.url,
        "title": entry.title,
        "text": entry.text,
        "author": entry.author,
        "published_at": _z(entry.published or fetched_at),
        "fetched_at": _z(fetched_at),
        "language_hint": feed.language,
        "tags": list(tags),
    }
    known = {name: value for name, value in fields.items() if value is not None}
    try:
        return json.dumps(known, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # lone surrogates: the service names them as its reason
        return json.dumps(known, separators=(",", ":")).encode()


def _z(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
