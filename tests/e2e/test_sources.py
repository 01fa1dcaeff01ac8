"""What a user reads with ``up --feeds`` and ``replay``: real HTTP, real streams, into the real stack, and every document accounted for."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from e2e.harness import Bellwether, until

TITLES = ("Nestlé recalls baby formula", "Банк России повысил ставку", "トヨタ、純利益が過去最高を更新")


class _Site(BaseHTTPRequestHandler):
    """A site with one feed that is open, and one that robots.txt forbids."""

    asked: Counter[str]
    unchanged: Counter[str]

    def do_GET(self) -> None:
        type(self).asked[self.path] += 1
        if self.path == "/robots.txt":
            self._answer(200, b"User-agent: *\nDisallow: /private\n", "text/plain")
        elif self.headers.get("If-None-Match") == '"v1"':
            type(self).unchanged[self.path] += 1
            self._answer(304, b"", "application/rss+xml")
        else:
            items = "".join(
                f"<item><title>{title}</title><link>http://site.example/{number}</link>"
                f"<pubDate>Wed, 04 Mar 2026 0{number}:00:00 GMT</pubDate></item>"
                for number, title in enumerate(TITLES)
            )
            feed = f"<rss version='2.0'><channel><title>t</title><link>http://site.example</link>{items}</channel></rss>"
            self._answer(200, feed.encode(), "application/rss+xml; charset=utf-8")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"v1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, type[_Site]]]:
    """The site's address, and what was asked of it."""
    kind = type("Site", (_Site,), {"asked": Counter(), "unchanged": Counter()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()
    server.server_close()
    thread.join()


def test_feeds_are_read_politely_and_their_entries_are_indexed_once(bellwether: Bellwether, site: tuple[str, type[_Site]]) -> None:
    address, asked = site
    feeds = bellwether.folder / "feeds.toml"
    feeds.write_text(f'[[feed]]\nname = "open"\nurl = "{address}/open.xml"\n\n[[feed]]\nname = "private"\nurl = "{address}/private.xml"\n')
    data = bellwether.folder / "data"
    arguments = ("--feeds", str(feeds), "-s", "feeds.interval=1", "-s", "scoring.backend=noop")
    up = bellwether.up(data, *arguments)
    until(lambda: asked.unchanged["/open.xml"] >= 2)
    until(lambda: bellwether.audit(data)["indexed"] == len(TITLES))
    up.terminate()
    assert up.wait(20) == 0
    bellwether.up(data, *arguments)  # knows what the last run has read
    before = asked.unchanged["/open.xml"]
    until(lambda: asked.unchanged["/open.xml"] > before)
    report = bellwether.audit(data)
    assert report["balanced"]
    assert (report["produced"], report["indexed"]) == (len(TITLES), len(TITLES))
    assert asked.asked["/private.xml"] == 0
    assert asked.asked["/robots.txt"] >= 1


@pytest.mark.slow
def test_real_streams_in_six_languages_end_somewhere_whole(bellwether: Bellwether, streams: Path) -> None:
    """The begin of each, with the mapping that docs name; the measurements replay them whole."""
    mappings = {
        "telegram_ru_2024": ("--map", "source=channel"),
        "noticias_es": (),
        "cnbc_id_tweets": ("--zone", "Asia/Jakarta"),
        "saudi_news_2015": ("--zone", "Asia/Riyadh"),
        "headlines_2018_2020": ("--map", "tags=outlet", "--zone", "America/New_York"),
        "xueqiu_news_zh": ("--map", "tags=target", "--zone", "Asia/Shanghai"),
    }
    data = bellwether.folder / "data"
    bellwether.up(data, "-s", "scoring.backend=noop")
    put = 0
    for name, arguments in mappings.items():
        file = bellwether.folder / f"{name}.jsonl"
        with gzip.open(streams / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            some = [line for line, _ in zip(lines, range(250), strict=False)]
        file.write_text("".join(some), encoding="utf-8")
        done = bellwether.run("replay", str(file), "--speed", "max", "--data", str(data), *arguments)
        assert done.returncode == 0, done.stderr
        put += len(some)
        report = bellwether.audit(data)
        assert report["balanced"], name
        assert report["produced"] == put, name
        assert report["dead"] == 0, name
    assert report["indexed"] >= 0.8 * put
