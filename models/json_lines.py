"""JSON Lines, plain or gzip, as users give them: what cannot be read is named with its line, whatever is wrong with it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.errors import ModelError

__all__ = ["UNREADABLE", "json_lines"]

#: What reading a file of text ends with when it is absent, not UTF-8, or a damaged gzip file.
UNREADABLE = (OSError, UnicodeDecodeError, EOFError, zlib.error)


def json_lines(path: Path, mend: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number, from 1, and object of each line of ``path``; empty lines are left out.

    Args:
        path: in UTF-8, with or without a byte-order mark; gzip if it ends in ``.gz``.
        mend: what the error of a line that is no JSON object tells the user to do.

    Raises:
        ModelError: the file cannot be read, or a line is no JSON object.
    """
    for number, line in enumerate(_lines(path, mend), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ModelError(f"{path.name}, line {number}: not JSON ({error.msg})", mend=mend) from error
        except (ValueError, RecursionError) as error:  # a number, or a nesting, beyond what Python reads
            raise ModelError(f"{path.name}, line {number}: not JSON that can be read ({error})", mend=mend) from error
        if not isinstance(record, dict):
            raise ModelError(f"{path.name}, line {number}: not a JSON object", mend=mend)
        yield number, record


def _lines(path: Path, mend: str) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as lines:
            yield from lines
    except UNREADABLE as error:
        raise ModelError(f"cannot read {path}: {error}", mend=mend) from error
