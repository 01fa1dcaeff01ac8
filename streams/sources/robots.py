"""robots.txt (RFC 9309): asked once a day for each host, obeyed as it says."""

from __future__ import annotations

import time
from dataclasses import dataclass

from protego import Protego

from streams.errors import TransientError
from streams.sources.fetch import Answer, Fetcher, origin_of

__all__ = ["Robots"]

_KEEP = 24 * 3600.0
_LARGEST = 512_000
_LONGEST_DELAY = 3600.0


@dataclass(frozen=True, slots=True)
class _Rules:
    rules: Protego
    until: float


class Robots:
    """The rules of every host that was asked, for a day.

    Args:
        fetcher: asks for the files.
        user_agent: rules are looked up by its product name, the part before the first slash.
    """

    def __init__(self, fetcher: Fetcher, user_agent: str) -> None:
        self._fetcher = fetcher
        self._agent = user_agent.partition("/")[0].strip() or user_agent
        self._known: dict[str, _Rules] = {}

    async def allows(self, url: str) -> bool:
        """Whether we may fetch this address.

        Raises:
            TransientError: the host's rules cannot be had now; RFC 9309 (2.3.1.4) then forbids everything.
        """
        return bool((await self._rules(url)).can_fetch(url, self._agent))

    async def delay(self, url: str) -> float:
        """Seconds between two requests that the host asks for (``Crawl-delay``); 0: none.

        Raises:
            TransientError: the host's rules cannot be had now.
        """
        return min(_LONGEST_DELAY, float((await self._rules(url)).crawl_delay(self._agent) or 0.0))

    async def _rules(self, url: str) -> Protego:
        origin = origin_of(url)
        known = self._known.get(origin)
        if known is None or known.until <= time.monotonic():
            known = _Rules(_read(await self._ask(f"{origin}/robots.txt")), time.monotonic() + _KEEP)
            self._known[origin] = known
        return known.rules

    async def _ask(self, url: str) -> Answer:
        for _ in range(self._fetcher.max_redirects + 1):
            answer = await self._fetcher.request(url, max_bytes=_LARGEST, cut=True)
            if answer.status >= 500 or answer.status == 429:
                raise TransientError(f"{url} answers {answer.status}: its rules are unknown, so nothing is fetched there now")
            target = self._fetcher.redirected(answer)
            if target is None:
                return answer
            url = target
        return answer  # RFC 9309, 2.3.1.2: too many redirects count as no rules


def _read(answer: Answer) -> Protego:
    # 2.3.1.3: no such file (any 4xx), no rules.
    return Protego.parse(answer.body.decode("utf-8", "replace") if answer.status == 200 else "")
