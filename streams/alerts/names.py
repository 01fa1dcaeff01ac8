"""Texts as numbers: sources, languages, topics, casts of entities.

A number is a hash, so that it does not depend on the order in which texts are met, nor on the process. Texts that no vote
needs any more are forgotten when their number has doubled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache

__all__ = ["PREFIX", "Names", "digest"]

PREFIX = "name|"
_LEAST = 20_000


def digest(text: str) -> int:
    """64 bits of BLAKE2b (RFC 7693) of `text`."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest(), "little")


@lru_cache(maxsize=65_536)
def _remembered(text: str) -> int:
    return digest(text)


class Names:
    """What each number stands for. The low 32 bits of a number stand for the same text."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._changed: dict[int, str | None] = {}
        self._limit = _LEAST

    def __len__(self) -> int:
        return len(self._texts)

    def take(self, text: str) -> int:
        """Number of `text`, remembered."""
        number = self._numbers.get(text)
        if number is None:
            number = digest(text)
            self._put(number, text)
            self._changed[number] = text
        return number

    def author(self, text: str) -> int:
        """32 bits for an author, who is never named; 0 for an unknown one."""
        return (_remembered(text) & 0xFFFFFFFF) or 1 if text else 0

    def text(self, number: int) -> str:
        """The text; empty where it is not known."""
        return self._texts.get(number, "")

    def _put(self, number: int, text: str) -> None:
        self._numbers[text] = number
        self._texts[number] = text
        self._texts[number & 0xFFFFFFFF] = text

    def forget(self, used: Callable[[], set[int]]) -> None:
        """Drop texts that are not in use, if there are many: `used` gives the numbers (of 64 or 32 bits) that are."""
        if len(self._numbers) < self._limit:
            return
        wanted = used()
        for text, number in list(self._numbers.items()):
            if number not in wanted and number & 0xFFFFFFFF not in wanted:
                del self._numbers[text]
                self._texts.pop(number, None)
                self._texts.pop(number & 0xFFFFFFFF, None)
                self._changed[number] = None
        self._limit = max(_LEAST, 2 * len(self._numbers))

    def changes(self) -> dict[str, bytes | None]:
        """Entries to save since the last call."""
        changed, self._changed = self._changed, {}
        return {f"{PREFIX}{number:016x}": None if text is None else text.encode(errors="replace") for number, text in changed.items()}

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take saved entries in; those of others are left alone."""
        for name, value in saved.items():
            if name.startswith(PREFIX):
                self._put(int(name.removeprefix(PREFIX), 16), value.decode())
        self._limit = max(_LEAST, 2 * len(self._numbers))
