"""The feed reader against a real HTTP server: every answer that a server can give, and none of them stops the others."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from streams.documents import parse_raw
from streams.errors import BellwetherError
from streams.settings import FeedSettings
from streams.sources.cursors import FileCursorStore, MemoryCursorStore
from streams.sources.feed_list import Feed
from streams.sources.feeds import FeedReader
from streams.sources.pump import pump

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def rss(*titles: str, encoding: str = "utf-8", dated: bool = True) -> bytes:
    date = "<pubDate>Sat, 01 Jun 2024 08:00:00 GMT</pubDate>" if dated else ""
    items = "".join(f"<item><guid>{title}</guid><title>{title}</title>{date}</item>" for title in titles)
    return f'<?xml version="1.0" encoding="{encoding}"?><rss version="2.0"><channel><title>T</title>{items}</channel></rss>'.encode(
        encoding
    )


class Server:
    """Answers by handlers that a test sets; counts and keeps the requests."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.requests: list[tuple[str, float, dict[str, str]]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.path, time.monotonic(), {name.lower(): value for name, value in request.headers.items()}))
        handler = self.handlers.get(request.path)
        return web.Response(status=404) if handler is None else await handler(request)

    def count(self) -> Counter[str]:
        return Counter(path for path, _, _ in self.requests)

    def answer(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def handler(request: web.Request) -> web.Response:
            return web.Response(body=body, status=status, headers=named)

        self.handlers[path] = handler

    def feed(self, path: str, **more: object) -> Feed:
        return Feed(name=path.strip("/"), url=self.url + path, **more)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    ours = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", ours.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    ours.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield ours
    await runner.cleanup()


class Collector:
    def __init__(self) -> None:
        self.messages: list[bytes] = []

    async def put(self, messages: Sequence[bytes]) -> None:
        self.messages += messages

    async def close(self) -> None:
        return

    @property
    def titles(self) -> list[str]:
        return [parse_raw(message).title for message in self.messages]


def reader(feeds: Sequence[Feed], cursors: object = None, **more: object) -> FeedReader:
    more.setdefault("pause", 0.0)
    settings = FeedSettings(timeout=more.pop("timeout", 5.0), interval=more.pop("interval", 3600.0))
    return FeedReader(feeds, settings, cursors or MemoryCursorStore(), **more)


async def run(source: FeedReader, until: Callable[[], bool], intake: Collector | None = None, limit: float = 60.0) -> Collector:
    """Pump until a condition holds."""
    intake = intake or Collector()
    task = asyncio.create_task(pump(source, intake))
    try:
        async with asyncio.timeout(limit):
            while not until() and not task.done():
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return intake


def visited(source: FeedReader) -> Callable[[], bool]:
    return lambda: all(status.due or status.gone for status in source.status())


async def test_new_entries_are_put_once_and_the_next_visit_is_conditional(server: Server, tmp_path: Path) -> None:
    server.answer("/a", rss("one", "two"), ETag='"v1"', Last_Modified="Sat, 01 Jun 2024 08:00:00 GMT")
    feeds = [server.feed("/a", language="en", tags=("x",))]
    cursors = FileCursorStore(tmp_path)
    source = reader(feeds, cursors, interval=0.1)
    intake = await run(source, lambda: server.count()["/a"] >= 2)
    assert intake.titles == ["one", "two"]
    first, second = [headers for path, _, headers in server.requests if path == "/a"][:2]
    assert "if-none-match" not in first
    assert second["if-none-match"] == '"v1"'
    assert second["if-modified-since"] == "Sat, 01 Jun 2024 08:00:00 GMT"
    assert first["user-agent"].startswith("Bellwether/")
    assert server.count()["/robots.txt"] == 1, "rules are asked for once a day"

    server.answer("/a", rss("three", "one", "two"), ETag='"v2"')
    restarted = reader(feeds, cursors, interval=0.1)
    intake = await run(restarted, lambda: restarted.status()[0].documents > 0)
    assert intake.titles == ["three"], "a new process knows what the old one has put"
    assert server.requests[-1][2].get("if-none-match") in {'"v1"', '"v2"'}


async def test_not_modified_changes_nothing(server: Server) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304)
        return web.Response(body=rss("one"), headers={"ETag": '"v1"'})

    server.handlers["/a"] = handler
    source = reader([server.feed("/a")], interval=0.1)
    intake = await run(source, lambda: server.count()["/a"] >= 4)
    assert intake.titles == ["one"]
    assert source.status()[0].failures == 0


async def test_every_bad_answer_at_once_and_the_good_feed_is_read(server: Server) -> None:
    server.answer("/good", rss("good news"))
    server.answer("/notfound", status=404)
    server.answer("/forbidden", status=403)
    server.answer("/error", status=500)
    server.answer("/garbage", b"\x00\xff\xfe not a feed" * 50, Content_Type="application/rss+xml")
    server.answer("/html", b"<html><body>Please log in</body></html>", Content_Type="text/html")
    server.answer("/empty", b"")
    server.answer("/bomb", b'<!DOCTYPE x [<!ENTITY a "b">]><rss><channel/></rss>')
    server.answer("/huge", rss(*(f"t{n}" for n in range(5000))))
    server.answer("/packedbomb", gzip.compress(b" " * 50_000_000), Content_Encoding="gzip")
    server.answer("/cutgzip", gzip.compress(rss("cut off"))[:-12], Content_Encoding="gzip")
    server.answer("/brotli", rss("brotli"), Content_Encoding="br")
    server.answer("/badgzip", b"this is not gzip", Content_Encoding="gzip")
    server.answer("/loop", status=302, Location="/loop")
    server.answer("/nowhere", status=302, Location="ftp://example.org/x")
    server.answer("/malformed", status=302, Location="http://[::1")

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            with contextlib.suppress(ConnectionError):
                await response.write(b"<")
            await asyncio.sleep(0.05)
        return response

    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"<rss>")
        assert request.transport is not None
        request.transport.close()
        return response

    server.handlers["/slow"] = slow
    server.handlers["/broken"] = broken
    paths = [path for path in server.handlers if path != "/good"]
    feeds = [*(server.feed(path) for path in paths), Feed(name="refused", url="http://127.0.0.1:1/x"), server.feed("/good")]
    source = reader(feeds, timeout=1.0, max_bytes=100_000)
    began = time.monotonic()
    intake = await run(source, visited(source), limit=60)
    assert intake.titles == ["good news"]
    failed = {status.name: status.problem for status in source.status() if status.failures}
    assert set(failed) == {feed.name for feed in feeds} - {"good"}
    assert all(failed.values())
    assert "404" in failed["notfound"]
    assert "larger than 100000" in failed["huge"]
    assert "larger than 100000" in failed["packedbomb"]
    assert "redirected more than 5 times" in failed["loop"]
    assert "1 s" in failed["slow"]
    assert "XML entities" in failed["bomb"]
    assert server.count()["/loop"] == 6
    assert all(status.due is not None and status.due.timestamp() - time.time() > 3600 for status in source.status() if status.failures)
    assert time.monotonic() - began < 40


async def test_permanent_redirects_are_followed_and_reported(server: Server) -> None:
    server.answer("/old", status=301, Location="/new")
    server.answer("/new", rss("moved"))
    server.answer("/temporary", status=302, Location="/new2")
    server.answer("/new2", rss("elsewhere"))
    source = reader([server.feed("/old"), server.feed("/temporary")])
    intake = await run(source, visited(source))
    assert sorted(intake.titles) == ["elsewhere", "moved"]
    assert [status.moved_to for status in source.status()] == [f"{server.url}/new", None]


async def test_gone_ends_a_feed_for_good_and_the_reader_when_all_are_gone(server: Server) -> None:
    server.answer("/gone", status=410)
    cursors = MemoryCursorStore()
    for expected in (1, 1):
        source = reader([server.feed("/gone")], cursors, interval=0.05)
        await asyncio.wait_for(pump(source, Collector()), 60)
        assert source.status()[0].gone
        assert server.count()["/gone"] == expected, "not asked again, not even by a new process"


async def test_too_many_requests_are_answered_by_the_wait_that_is_asked_for(server: Server) -> None:
    server.answer("/busy", status=429, Retry_After="7000")
    server.answer("/down", status=503, Retry_After="7000")
    source = reader([server.feed("/busy"), server.feed("/down")], interval=30.0)
    await run(source, visited(source))
    for status in source.status():
        assert status.due is not None
        assert 6900 < status.due.timestamp() - time.time() <= 7001


async def test_robots_rules_are_obeyed_for_the_feed_and_for_where_it_redirects(server: Server) -> None:
    server.answer("/robots.txt", b"User-agent: *\nDisallow: /\n\nUser-agent: bellwether\nDisallow: /private\n")
    server.answer("/private", rss("secret"))
    server.answer("/sneaky", status=302, Location="/private")
    server.answer("/public", rss("open"))
    source = reader([server.feed("/private"), server.feed("/sneaky"), server.feed("/public")])
    intake = await run(source, visited(source))
    assert intake.titles == ["open"]
    assert server.count()["/private"] == 0
    assert [status.problem is not None and "robots.txt forbids" in status.problem for status in source.status()] == [True, True, False]


async def test_unknown_rules_forbid_for_now(server: Server) -> None:
    server.answer("/robots.txt", status=500)
    server.answer("/a", rss("one"))
    source = reader([server.feed("/a")])
    intake = await run(source, visited(source))
    assert intake.messages == []
    assert server.count()["/a"] == 0
    assert "rules are unknown" in (source.status()[0].problem or "")


async def test_crawl_delay_and_one_request_at_a_time(server: Server) -> None:
    server.answer("/robots.txt", b"User-agent: *\nCrawl-delay: 0.4\n")
    running = most = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        return web.Response(body=rss(request.path))

    for path in ("/a", "/b", "/c"):
        server.handlers[path] = handler
    source = reader([server.feed(path) for path in ("/a", "/b", "/c")])
    await run(source, visited(source))
    moments = [moment for path, moment, _ in server.requests if path != "/robots.txt"]
    assert most == 1
    assert all(later - earlier >= 0.4 for earlier, later in pairwise(moments))


async def test_charsets_and_scripts_over_the_wire(server: Server) -> None:
    server.answer("/ru", rss("Банк рухнул", encoding="windows-1251"), Content_Type="text/xml")
    server.answer("/ja", rss("銀行が破綻", encoding="euc-jp"), Content_Type="text/xml")
    server.answer("/ar", rss("انهيار البنك"), Content_Type="application/rss+xml; charset=utf-8")
    server.answer("/he", gzip.compress(rss("הבנק קרס")), Content_Encoding="gzip")
    source = reader([server.feed(path) for path in ("/ru", "/ja", "/ar", "/he")])
    intake = await run(source, visited(source))
    assert sorted(intake.titles) == sorted(["Банк рухнул", "銀行が破綻", "انهيار البنك", "הבנק קרס"])


async def test_entries_without_a_date_are_dated_by_the_visit_and_tagged(server: Server) -> None:
    server.answer("/a", rss("one", dated=False))
    source = reader([server.feed("/a", tags=("x",))])
    intake = await run(source, visited(source))
    raw = parse_raw(intake.messages[0])
    assert raw.tags == ("x", "undated")
    assert raw.published_at == raw.fetched_at
    assert abs(raw.published_at.timestamp() - time.time()) < 30


async def test_what_the_intake_did_not_take_is_put_by_the_next_process(server: Server) -> None:
    server.answer("/a", rss("one", "two"))

    class Refusing(Collector):
        async def put(self, messages: Sequence[bytes]) -> None:
            raise BellwetherError("the disk is full")

    cursors = MemoryCursorStore()
    with pytest.raises(BellwetherError, match="disk is full"):
        await asyncio.wait_for(pump(reader([server.feed("/a")], cursors), Refusing()), 60)
    source = reader([server.feed("/a")], cursors)
    intake = await run(source, visited(source))
    assert intake.titles == ["one", "two"]


async def test_a_damaged_memory_of_one_feed_is_forgotten_and_not_fatal(server: Server, tmp_path: Path) -> None:
    server.answer("/a", rss("one"))
    cursors = FileCursorStore(tmp_path)
    source = reader([server.feed("/a")], cursors)
    await run(source, visited(source))
    next(tmp_path.glob("*.json")).write_text("{broken")
    source = reader([server.feed("/a")], cursors)
    intake = await run(source, visited(source))
    assert intake.titles == ["one"]


async def test_a_parser_that_breaks_on_one_feed_does_not_end_the_reader(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from streams.sources import feeds as module

    real = module.read_entries

    def breaking(body: bytes, **more: str) -> list:
        if b"poison" in body:
            raise RecursionError("too deep")
        return real(body, **more)

    monkeypatch.setattr(module, "read_entries", breaking)
    server.answer("/poison", rss("poison"))
    server.answer("/good", rss("good"))
    source = reader([server.feed("/poison"), server.feed("/good")])
    intake = await run(source, visited(source))
    assert intake.titles == ["good"]
    assert "too deep" in (source.status()[0].problem or "")


async def test_a_reader_that_breaks_down_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    source = reader([server.feed("/a")])

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of our own")

    monkeypatch.setattr(source, "_follow", broken)
    with pytest.raises(ExceptionGroup):
        await asyncio.wait_for(pump(source, Collector()), 60)


async def test_a_date_from_a_wrong_clock_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import streams.sources.feeds as module

    server.answer("/a", rss("one"))
    feed = server.feed("/a")
    cursors = MemoryCursorStore()
    await run(reader([feed], cursors), lambda: server.count()["/a"] >= 1)
    monkeypatch.setattr(module, "_DAY", 0.1)
    late = reader([feed], cursors, interval=0.1)  # the state says: in an hour
    await run(late, lambda: server.count()["/a"] >= 2)


async def test_closing_leaves_no_task_behind(server: Server) -> None:
    server.answer("/a", rss("one"))
    before = len(asyncio.all_tasks())
    source = reader([server.feed("/a")], interval=0.05)
    await run(source, lambda: server.count()["/a"] >= 2)
    await asyncio.sleep(0.05)
    ours = [task for task in asyncio.all_tasks() if task.get_name() == "feeds" or "_follow" in repr(task)]
    assert ours == []
    assert len(asyncio.all_tasks()) <= before + 2, "only the server's own connections remain"
