"""The stack with the real worker and no model: kill -9 in the middle, then every document is where it belongs, once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from streams.sinks.search import SearchSink

DOCUMENTS = 600
UNREADABLE = [b"{", b"\xff\xfe", b'{"source": "s"}']


def _documents() -> list[bytes]:
    words = ["bank", "river", "profit", "storm", "harvest", "election", "orchestra", "tunnel", "vaccine", "satellite", "copper", "jury"]
    return [
        json.dumps(
            {
                "source": "test",
                "id": str(number),
                "title": f"{words[number % 12]} {words[number // 12 % 12]} {number}",
                "text": " ".join(f"{words[number * step % 12]}{number * step % 997}" for step in range(1, 30)),
                "published_at": "2026-03-01T12:00:00Z",
            }
        ).encode()
        for number in range(DOCUMENTS)
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_kill_worker_then_search_then_broker(lab: Any) -> None:
    stack = lab.build(worker_command=None)
    await stack.start()
    sent = _documents()
    intake = stack.intake()

    async def stream() -> None:
        for begin in range(0, DOCUMENTS, 50):
            await intake.put(sent[begin : begin + 50])
            await asyncio.sleep(0.05)
        await intake.put(UNREADABLE)

    streaming = asyncio.create_task(stream())
    for victim in ("worker", "search", "broker"):
        await lab.until(lambda: all(child.state in ("up", "off") for child in stack.status()), 90)
        lab.kill(stack, victim)
        await lab.until(lambda victim=victim: lab.child(stack, victim).restarts == 1)
    await streaming
    await lab.until(lambda: all(child.state in ("up", "off") for child in stack.status()), 90)
    assert await stack.drain(120)

    counts = stack.journal.counts()
    assert (counts.produced, counts.pending, counts.dead) == (DOCUMENTS + len(UNREADABLE), 0, len(UNREADABLE)), counts
    assert (counts.indexed, counts.duplicates) == (DOCUMENTS, 0), counts
    sink = SearchSink(stack.settings.search)
    await sink.open()
    assert await sink.count() == DOCUMENTS
    await sink.close()
    assert {letter.original for letter in stack.journal.dead_letters(10)} == set(UNREADABLE)
