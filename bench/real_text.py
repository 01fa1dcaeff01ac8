"""Real streams through the whole path, beside the bare scorer on the same texts in the same run.

    python -m bench.real_text [--lines 1500] [--only telegram_ru_2024]

For each of the shared streams (Russian, Spanish, Indonesian, Arabic, English, Chinese): the first lines are replayed by
``bellwether replay``'s own code into a running stack with Triton, and afterwards exactly the texts that the path scored
(near-copies are scored once) are scored again by the same Triton, alone. Prints JSON with both rates, their ratio and the
books of every stream.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from bench.stack import running_stack, until_ended
from streams.documents import parse_raw
from streams.embedded.stack import Stack
from streams.enrich.enricher import Arrival, Enriched, Enricher
from streams.errors import PermanentError
from streams.scoring.selection import build_scorer
from streams.sources.cursors import MemoryCursorStore
from streams.sources.mapping import FieldMapping
from streams.sources.replay import Replay

__all__ = ["STREAMS", "measure"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "streams"

STREAMS: dict[str, tuple[str | None, str]] = {
    "telegram_ru_2024": ("id=id,source=source,text=text,published_at=published_at,author=channel", "Europe/Moscow"),
    "noticias_es": (None, "UTC"),
    "cnbc_id_tweets": (None, "Asia/Jakarta"),
    "saudi_news_2015": (None, "Asia/Riyadh"),
    "headlines_2018_2020": ("id=id,source=outlet,text=text,published_at=published_at", "UTC"),
    "xueqiu_news_zh": ("id=id,source=source,text=text,published_at=published_at,tags=target", "Asia/Shanghai"),
}
"""Field mapping and the zone of times that carry none, for ``--map`` and ``--zone``."""

BATCH = 128


def _texts(messages: list[bytes], stack: Stack) -> list[str]:
    """The texts that the path scores: what the enricher makes of the messages, without near-copies and repeats."""
    enricher = Enricher(stack.settings.enrich)
    arrivals = []
    for number, message in enumerate(messages):
        try:
            arrivals.append(Arrival(raw=parse_raw(message), origin=f"bench-0-{number}"))
        except PermanentError:
            continue
    seen: set[str] = set()
    texts: list[str] = []
    for item in enricher.enrich(arrivals):
        if isinstance(item, Enriched) and item.unscored is None and item.duplicate_of is None and item.id not in seen:
            seen.add(item.id)
            texts.append(item.model_text)
    return texts


async def _bare(texts: list[str], stack: Stack) -> float:
    """Documents a second of the scorer alone: the batches of the score agent, two under way, as there."""
    scorer = build_scorer(stack.settings)
    await scorer.open()
    try:
        slots = asyncio.Semaphore(2)

        async def one(batch: list[str]) -> None:
            async with slots:
                await scorer.score(batch)

        await scorer.score(texts[:BATCH])
        began = time.monotonic()
        await asyncio.gather(*(one(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)))
        return len(texts) / (time.monotonic() - began)
    finally:
        await scorer.close()


async def _stream(name: str, lines: int, stack: Stack) -> dict[str, Any]:
    names, zone = STREAMS[name]
    mapping = FieldMapping.parse(names, zone=zone)
    with tempfile.TemporaryDirectory() as folder, gzip.open(SHARED / f"{name}.jsonl.gz", "rb") as source:
        path = Path(folder) / f"{name}.jsonl"
        taken = list(islice(source, lines))
        path.write_bytes(b"".join(taken))
        texts = _texts([mapping.apply(line.rstrip(b"\n")) for line in taken], stack)
        before = stack.journal.counts()
        replay = Replay(path, destination="bench", cursors=MemoryCursorStore(), mapping=mapping)
        began = time.monotonic()
        await replay.run(stack.intake())
        await until_ended(stack, seconds=1800)
        seconds = time.monotonic() - began
    after = stack.journal.counts()
    # The bare scorer twice, before it is compared: the better of the two is the one that was disturbed less.
    bare = max([await _bare(texts, stack) for _ in range(2)])
    scored_rate = len(texts) / seconds
    return {
        "stream": name,
        "produced": after.produced - before.produced,
        "indexed": after.indexed - before.indexed,
        "duplicates": after.duplicates - before.duplicates,
        "dead": after.dead - before.dead,
        "filtered": after.filtered - before.filtered,
        "scored": len(texts),
        "seconds": round(seconds, 1),
        "documents_per_second": round((after.produced - before.produced) / seconds, 1),
        "scored_per_second": round(scored_rate, 1),
        "bare_scorer_per_second": round(bare, 1),
        "ratio": round(scored_rate / bare, 3),
    }


async def measure(names: list[str], lines: int) -> dict[str, Any]:
    """Every stream, one after the other, in one stack."""
    async with running_stack() as stack:
        results = []
        for name in names:
            results.append(await _stream(name, lines, stack))
            print(json.dumps(results[-1]), flush=True)
        counts = stack.journal.counts()
        return {
            "scorer": stack.scorer,
            "produced": counts.produced,
            "balanced": counts.produced == counts.indexed + counts.duplicates + counts.dead + counts.filtered,
            # By time: how long the bare scorer takes for all texts, against how long the path takes for all documents.
            "ratio": round(
                sum(one["scored"] / one["bare_scorer_per_second"] for one in results) / sum(one["seconds"] for one in results), 3
            ),
        }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1500, help="lines of each stream")
    parser.add_argument("--only", choices=sorted(STREAMS), action="append")
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure(arguments.only or list(STREAMS), arguments.lines)), indent=2))


if __name__ == "__main__":
    main()
