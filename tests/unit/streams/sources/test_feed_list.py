"""The list of feeds: the shipped one is good, faults in one's own are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import SettingsError
from streams.sources.feed_list import default_feeds, load_feeds


def test_the_shipped_list_covers_the_languages_it_promises() -> None:
    feeds = default_feeds()
    assert len(feeds) >= 40
    assert len({feed.language for feed in feeds}) >= 10
    assert all(feed.tags and feed.language for feed in feeds)
    assert len({feed.url for feed in feeds}) == len(feeds)


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text('[[feed]]\nname = " A "\nurl = "http://a.example/rss"\ninterval = 60\nzone = "Asia/Jakarta"\n', encoding="utf-8")
    (feed,) = load_feeds(path)
    assert (feed.name, feed.interval, feed.zone, feed.language, feed.tags) == ("A", 60, "Asia/Jakarta", None, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[feed]", "is not TOML"),
        ("", "feed: Field required"),
        ("feed = []", "at least 1"),
        ('[[feed]]\nname = "a"\n', r"feed\.0\.url"),
        ('[[feed]]\nname = "a"\nurl = "ftp://x"\n', "must begin with http"),
        ('[[feed]]\nname = "a"\nurl = "http://x"\nintervall = 5\n', r"feed\.0\.intervall"),
        ('[[feed]]\nname = "a"\nurl = "http://x"\ninterval = 1\n', r"feed\.0\.interval"),
        ('[[feed]]\nname = "a"\nurl = "http://x"\nzone = "Mars"\n', "no IANA time zone"),
        ('[[feed]]\nname = "a"\nurl = "http://x"\n[[feed]]\nname = "a"\nurl = "http://y"\n', "name 'a' stands twice"),
        ('[[feed]]\nname = "a"\nurl = "http://x"\n[[feed]]\nname = "b"\nurl = "http://x"\n', "stands twice"),
    ],
)
def test_faults_are_named_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as caught:
        load_feeds(path)
    assert caught.value.mend


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_feeds(tmp_path / "none.toml")
