"""A replay into the embedded journal: documents and place rest in one file and survive together."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from streams.embedded.adapters import JournalIntake
from streams.embedded.journal import Journal
from streams.sources.cursors import JournalCursorStore
from streams.sources.replay import Replay


async def test_a_replay_goes_on_by_the_place_in_the_journal(tmp_path: Path) -> None:
    lines = [json.dumps({"id": str(n), "source": "s", "text": "x", "published_at": "2024-01-01T00:00:00Z"}).encode() for n in range(1000)]
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))

    class Dying(JournalIntake):
        left = 3

        async def put(self, messages: Sequence[bytes]) -> None:
            await super().put(messages)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    for kind in (Dying, JournalIntake):
        journal = Journal(tmp_path / "journal.db")
        replay = Replay(file, destination="journal", cursors=JournalCursorStore(journal), batch_size=100)
        if kind is Dying:
            with pytest.raises(KeyboardInterrupt):
                await replay.run(kind(journal, 20_000))
            journal.close()
            continue
        report = await replay.run(kind(journal, 20_000))
        assert (report.resumed_from, report.last_line) == (200, 1000)
        kept = [message for _, message in journal.pending(0, 5000)]
        journal.close()
    assert set(kept) == set(lines)
    assert len(kept) == len(lines) + 100, "the batch that was durable but not remembered is repeated"
