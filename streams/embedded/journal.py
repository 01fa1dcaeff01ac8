"""The journal of the embedded mode: every raw document, on disk, until its way has ended.

The embedded broker keeps its log in memory and the embedded search server writes its index to disk about once a second.
So the journal keeps a document not only until it is indexed and watched, but until the search server has it on its disk
(:meth:`Journal.mark`, :meth:`Journal.settle`); what a killed search server may have lost is opened again
(:meth:`Journal.reopen`) and fed again. All of that is idempotent: ids are deterministic and the index creates each once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from streams.documents import DeadLetter, Outcome
from streams.embedded.adapters import JournalIntake, JournalLedger, JournalStateStore, journal_origin, journal_row
from streams.embedded.storage import Storage
from streams.errors import TransientError

__all__ = ["Journal", "JournalCounts", "JournalIntake", "JournalLedger", "JournalStateStore"]

_REMEMBERED: Final = 4096
"""Ended documents whose rows are kept; older ones live on in the totals only."""

_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class JournalCounts:
    """Documents that were ever appended, and how their way ended.

    Always ``produced == pending + indexed + duplicates + dead + filtered``.
    """

    produced: int
    pending: int
    indexed: int
    duplicates: int
    dead: int
    filtered: int


class Journal:
    """Durable queue of raw documents with the outcome of each. Threads and processes may share the file.

    Args:
        path: the SQLite file; created where there is none.
        remembered: rows of ended documents to keep.

    Raises:
        StackError: the file is not a journal, is damaged, or is of a newer version.

    Every method raises TransientError when the disk is full or the file is locked for a minute, and StackError when the
    file is damaged or the journal closed.
    """

    def __init__(self, path: Path, *, remembered: int = _REMEMBERED) -> None:
        self.path = path
        self._remembered = remembered
        self._storage = Storage(path)

    def append(self, messages: Sequence[bytes]) -> list[int]:
        """Add `messages` in their order, all or none; they are on the disk when this returns. Gives their row numbers."""
        rows: list[int] = []
        with self._storage.durable.writing() as connection:
            for message in messages:
                seq = connection.execute("INSERT INTO document DEFAULT VALUES").lastrowid
                assert seq is not None
                connection.execute("INSERT INTO message VALUES (?, ?)", (seq, message))
                rows.append(seq)
        return rows

    def pending(self, after: int, limit: int, *, max_bytes: int = 16_777_216) -> list[tuple[int, bytes]]:
        """Documents whose way has not ended, row number > `after`, in the order of arrival.

        At most `limit`, and no more once they have `max_bytes` together.
        """
        query = "SELECT seq, body FROM document JOIN message USING (seq) WHERE open AND document.seq > ? ORDER BY document.seq LIMIT ?"
        found: list[tuple[int, bytes]] = []
        size = 0
        with self._storage.read.reading() as connection:
            for seq, body in connection.execute(query, (after, limit)):
                found.append((int(seq), bytes(body)))
                size += len(body)
                if size >= max_bytes:
                    break
        return found

    def losses(self) -> int:
        """How often :meth:`reopen` was called in the life of the file: a mark for :meth:`finish`."""
        with self._storage.read.reading() as connection:
            return int(connection.execute("SELECT losses FROM search").fetchone()[0])

    def finish(self, outcomes: Mapping[int, Outcome], *, since: int | None = None) -> None:
        """Note how the way of these rows ended. The first outcome of a row stays; rows that are not known are ignored.

        Args:
            outcomes: by row.
            since: what :meth:`losses` gave before the outcomes came about: nothing is noted when the search server died
                since, for its acknowledgements may be older than its death and reach us after :meth:`reopen`.

        Raises:
            TransientError: also when the search server died since.
        """
        with self._storage.quick.writing() as connection:
            if since is not None and since != connection.execute("SELECT losses FROM search").fetchone()[0]:
                raise TransientError(f"journal {self.path}: the search server died before these outcomes were noted", retry_after=0.0)
            for seq, outcome in outcomes.items():
                searched = outcome in {Outcome.INDEXED, Outcome.DUPLICATE}
                changed = connection.execute(
                    "UPDATE document SET outcome = ?, kept = ? WHERE seq = ? AND outcome IS NULL",
                    (outcome.value, 0 if searched else 2, seq),
                ).rowcount
                if changed and outcome is Outcome.DEAD:
                    connection.execute(
                        "INSERT OR IGNORE INTO dead_letter SELECT seq, ?, '', 'score', strftime('%Y-%m-%dT%H:%M:%fZ'), body, NULL "
                        "FROM message WHERE seq = ?",
                        (_UNKNOWN, seq),
                    )
                if changed and not searched:
                    connection.execute("DELETE FROM message WHERE seq = ?", (seq,))

    def bury(self, letters: Iterable[DeadLetter]) -> None:
        """Note that these rows were dead-lettered or filtered. Dead ones keep their bytes, their reason and its detail.

        Letters whose origin is not a row of the journal are ignored.
        """
        with self._storage.quick.writing() as connection:
            for letter in letters:
                seq = journal_row(letter.origin)
                connection.execute(
                    "UPDATE document SET outcome = ?, kept = 2 WHERE seq = ? AND outcome IS NULL", (letter.outcome.value, seq)
                )
                found = connection.execute("SELECT outcome FROM document WHERE seq = ?", (seq,)).fetchone()
                if found is None or found[0] != letter.outcome.value:
                    continue
                connection.execute("DELETE FROM message WHERE seq = ?", (seq,))
                if letter.outcome is Outcome.DEAD:
                    connection.execute(
                        "INSERT INTO dead_letter VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO UPDATE SET reason = excluded.reason, "
                        "detail = excluded.detail, stage = excluded.stage, failed_at = excluded.failed_at, original = excluded.original, "
                        "truncated_from = excluded.truncated_from WHERE reason = ?",
                        (
                            seq,
                            letter.reason,
                            letter.detail,
                            letter.stage,
                            letter.failed_at.isoformat(),
                            letter.original,
                            letter.truncated_from,
                            _UNKNOWN,
                        ),
                    )

    def watched(self, seqs: Iterable[int]) -> None:
        """The watch agent's state holds these rows."""
        with self._storage.quick.writing() as connection:
            connection.executemany("UPDATE document SET watched = 1 WHERE seq = ? AND watched = 0", ((seq,) for seq in seqs))

    def mark(self) -> int:
        """Begin to settle: the outcomes of this moment are in the search server's memory. Gives how many await settling."""
        with self._storage.quick.writing() as connection:
            connection.execute("UPDATE document SET kept = 1 WHERE outcome IS NOT NULL AND kept = 0")
            return int(connection.execute("SELECT count(*) FROM document WHERE outcome IS NOT NULL AND kept < 2").fetchone()[0])

    def settle(self) -> None:
        """The search server has begun and ended writing its index since the last :meth:`mark`: what was marked is safe.

        Drops the messages of settled rows and folds all but the newest ended rows into the totals.
        """
        with self._storage.quick.writing() as connection:
            connection.execute(
                "DELETE FROM message WHERE seq IN (SELECT seq FROM document WHERE outcome IS NOT NULL AND kept = 1 AND NOT open)"
            )
            connection.execute("UPDATE document SET kept = 2 WHERE outcome IS NOT NULL AND kept = 1")
            # Rows that were settled before the watch agent had them still hold their message.
            connection.execute("DELETE FROM message WHERE seq IN (SELECT seq FROM document WHERE kept = 2 AND NOT open)")
            self._fold(connection)

    def reopen(self) -> list[int]:
        """The search server was killed, or how it ended is not known: take back every outcome that it may have lost.

        Gives the rows that are open again; they are to be fed again.
        """
        with self._storage.durable.writing() as connection:
            connection.execute("UPDATE search SET losses = losses + 1")
            found = connection.execute("SELECT seq FROM document WHERE outcome IS NOT NULL AND kept < 2 ORDER BY seq").fetchall()
            connection.execute("UPDATE document SET outcome = NULL, kept = 0 WHERE outcome IS NOT NULL AND kept < 2")
        return [int(row[0]) for row in found]

    def messages(self, seqs: Sequence[int], *, max_bytes: int = 16_777_216) -> list[tuple[int, bytes | None]]:
        """The messages of `seqs`, in their order; None where the way has ended. No more of them once they have `max_bytes` together."""
        found: list[tuple[int, bytes | None]] = []
        size = 0
        with self._storage.read.reading() as connection:
            for seq in seqs:
                row = connection.execute(
                    "SELECT body FROM document JOIN message USING (seq) WHERE open AND document.seq = ?", (seq,)
                ).fetchone()
                found.append((seq, None if row is None else bytes(row[0])))
                size += 0 if row is None else len(row[0])
                if size >= max_bytes:
                    break
        return found

    def counts(self) -> JournalCounts:
        """Counts of one moment."""
        query = (
            "SELECT outcome, sum(documents) FROM (SELECT CASE WHEN open THEN 'pending' ELSE outcome END AS outcome, count(*) AS documents "
            "FROM document GROUP BY 1 UNION ALL SELECT outcome, documents FROM total) GROUP BY outcome"
        )
        with self._storage.read.reading() as connection:
            found = {str(outcome): int(documents) for outcome, documents in connection.execute(query)}
        return JournalCounts(
            produced=sum(found.values()),
            pending=found.get("pending", 0),
            indexed=found.get(Outcome.INDEXED, 0),
            duplicates=found.get(Outcome.DUPLICATE, 0),
            dead=found.get(Outcome.DEAD, 0),
            filtered=found.get(Outcome.FILTERED, 0),
        )

    def backlog(self, up_to: int | None = None) -> int:
        """How many documents have not ended; only those with row number <= `up_to`, where it is given. Waits for no writer."""
        with self._storage.read.reading() as connection:
            if up_to is None:
                return int(connection.execute("SELECT count(*) FROM document WHERE open").fetchone()[0])
            return int(connection.execute("SELECT count(*) FROM document WHERE open AND seq <= ?", (up_to,)).fetchone()[0])

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest `limit` dead letters, newest last."""
        query = "SELECT seq, reason, detail, stage, failed_at, original, truncated_from FROM dead_letter ORDER BY seq DESC LIMIT ?"
        with self._storage.read.reading() as connection:
            rows = connection.execute(query, (limit,)).fetchall()
        return [
            DeadLetter(
                reason=reason,
                detail=detail,
                stage=stage,
                origin=journal_origin(seq),
                failed_at=datetime.fromisoformat(failed_at),
                original=original,
                truncated_from=truncated_from,
            )
            for seq, reason, detail, stage, failed_at, original, truncated_from in reversed(rows)
        ]

    def load_state(self) -> dict[str, bytes]:
        """Everything that was saved by :meth:`save_state`."""
        with self._storage.read.reading() as connection:
            return {str(key): bytes(value) for key, value in connection.execute("SELECT key, value FROM state")}

    def save_state(self, changes: Mapping[str, bytes | None]) -> None:
        """Write `changes`, all or none; None deletes. They are on the disk when this returns."""
        with self._storage.durable.writing() as connection:
            for key, value in changes.items():
                if value is None:
                    connection.execute("DELETE FROM state WHERE key = ?", (key,))
                else:
                    connection.execute(
                        "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
                    )

    def cursor(self, name: str) -> str | None:
        """How far the source `name` has read, in its own words; None before it said so."""
        with self._storage.read.reading() as connection:
            row = connection.execute("SELECT value FROM cursor WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_cursor(self, name: str, value: str) -> None:
        """Note how far the source `name` has read. On the disk when this returns."""
        with self._storage.durable.writing() as connection:
            connection.execute("INSERT INTO cursor VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value))

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._storage.close()

    def _fold(self, connection: sqlite3.Connection) -> None:
        ended = "FROM document WHERE kept = 2 AND NOT open AND seq <= (SELECT max(seq) FROM document) - ?"
        rows = connection.execute(f"SELECT outcome, count(*) {ended} GROUP BY outcome", (self._remembered,)).fetchall()
        for outcome, documents in rows:
            connection.execute(
                "INSERT INTO total VALUES (?, ?) ON CONFLICT (outcome) DO UPDATE SET documents = documents + excluded.documents",
                (outcome, documents),
            )
        connection.execute(f"DELETE {ended}", (self._remembered,))
