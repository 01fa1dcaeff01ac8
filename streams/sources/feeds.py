"""Reads RSS and Atom feeds for as long as it is let: every feed at its interval, none able to hold up or fell the others.

Conditional GET (ETag, Last-Modified), robots.txt with Crawl-delay, one request at a time for each host, bounded size,
time and redirects, back-off after failures, Retry-After, 410 ends a feed. Entries that were put are not put again; an
entry that is edited under the same id is not put again either. All of it is remembered in the cursor store, and only
after the intake has made the documents durable.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from streams.cancellation import end_tasks, heed_cancellation
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.retry_after import retry_after
from streams.settings import FeedSettings
from streams.sources.contract import Batch, CursorStore
from streams.sources.feed_entries import document, read_entries
from streams.sources.feed_list import Feed
from streams.sources.feed_state import FeedState
from streams.sources.fetch import Answer, Fetcher, shown
from streams.sources.robots import Robots

__all__ = ["FeedReader", "FeedStatus"]

_log = structlog.get_logger(__name__)
_DAY = 24 * 3600.0
_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """How one feed is: documents put in this run, when it is due (UTC), what is wrong, and where it has moved for good."""

    name: str
    url: str
    documents: int
    due: datetime | None
    failures: int
    gone: bool
    problem: str | None
    moved_to: str | None


@dataclass(slots=True)
class _Visit:
    feed: Feed
    state: FeedState
    messages: tuple[bytes, ...] = ()
    committed: asyncio.Event = field(default_factory=asyncio.Event)


class FeedReader:
    """A source that visits feeds.

    Args:
        feeds: what to read.
        settings: user agent, default interval, timeout.
        cursors: remembers the state of every feed, by its address.
        pause: least seconds between two requests to one host.
        concurrency: most visits at once.
        max_bytes: largest feed, unpacked.
    """

    def __init__(
        self,
        feeds: Sequence[Feed],
        settings: FeedSettings,
        cursors: CursorStore,
        *,
        pause: float = 1.0,
        concurrency: int = 8,
        max_bytes: int = 10 * 1024 * 1024,
    ) -> None:
        self._feeds = tuple(feeds)
        self._settings = settings
        self._cursors = cursors
        self._pause = pause
        self._slots = asyncio.Semaphore(concurrency)
        self._max_bytes = max_bytes
        self._visits: asyncio.Queue[_Visit | None] = asyncio.Queue()  # at most one for each feed
        self._states: dict[str, FeedState] = {}
        self._documents: dict[str, int] = {}
        self._following: asyncio.Task[None] | None = None
        self._fetcher: Fetcher | None = None
        self._robots: Robots | None = None

    @property
    def name(self) -> str:
        """For people."""
        return f"{len(self._feeds)} feeds"

    def status(self) -> list[FeedStatus]:
        """How every feed is, in the order of the list."""
        return [
            FeedStatus(
                name=feed.name,
                url=feed.url,
                documents=self._documents.get(feed.url, 0),
                due=None if state.gone or not state.due else datetime.fromtimestamp(state.due, UTC),
                failures=state.failures,
                gone=state.gone,
                problem=state.problem,
                moved_to=state.moved_to,
            )
            for feed in self._feeds
            for state in (self._states.get(feed.url, FeedState()),)
        ]

    async def setup(self) -> None:
        """Begin to visit."""
        self._fetcher = Fetcher(user_agent=self._settings.user_agent, timeout=self._settings.timeout, pause=self._pause)
        self._robots = Robots(self._fetcher, self._settings.user_agent)
        for feed in self._feeds:
            self._states[feed.url] = await asyncio.to_thread(self._load, feed)
        self._following = asyncio.create_task(self._follow_all(), name="feeds")

    def _load(self, feed: Feed) -> FeedState:
        try:
            saved = self._cursors.load(_key(feed))
            return FeedState() if saved is None else FeedState.read(saved)
        except (BellwetherError, ValueError) as error:
            _log.warning("feed.forgotten", feed=feed.name, error=str(error))
            return FeedState()

    async def _follow_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for feed in self._feeds:
                    group.create_task(self._follow(feed))
        finally:
            self._visits.put_nowait(None)

    async def _follow(self, feed: Feed) -> None:
        longest = max(_DAY, feed.interval or self._settings.interval)
        while not (state := self._states[feed.url]).gone:
            heed_cancellation()
            # Bounded: the clock may have been wrong when the date was written down.
            await asyncio.sleep(min(longest, max(0.0, state.due - time.time())))
            async with self._slots:
                visit = await self._visit(feed, state)
            await self._visits.put(visit)
            await visit.committed.wait()

    async def poll(self) -> Batch | None:
        """The new entries of the feed that has been visited next; waits for a visit. None: every feed is gone.

        Batches may be empty: they carry what else was learned.
        """
        visit = await self._visits.get()
        if visit is None and self._following is not None:
            await self._following  # a fault that ended it comes out here
        return None if visit is None else Batch(visit.messages, visit)

    async def commit(self, batch: Batch) -> None:
        """Remember what this visit has shown."""
        visit = batch.place
        if not isinstance(visit, _Visit):
            raise TypeError("a batch of another source")
        await asyncio.to_thread(self._cursors.save, _key(visit.feed), visit.state.write())
        self._states[visit.feed.url] = visit.state
        self._documents[visit.feed.url] = self._documents.get(visit.feed.url, 0) + len(visit.messages)
        visit.committed.set()

    async def close(self) -> None:
        """Stop visiting."""
        if self._following is not None:
            await end_tasks(self._following)
        if self._fetcher is not None:
            await self._fetcher.close()

    async def _visit(self, feed: Feed, state: FeedState) -> _Visit:
        interval = feed.interval or self._settings.interval
        try:
            return await self._read(feed, state, interval)
        except (TransientError, PermanentError) as error:
            wait = error.retry_after if isinstance(error, TransientError) else None
            problem = error.message
        except Exception as error:  # noqa: BLE001 - a parser's fault with one feed must not end the others
            _log.exception("feed.fault", feed=feed.name, url=shown(feed.url))
            wait, problem = None, f"{type(error).__name__}: {error}"
        failed = state.failed(time.time(), interval, problem, wait)
        _log.warning("feed.failed", feed=feed.name, problem=problem, failures=failed.failures, seconds=round(failed.due - time.time()))
        return _Visit(feed, failed)

    async def _read(self, feed: Feed, state: FeedState, interval: float) -> _Visit:
        answer = await self._ask(feed, state)
        due = time.time() + interval
        if answer.moved_to and answer.moved_to != state.moved_to:
            _log.warning("feed.moved", feed=feed.name, url=shown(feed.url), moved_to=shown(answer.moved_to))
        state = replace(state, moved_to=answer.moved_to)
        if answer.status == 304:
            return _Visit(feed, state.unchanged(due))
        if answer.status == 410:
            _log.warning("feed.gone", feed=feed.name, url=shown(feed.url))
            return _Visit(feed, state.ended())
        if answer.status != 200:
            raise TransientError(f"{shown(answer.url)} answers {answer.status}", retry_after=retry_after(answer.headers, datetime.now(UTC)))
        fetched_at = datetime.now(UTC)
        entries = await asyncio.to_thread(
            read_entries, answer.body, content_type=answer.headers.get("content-type", ""), url=answer.url, zone=feed.zone
        )
        seen = set(state.seen)
        new = {entry.key: entry for entry in entries if entry.key not in seen}
        messages = tuple(document(feed, entry, fetched_at) for entry in new.values())
        keys = [entry.key for entry in entries]
        known = state.visited(due, keys, etag=answer.headers.get("etag"), last_modified=answer.headers.get("last-modified"))
        _log.info("feed.read", feed=feed.name, entries=len(entries), new=len(messages))
        return _Visit(feed, known, messages)

    async def _ask(self, feed: Feed, state: FeedState) -> Answer:
        """Follow redirects, asking each host for its rules first."""
        if self._fetcher is None or self._robots is None:
            raise RuntimeError("poll before setup")
        url, moved_to, for_good = feed.url, None, True
        for _ in range(self._fetcher.max_redirects + 1):
            if not await self._robots.allows(url):
                raise TransientError(f"robots.txt forbids {shown(url)}", retry_after=_DAY)
            pause = await self._robots.delay(url)
            answer = await self._fetcher.request(url, headers=_conditions(state), max_bytes=self._max_bytes, pause=pause)
            target = self._fetcher.redirected(answer)
            if target is None:
                return replace(answer, moved_to=moved_to)
            for_good = for_good and self._fetcher.permanent(answer)
            moved_to = target if for_good else moved_to
            url = target
        raise TransientError(f"{shown(feed.url)} is redirected more than {self._fetcher.max_redirects} times")


def _key(feed: Feed) -> str:
    # The address may carry a token, and names of places end up in file names.
    return f"feed:{feed.name}:{hashlib.sha256(feed.url.encode()).hexdigest()[:16]}"


def _conditions(state: FeedState) -> Mapping[str, str]:
    conditions = {"accept": _ACCEPT}
    if state.etag:
        conditions["if-none-match"] = state.etag
    if state.last_modified:
        conditions["if-modified-since"] = state.last_modified
    return conditions
