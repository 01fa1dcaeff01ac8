"""What a reader remembers of one feed between two visits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

__all__ = ["FeedState"]

_SEEN = 2000
_LONGEST_BACK_OFF = 6 * 3600.0
_LONGEST_REQUEST = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class FeedState:
    """Validators of the last answer, keys of entries that were put, and when the feed is due (seconds since 1970, UTC)."""

    etag: str | None = None
    last_modified: str | None = None
    seen: tuple[str, ...] = ()
    due: float = 0.0
    failures: int = 0
    gone: bool = False
    moved_to: str | None = None
    problem: str | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the form that :meth:`write` gives. Raises ValueError when it is not of that form."""
        try:
            fields = json.loads(text)
            return cls(**{**fields, "seen": tuple(fields["seen"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not the state of a feed: {error}") from error

    def write(self) -> str:
        """JSON."""
        return json.dumps(asdict(self))

    def visited(self, due: float, keys: Sequence[str], *, etag: str | None, last_modified: str | None) -> FeedState:
        """After an answer with entries: those in it are remembered, and the newest of those before it."""
        now = tuple(dict.fromkeys(keys))
        known = set(now)
        before = tuple(key for key in self.seen if key not in known)[: max(0, _SEEN - len(now))]
        return replace(self, etag=etag, last_modified=last_modified, seen=now + before, due=due, failures=0, problem=None)

    def unchanged(self, due: float) -> FeedState:
        """After an answer without news."""
        return replace(self, due=due, failures=0, problem=None)

    def failed(self, now: float, interval: float, problem: str, retry_after: float | None) -> FeedState:
        """After a failure: twice as long as the last time, at most six hours; at least as long as the server asks, at most a day."""
        wait = max(interval, min(_LONGEST_BACK_OFF, interval * 2.0 ** min(self.failures + 1, 16)))
        if retry_after is not None:
            wait = max(wait, min(_LONGEST_REQUEST, retry_after))
        return replace(self, due=now + wait, failures=self.failures + 1, problem=problem)

    def ended(self) -> FeedState:
        """The server says that the feed is gone for good."""
        return replace(self, gone=True, problem="410 Gone")
