"""Reads a file of lines, plain or gzip, piece by piece, from any line on, without ever holding more than one piece."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from streams.errors import BellwetherError

__all__ = ["LONGEST_LINE", "Line", "LineFile", "fingerprint"]

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of a line that are kept; the service dead-letters so long a line for its size."""

_HEAD = 65_536
_GZIP = b"\x1f\x8b"
_MARK = "\ufeff".encode()


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end: its number (from 1), and the offsets of its begin and after it, in bytes of the unpacked text."""

    number: int
    data: bytes
    before: int
    after: int


def fingerprint(path: Path) -> str:
    """What tells one file from another: its name and its first line (packed: its first 64 KiB).

    A file that grows at its end stays the same file.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_GZIP):
        head = head.partition(b"\n")[0]
    return hashlib.sha256(path.name.encode("utf-8", "surrogateescape") + b"\0" + head).hexdigest()[:32]


class LineFile:
    """An open file of lines. A byte order mark at the begin is left out; lines end in LF or CR LF.

    Args:
        path: plain text, or gzip (told by its first bytes, not by its name).

    Raises:
        BellwetherError: it is missing, a folder, or cannot be read. Later, from :meth:`lines`: the packed text is cut off
            or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise BellwetherError(f"{path} is a folder", mend="name one JSONL file, plain or .gz")
        try:
            self._raw: BinaryIO = path.open("rb")
        except FileNotFoundError as error:
            raise BellwetherError(f"{path} does not exist", mend="name a JSONL file, plain or .gz") from error
        except OSError as error:
            raise BellwetherError(f"{path} cannot be read: {error.strerror}", mend="check the file's rights") from error
        self.size = path.stat().st_size
        self._packed = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        self._file = cast("BinaryIO", gzip.GzipFile(fileobj=self._raw, mode="rb")) if self._packed else self._raw
        self._number = 0
        self._offset = 0

    @property
    def position(self) -> int:
        """Bytes of the file on disk that are read so far; of a packed file, packed bytes (a little ahead of the lines)."""
        return min(self.size, self._raw.tell()) if self._packed else self._offset

    def skip_to(self, offset: int, number: int) -> None:
        """Continue after line `number`, which ends at `offset`. A packed file is unpacked up to there.

        Raises:
            BellwetherError: the file ends before that place.
        """
        self._file.seek(0)
        if self._packed:
            self._skip_packed(offset)
        else:
            if offset > self.path.stat().st_size:
                raise self._too_short(offset)
            self._file.seek(offset)
        self._offset, self._number = offset, number

    def _skip_packed(self, offset: int) -> None:
        left = offset
        while left:
            piece = self._read(min(left, 1 << 20))
            if not piece:
                raise self._too_short(offset)
            left -= len(piece)

    def _too_short(self, offset: int) -> BellwetherError:
        return BellwetherError(f"{self.path} is shorter than the place where its replay stopped ({offset} bytes)", mend="use --restart")

    def lines(self) -> Iterator[Line]:
        """The lines from here on, empty ones left out (they count as lines).

        Raises:
            BellwetherError: the packed text is cut off or damaged; the lines before were good.
        """
        while data := self._readline(LONGEST_LINE):
            start = self._offset
            self._offset += len(data)
            self._number += 1
            if not data.endswith(b"\n"):
                while len(rest := self._readline(1 << 20)):
                    self._offset += len(rest)
                    if rest.endswith(b"\n"):
                        break
            content = data.removesuffix(b"\n").removesuffix(b"\r")
            if start == 0:
                content = content.removeprefix(_MARK)
            if content.strip():
                yield Line(self._number, content, start, self._offset)

    def _readline(self, limit: int) -> bytes:
        return self._guarded(lambda: self._file.readline(limit))

    def _read(self, size: int) -> bytes:
        return self._guarded(lambda: self._file.read(size))

    def _guarded(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except EOFError as error:
            raise BellwetherError(
                f"{self.path} is cut off after line {self._number}: the packed text has no end",
                mend="fetch the file again; the same command then goes on after that line",
            ) from error
        except (OSError, zlib.error) as error:
            raise BellwetherError(f"{self.path} is damaged after line {self._number}: {error}", mend="fetch the file again") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
