from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from streams.documents import DeadLetter, Outcome
from streams.embedded.adapters import journal_origin, journal_row
from streams.embedded.journal import Journal, JournalCounts
from streams.embedded.storage import SCHEMA_VERSION
from streams.errors import StackError, TransientError


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "folder" / "journal.db")


def letter(seq: int, reason: str = "document.json.invalid", original: bytes = b"{") -> DeadLetter:
    return DeadLetter(
        reason=reason,
        detail="why",
        stage="score",
        origin=journal_origin(seq),
        failed_at=datetime(2026, 5, 1, 12, tzinfo=UTC),
        original=original,
    )


def rest(journal: Journal) -> list[int]:
    return [seq for seq, _ in journal.pending(0, 10_000)]


def test_rows_come_back_in_order_and_after_a_cursor(journal: Journal) -> None:
    rows = journal.append([b"a", b"", b"\x00\xff"])
    assert rows == sorted(rows)
    assert journal.pending(0, 10) == list(zip(rows, [b"a", b"", b"\x00\xff"], strict=True))
    assert journal.pending(rows[0], 1) == [(rows[1], b"")]
    assert journal.append([]) == []


def test_a_batch_is_bounded_by_bytes_but_never_empty(journal: Journal) -> None:
    rows = journal.append([b"x" * 100] * 5)
    assert [seq for seq, _ in journal.pending(0, 10, max_bytes=250)] == rows[:3]
    assert [seq for seq, _ in journal.pending(0, 10, max_bytes=1)] == rows[:1]


def test_a_row_is_pending_until_it_is_indexed_and_watched(journal: Journal) -> None:
    one, two = journal.append([b"1", b"2"])
    journal.finish({one: Outcome.INDEXED})
    journal.watched([two])
    assert rest(journal) == [one, two]
    assert journal.counts() == JournalCounts(produced=2, pending=2, indexed=0, duplicates=0, dead=0, filtered=0)
    journal.watched([one])
    journal.finish({two: Outcome.DUPLICATE})
    assert rest(journal) == []
    assert journal.counts() == JournalCounts(produced=2, pending=0, indexed=1, duplicates=1, dead=0, filtered=0)
    assert journal.backlog() == 0


def test_the_first_outcome_stays(journal: Journal) -> None:
    (row,) = journal.append([b"1"])
    journal.watched([row])
    journal.finish({row: Outcome.INDEXED})
    journal.finish({row: Outcome.DUPLICATE})
    journal.bury([letter(row)])
    assert journal.counts().indexed == 1
    assert journal.dead_letters(5) == []


def test_the_dead_keep_their_bytes_and_the_filtered_do_not(journal: Journal) -> None:
    dead, filtered, bare = journal.append([b"{", b"{}", b"!"])
    journal.bury([letter(dead), letter(filtered, reason="filtered.language")])
    journal.finish({bare: Outcome.DEAD})
    counts = journal.counts()
    assert (counts.dead, counts.filtered, counts.pending) == (2, 1, 0)
    known, unknown = journal.dead_letters(10)
    assert known == letter(dead)
    assert (unknown.reason, unknown.original, unknown.origin) == ("unknown", b"!", journal_origin(bare))
    journal.bury([letter(bare, reason="score.failed", original=b"!")])
    assert [found.reason for found in journal.dead_letters(10)] == ["document.json.invalid", "score.failed"]
    assert [found.reason for found in journal.dead_letters(1)] == ["score.failed"]


def test_outcomes_of_rows_that_never_were_are_ignored(journal: Journal) -> None:
    journal.finish({99: Outcome.INDEXED})
    journal.bury([letter(99), letter(1).model_copy(update={"origin": "documents.raw-0-1"})])
    journal.watched([99])
    assert journal.counts().produced == 0
    assert journal.dead_letters(5) == []


def test_unsettled_outcomes_are_taken_back_settled_ones_stay(journal: Journal) -> None:
    safe, late, open_ = journal.append([b"1", b"2", b"3"])
    journal.watched([safe, late])
    journal.finish({safe: Outcome.INDEXED})
    assert journal.mark() == 1
    journal.finish({late: Outcome.INDEXED})
    journal.settle()
    assert journal.reopen() == [late]
    assert journal.pending(0, 10) == [(late, b"2"), (open_, b"3")]
    assert journal.messages([open_, safe, late]) == [(open_, b"3"), (safe, None), (late, b"2")]
    assert journal.messages([late, open_], max_bytes=1) == [(late, b"2")]
    journal.finish({late: Outcome.INDEXED})
    assert (journal.counts().indexed, journal.counts().pending) == (2, 1)


def test_an_outcome_from_before_the_servers_death_comes_too_late(journal: Journal) -> None:
    (row,) = journal.append([b"1"])
    since = journal.losses()
    assert journal.reopen() == []  # the acknowledgement is still on its way to us
    with pytest.raises(TransientError, match="died"):
        journal.finish({row: Outcome.INDEXED}, since=since)
    assert journal.backlog() == 1
    journal.finish({row: Outcome.INDEXED}, since=journal.losses())
    journal.watched([row])
    assert journal.backlog() == 0


def test_what_is_dead_is_not_taken_back(journal: Journal) -> None:
    (row,) = journal.append([b"{"])
    journal.bury([letter(row)])
    assert journal.mark() == 0
    assert journal.reopen() == []
    assert journal.counts().dead == 1


def test_settled_before_watched_is_fed_again_until_it_is_watched(journal: Journal) -> None:
    (row,) = journal.append([b"1"])
    journal.finish({row: Outcome.INDEXED})
    journal.mark()
    journal.settle()
    assert journal.pending(0, 10) == [(row, b"1")]
    journal.watched([row])
    assert journal.pending(0, 10) == []


def test_the_file_stays_small_and_the_counts_exact(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", remembered=10)
    for _ in range(60):
        rows = journal.append([os.urandom(20_000)] * 10)
        journal.watched(rows)
        journal.finish(dict.fromkeys(rows[:6], Outcome.INDEXED) | dict.fromkeys(rows[6:], Outcome.DUPLICATE))
        journal.mark()
        journal.settle()
    assert journal.counts() == JournalCounts(produced=600, pending=0, indexed=360, duplicates=240, dead=0, filtered=0)
    size = journal.path.stat().st_size
    assert size < 2_000_000, "12 MB went through"
    journal.finish({1: Outcome.DUPLICATE})
    journal.bury([letter(1)])
    assert journal.counts().produced == 600
    assert journal.append([b"next"])[0] == 601, "numbers of forgotten rows are not given again"


def test_state_and_cursors_survive_reopening(journal: Journal) -> None:
    journal.save_state({"a": b"1", "b": b"2", "ключ": b"\x00"})
    journal.save_state({"a": None, "b": b"3"})
    assert journal.cursor("feeds") is None
    journal.set_cursor("feeds", "10")
    journal.set_cursor("feeds", "11")
    journal.close()
    again = Journal(journal.path)
    assert again.load_state() == {"b": b"3", "ключ": b"\x00"}
    assert again.cursor("feeds") == "11"


@pytest.mark.parametrize("content", [b"this is no database, whatever its name says" * 30, b"SQLite format 3\x00 and then rubbish"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with pytest.raises(StackError, match=r"journal\.db is not a journal") as refused:
        Journal(path)
    assert "move that file away" in refused.value.mend
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "journal.db")
    connection.execute("CREATE TABLE document (seq INTEGER)")
    connection.close()
    with pytest.raises(StackError, match="is not a journal of ours"):
        Journal(tmp_path / "journal.db")


def test_a_newer_journal_is_refused(journal: Journal) -> None:
    journal.close()
    connection = sqlite3.connect(journal.path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StackError, match=f"has version {SCHEMA_VERSION + 1}, this is version {SCHEMA_VERSION}"):
        Journal(journal.path)


def test_a_closed_journal_says_so(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(StackError, match="used after it was closed"):
        journal.append([b"1"])


def test_a_full_disk_is_transient_and_takes_nothing(journal: Journal) -> None:
    journal.append([b"1"])
    with journal._storage.durable.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(TransientError, match="disk is full"):
        journal.append([b"x" * 1000] * 500)
    assert journal.counts().produced == 1
    journal.append([b"2"])
    assert journal.counts().produced == 2


def test_threads_share_it(journal: Journal) -> None:
    def work() -> None:
        for _ in range(20):
            rows = journal.append([b"x"] * 5)
            journal.watched(rows)
            journal.finish(dict.fromkeys(rows, Outcome.INDEXED))
            journal.counts()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.counts() == JournalCounts(produced=400, pending=0, indexed=400, duplicates=0, dead=0, filtered=0)


_APPENDER = """
    import sys
    from pathlib import Path
    from streams.embedded.journal import Journal

    journal, n = Journal(Path(sys.argv[1])), 0
    while True:
        journal.append([b"%d" % number for number in range(n, n + 7)])
        n += 7
        print(n, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_kill_in_the_middle_of_appending_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    acknowledged = 0
    for attempt in range(3):
        process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(_APPENDER), str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        last = 0
        for line in process.stdout:
            last = int(line)
            if last > 500 + 77 * attempt:
                process.send_signal(signal.SIGKILL)
        process.wait()
        acknowledged += last
        journal = Journal(path)
        kept = journal.counts().produced
        assert acknowledged <= kept <= acknowledged + 7
        assert kept % 7 == 0, "a batch is kept whole or not at all"
        acknowledged = kept
        bodies = [body for _, body in journal.pending(0, 100_000)]
        assert len(bodies) == kept
        assert bodies[-kept:][:7] == [b"0", b"1", b"2", b"3", b"4", b"5", b"6"]
        journal.close()


@pytest.mark.parametrize("origin", ["documents.raw-0-5", "journal-1-5", "journal-0-x", "journal-0-9223372036854775808", "", "journal"])
def test_origins_of_others_are_told_apart(origin: str) -> None:
    assert journal_row(origin) is None


def test_an_origin_and_its_row_belong_together() -> None:
    assert journal_row(journal_origin(17)) == 17


class JournalMachine(RuleBasedStateMachine):
    """Any order of calls: the sum holds, and the journal agrees with a model of three dictionaries."""

    rows: Bundle[int] = Bundle("rows")

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[int, Outcome | None] = {}
        self.seen: set[int] = set()
        self.kept: dict[int, int] = {}

    @initialize(remembered=st.integers(0, 3))
    def open(self, remembered: int) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.db"
        self.remembered = remembered
        self.journal = Journal(self.path, remembered=remembered)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()

    @rule(target=rows, bodies=st.lists(st.binary(max_size=8), max_size=4))
    def append(self, bodies: list[bytes]) -> object:
        added = self.journal.append(bodies)
        self.outcomes |= dict.fromkeys(added)
        return multiple(*added)

    @rule(row=rows, outcome=st.sampled_from([Outcome.INDEXED, Outcome.DUPLICATE, Outcome.DEAD, Outcome.FILTERED]))
    def finish(self, row: int, outcome: Outcome) -> None:
        self.journal.finish({row: outcome})
        self._end(row, outcome)

    @rule(row=rows, filtered=st.booleans())
    def bury(self, row: int, filtered: bool) -> None:
        self.journal.bury([letter(row, reason="filtered.language" if filtered else "document.schema")])
        self._end(row, Outcome.FILTERED if filtered else Outcome.DEAD)

    def _end(self, row: int, outcome: Outcome) -> None:
        if self.outcomes[row] is None:
            self.outcomes[row] = outcome
            self.kept[row] = 0 if outcome in {Outcome.INDEXED, Outcome.DUPLICATE} else 2

    @rule(row=rows)
    def watched(self, row: int) -> None:
        self.journal.watched([row])
        self.seen.add(row)

    @rule()
    def mark(self) -> None:
        self.journal.mark()
        self.kept = {row: max(1, kept) for row, kept in self.kept.items()}

    @rule()
    def settle(self) -> None:
        self.journal.settle()
        self.kept = {row: 2 if kept == 1 else kept for row, kept in self.kept.items()}

    @rule()
    def reopen(self) -> None:
        lost = sorted(row for row, kept in self.kept.items() if kept < 2)
        assert self.journal.reopen() == lost
        for row in lost:
            del self.kept[row]
            self.outcomes[row] = None

    @rule()
    def crash_and_open(self) -> None:
        self.journal.close()
        self.journal = Journal(self.path, remembered=self.remembered)

    @rule(row=consumes(rows))
    def forget(self, row: int) -> None:
        """The machine stops touching a row; the journal must keep it in its sums."""

    def _open_rows(self) -> list[int]:
        searched = {Outcome.INDEXED, Outcome.DUPLICATE}
        return [row for row, outcome in self.outcomes.items() if outcome is None or (outcome in searched and row not in self.seen)]

    @invariant()
    def sums_hold(self) -> None:
        if not hasattr(self, "journal"):
            return
        counts = self.journal.counts()
        assert counts.produced == counts.pending + counts.indexed + counts.duplicates + counts.dead + counts.filtered
        assert counts.produced == len(self.outcomes)
        still = self._open_rows()
        assert [row for row, _ in self.journal.pending(0, 1000)] == still
        assert self.journal.backlog() == counts.pending == len(still)
        ended = [outcome for row, outcome in self.outcomes.items() if row not in still]
        assert [counts.indexed, counts.duplicates, counts.dead, counts.filtered] == [
            ended.count(kind) for kind in (Outcome.INDEXED, Outcome.DUPLICATE, Outcome.DEAD, Outcome.FILTERED)
        ]


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
