"""Two cursor stores: files in a folder, and rows of the embedded journal."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Protocol

from streams.errors import BellwetherError

__all__ = ["FileCursorStore", "JournalCursorStore", "MemoryCursorStore"]


class FileCursorStore:
    """One small JSON file for each name, replaced atomically and flushed to the disk.

    Args:
        folder: made when the first place is saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path:
        # The readable part is for people who look into the folder; the digest keeps names apart.
        readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60].strip("-.")
        return self._folder / f"{readable}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"

    def load(self, name: str) -> str | None:
        """The last saved value; None: nothing was saved.

        Raises:
            BellwetherError: the file is there but cannot be read.
        """
        path = self._path(name)
        try:
            value = json.loads(path.read_text(encoding="utf-8"))["value"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BellwetherError(f"{path}: the saved place cannot be read: {error}", mend="delete the file to begin anew") from error
        return str(value)

    def save(self, name: str, value: str) -> None:
        """Replace the value; durable when this returns.

        Raises:
            BellwetherError: the folder cannot be written.
        """
        path = self._path(name)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(prefix=".cursor-", dir=self._folder)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"name": name, "value": value}, file)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise BellwetherError(f"{path}: the place cannot be saved: {error}", mend="free the disk, or choose another folder") from error


class _Journal(Protocol):
    def cursor(self, name: str) -> str | None: ...

    def set_cursor(self, name: str, value: str) -> None: ...


class JournalCursorStore:
    """Places kept in the embedded journal, beside the documents that they speak of.

    Args:
        journal: a ``streams.embedded.journal.Journal``.
    """

    def __init__(self, journal: _Journal) -> None:
        self._journal = journal

    def load(self, name: str) -> str | None:
        """The last saved value; None: nothing was saved."""
        return self._journal.cursor(name)

    def save(self, name: str, value: str) -> None:
        """Replace the value."""
        self._journal.set_cursor(name, value)


class MemoryCursorStore:
    """Forgets with the process: for measurements, and for replays that are to begin anew every time."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}

    def load(self, name: str) -> str | None:
        """The last saved value; None: nothing was saved."""
        return self._places.get(name)

    def save(self, name: str, value: str) -> None:
        """Replace the value."""
        self._places[name] = value
