"""A process that delivers from a journal, to be killed: ``standin_notifier.py JOURNAL URL SECRET FIRST COUNT``.

Puts alerts FIRST … FIRST + COUNT - 1 in, firing and resolved, says "safe N" when one is in the outbox, and delivers until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from streams.delivery.building import build_dispatcher
from streams.documents import Alert, DeadLetter, Key, Observation
from streams.embedded.adapters import JournalStateStore
from streams.embedded.journal import Journal
from streams.metrics import Metrics
from streams.settings import Settings

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)


def alert(number: int, status: str) -> Alert:
    """One of them."""
    span = {"start": AT - timedelta(hours=3), "end": AT}
    return Alert(
        id=f"{number:032x}",
        fingerprint=f"{number:016x}",
        rule="negative-share",
        status=status,  # type: ignore[arg-type]
        severity="critical",
        key=Key(kind="entity", value="bank", name="Bank"),
        starts_at=AT,
        observed=Observation(**span, documents=20, negative=15, share=0.75),
        baseline=None,
        p_value=1e-9,
        evidence=(),
        languages={},
        sources={},
        summary="75 % negative",
        revision=0 if status == "firing" else 1,
    )


async def run(journal: Path, url: str, secret: str, first: int, count: int) -> None:
    """Until killed."""
    webhook = {"urls": (url,), "secret": secret, "allow_networks": ("127.0.0.1/32",), "timeout": 5}
    settings = Settings.model_validate({"webhook": webhook, "search": {"url": "http://127.0.0.1:9"}})
    dispatcher = build_dispatcher(settings, JournalStateStore(Journal(journal)), Metrics())
    await dispatcher.open()

    async def bury(letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            print(f"letter {letter.reason}", flush=True)

    await dispatcher.start(bury)
    for number in range(first, first + count):
        for status in ("firing", "resolved"):
            await dispatcher.enqueue(alert(number, status), f"alerts-0-{number}")
        print(f"safe {number}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
