"""Rules that change while the service runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog

from streams.alerts.rules.reading import decode_rules
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.rules.yaml_nodes import MOST_BYTES
from streams.errors import BellwetherError

__all__ = ["RuleWatcher"]

_SETTLED_SECONDS = 3.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells a changed file without reading it."""

    inode: int
    changed_ns: int
    size: int


class RuleWatcher:
    """Looks at a rule file now and then. A file that is broken, or gone, leaves the rules as they are.

    Args:
        path: the file.
        current: the rules in force, read from `path`; None: the first `poll` gives them.
        on_broken: called with the complaint, once for each content that cannot be used (to count it).
    """

    def __init__(self, path: Path, current: RuleSet | None = None, on_broken: Callable[[str], None] | None = None) -> None:
        self._path = path
        self._on_broken = on_broken
        self._in_force = current.digest if current is not None else ""
        self._stamp: _Stamp | None = None
        self._read_at = 0.0
        self._seen = ""
        self._complaint = ""

    @property
    def complaint(self) -> str:
        """What is wrong with the file as it stands; empty: nothing, or it has not been looked at."""
        return self._complaint

    def poll(self) -> RuleSet | None:
        """The new rules, once, where the file has changed and is good; else None. Reads the file only where it may have changed."""
        try:
            content = self._changed()
        except OSError as error:
            # What comes back may look like what was there before, and has to be read all the same.
            self._stamp = None
            self._broken(f"{self._path}: cannot be read: {error.strerror or error}", type(error).__name__)
            return None
        if content is None:
            return None
        digest = sha256(content).hexdigest()
        if digest == self._seen:
            return None
        try:
            rules = decode_rules(content, str(self._path))
        except BellwetherError as error:
            self._broken(str(error), digest)
            return None
        self._seen, self._complaint = digest, ""
        if rules.digest == self._in_force:
            return None
        first, self._in_force = not self._in_force, rules.digest
        if not first:
            log.info("rules.reloaded", file=str(self._path), rules=len(rules.rules))
        return rules

    def _changed(self) -> bytes | None:
        found = self._path.stat()
        stamp = _Stamp(found.st_ino, found.st_mtime_ns, found.st_size)
        # A file that was written just before it was read may have been written again within the same tick of its clock.
        settled = self._read_at - found.st_mtime > _SETTLED_SECONDS
        if stamp == self._stamp and settled:
            return None
        self._read_at = time.time()
        with self._path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        self._stamp = stamp
        return content

    def _broken(self, complaint: str, content: str) -> None:
        if content == self._seen:
            return
        self._seen, self._complaint = content, complaint
        log.error("rules.broken", file=str(self._path), error=complaint, kept="the rules as they were")
        if self._on_broken is not None:
            self._on_broken(complaint)
