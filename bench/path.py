"""How many documents a second the path carries when the model costs nothing, and where the time goes.

    python -m bench.path [--documents 20000] [--profile FILE]

The embedded stack with one worker and the no-op scorer. The documents are made of the sample newswire's words, language by
language, so that scripts, lengths and company names are real and none is a near-copy. Everything else is as in production:
language, near-duplicates, entities, two hops, index, watch, journal. Prints JSON: documents a second by the wall clock, and
processor milliseconds per document of each process (these depend less on what else the machine is doing).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import time
from collections import defaultdict
from pathlib import Path

from bench.stack import processor_seconds, running_stack, until_ended
from streams import newswire

__all__ = ["documents", "measure"]


def documents(count: int) -> list[bytes]:
    """`count` different raw documents made of the newswire's items: real scripts and lengths, no two alike."""
    items = [json.loads(line) for line in newswire.NEWSWIRE.read_text(encoding="utf-8").splitlines()]
    truth = newswire.truths()
    pools: dict[str, list[str]] = defaultdict(list)
    for item in items:
        pools[truth[item["url"]].language] += _pieces(item["text"])
    choose = random.Random(1)
    made: list[bytes] = []
    for number in range(count):
        item = dict(items[number % len(items)])
        pool, pieces = pools[truth[item["url"]].language], _pieces(item["text"])
        # Other words of the same language, as many as the item has: its script and length, but nobody's near-copy.
        text = "".join(choose.choice(pool) for _ in pieces)
        title = item["title"].split(" ")
        item |= {"url": f"https://bench.example/{number}", "title": " ".join([*title[:3], text[:40]]), "text": text}
        made.append(json.dumps(item, ensure_ascii=False).encode())
    return made


def _pieces(text: str) -> list[str]:
    """Words with the space behind them; of scripts without spaces, threes of characters."""
    words = text.split(" ")
    return [f"{word} " for word in words] if len(words) > 3 else [text[start : start + 3] for start in range(0, len(text), 3)]


async def measure(count: int, profile: Path | None) -> dict[str, object]:
    """Run it once."""
    made = documents(count)
    async with running_stack(newswire.entities_path(), scoring={"backend": "noop"}, embedded={"max_pending": count + 1}) as stack:
        intake = stack.intake()
        await intake.put(made[:200])  # connections, caches and lazy imports are not what is measured
        await until_ended(stack, seconds=60)
        before = processor_seconds(stack)
        recording = None
        if profile is not None:
            recording = _record(int(stack.worker.status.pid or 0), profile)
        began = time.monotonic()
        for start in range(200, count, 500):
            await intake.put(made[start : start + 500])
        await until_ended(stack, seconds=600)
        seconds = time.monotonic() - began
        used = {name: value - before.get(name, 0.0) for name, value in processor_seconds(stack).items()}
        if recording is not None:
            recording.send_signal(2)
            recording.wait(30)
        counts = stack.journal.counts()
        return {
            "documents": count - 200,
            "indexed": counts.indexed - 200,
            "balanced": counts.produced == counts.indexed + counts.duplicates + counts.dead + counts.filtered,
            "seconds": round(seconds, 2),
            "documents_per_second": round((count - 200) / seconds, 1),
            "processor_ms_per_document": {name: round(1000 * value / (count - 200), 3) for name, value in used.items()},
        }


def _record(pid: int, profile: Path) -> subprocess.Popen[bytes]:
    command = ["py-spy", "record", "--pid", str(pid), "--rate", "200", "--gil", "--format", "raw", "--output", str(profile)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument(
        "--profile", type=Path, default=None, help="write py-spy's raw stacks of the worker here (needs py-spy on the PATH)"
    )
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure(arguments.documents, arguments.profile)), indent=2))


if __name__ == "__main__":
    main()
