"""The journal's file: SQLite in WAL mode, its schema and version, and connections that threads and processes share.

Three connections per process, each behind a lock of its own, so that nobody waits for somebody else's disk:
`durable` waits for the disk at every commit (synchronous=FULL: what a source handed over survives a power cut),
`quick` leaves the waiting to the next checkpoint (a kill -9 loses nothing; a power cut may lose the last outcomes, whose
documents are then delivered again), `reading` never writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams.errors import StackError, TransientError

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "Storage"]

APPLICATION_ID: Final = 0x42_4C_57_4A
"""Marks the file as ours (SQLite's application_id): the letters BLWJ."""

SCHEMA_VERSION: Final = 2

_BUSY_SECONDS: Final = 60.0

_OPEN: Final = "(outcome IS NULL OR (watched = 0 AND outcome IN ('indexed', 'duplicate')))"
"""Not at its end: no outcome yet, or in the index but not yet in the watch agent's state."""

# `kept` says how safe an outcome in the index is: 0 not known, 1 marked (see Journal.mark), 2 on the search server's disk.
_SCHEMA: Final = f"""
CREATE TABLE document (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    outcome TEXT CHECK (outcome IN ('indexed', 'duplicate', 'dead', 'filtered')),
    watched INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0,
    open INTEGER GENERATED ALWAYS AS {_OPEN} VIRTUAL
);
CREATE INDEX document_open ON document (seq) WHERE open;
CREATE INDEX document_kept ON document (kept) WHERE outcome IS NOT NULL;
CREATE TABLE message (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE dead_letter (
    seq INTEGER PRIMARY KEY,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    stage TEXT NOT NULL,
    failed_at TEXT NOT NULL,
    original BLOB NOT NULL,
    truncated_from INTEGER
);
CREATE TABLE search (losses INTEGER NOT NULL);
CREATE TABLE total (outcome TEXT PRIMARY KEY, documents INTEGER NOT NULL);
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE cursor (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class _Connection:
    def __init__(self, path: Path, *, synchronous: str) -> None:
        self._lock = threading.RLock()
        self._path = path
        self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._connection.execute(f"PRAGMA synchronous = {synchronous}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _readable_errors(self._path):
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end, rolled back on an exception."""
        with self._lock, _readable_errors(self._path):
            # IMMEDIATE: wait for the write lock before reading; a lock taken later fails at once instead of waiting.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise TransientError(f"journal {path}: {error}", mend="is the disk full, or another program holding the file?") from error
    except sqlite3.ProgrammingError as error:
        raise StackError(f"journal {path}: used after it was closed") from error
    except sqlite3.DatabaseError as error:
        raise StackError(f"journal {path}: {error}", mend="the file is damaged; move it away to begin with an empty one") from error


class Storage:
    """Opens the journal's file, and creates it where there is none.

    Args:
        path: the file; its folder is created.

    Raises:
        StackError: the file is something else, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(f"journal {path}: its folder cannot be made: {error.strerror}", mend="choose another embedded.data") from error
        self._prepare()
        self.durable = _Connection(path, synchronous="FULL")
        self.quick = _Connection(path, synchronous="NORMAL")
        self.read = _Connection(path, synchronous="NORMAL")

    def _prepare(self) -> None:
        try:
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise StackError(f"journal {self.path}: cannot be opened: {error}", mend="may this user write there?") from error
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # Two processes may create the file at once: the second waits here and then finds the first one's schema.
            connection.execute("BEGIN EXCLUSIVE")
            self._create_or_check(connection)
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise StackError(f"journal {self.path}: cannot be opened: {error}", mend="may this user write there?") from error
        except sqlite3.DatabaseError as error:
            raise StackError(
                f"journal {self.path} is not a journal: {error}", mend="move that file away, or choose another folder"
            ) from error
        finally:
            connection.close()

    def _create_or_check(self, connection: sqlite3.Connection) -> None:
        application = int(connection.execute("PRAGMA application_id").fetchone()[0])
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        if application == 0 and version == 0 and tables == 0:
            for statement in _SCHEMA.split(";"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute("INSERT INTO search VALUES (0)")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            return
        if application != APPLICATION_ID:
            raise StackError(f"journal {self.path} is not a journal of ours", mend="move that file away, or choose another folder")
        if version != SCHEMA_VERSION:
            raise StackError(
                f"journal {self.path} has version {version}, this is version {SCHEMA_VERSION}",
                mend="use the version of Bellwether that wrote it, or another folder",
            )

    def close(self) -> None:
        """Close the connections. May be called twice."""
        for connection in (self.durable, self.quick, self.read):
            connection.close()
