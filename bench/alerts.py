"""How many sightings a second the alert engine takes on one core, and how much memory live keys need.

    python -m bench.alerts [--sightings 40000] [--keys 50000] [--repeat 3] [--standard 20000]

The stream is made to resemble news and social text: 400 entities and 60 tags of Zipf popularity, one to three keys a
document, ten sources, half of the documents by one of 5,000 authors, every eighth a near-copy, a quarter negative, 20
documents a minute, up to two minutes out of order, read in batches of 256. Two rules: the negative share of every entity,
and of every tag, against its past. The same stream as a file of JSON lines, as the service writes them, goes the way of
``bellwether backtest``: reading, counting keys, the engine. Besides, the rules of ``streams/alerts/benchmark/standard.yaml`` on the first
documents of the generator's standard stream, read in batches of 256. All rates are of processor time (`time.process_time`), not of wall
time, so that other work on the machine disturbs them little. Prints JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate, islice
from pathlib import Path

from streams.alerts import benchmark
from streams.alerts.backtest.history import read_history
from streams.alerts.backtest.run import count_keys, run
from streams.alerts.benchmark.generator import Stream
from streams.alerts.benchmark.plan import standard
from streams.alerts.engine import Engine
from streams.alerts.rules.defaults import default_rules
from streams.alerts.rules.reading import read_rules
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.sighting import Sighting
from streams.settings import AlertSettings

__all__ = ["backtest_rates", "live_keys", "mix", "rate", "resident_bytes", "write"]

_START = 29_500_000
_LANGUAGES = ("en", "de", "es", "fr", "zh", "ar", "hi", "ja", "ru", "pt")


def mix(count: int, seed: int = 1) -> list[Sighting]:
    """`count` sightings of the realistic mix; see the module."""
    choose = random.Random(seed)
    entities = [f"entity-{number}" for number in range(400)]
    tags = [f"tag-{number}" for number in range(60)]
    popular = list(accumulate(1 / (number + 3) for number in range(400)))
    made: list[Sighting] = []
    for number in range(count):
        copy = number > 100 and choose.random() < 0.125
        negative = choose.random() < 0.25
        minute = _START + number // 20 - choose.randrange(3)
        named = tuple(dict.fromkeys(choose.choices(entities, cum_weights=popular, k=choose.choice((1, 1, 2)))))
        tagged = (tags[choose.randrange(60)],) if choose.random() < 0.5 else ()
        made.append(
            Sighting(
                id=f"{number:032x}",
                original=f"{choose.randrange(number - 100, number):032x}" if copy else f"{number:032x}",
                minute=minute,
                received=minute,
                scored=True,
                negative=negative,
                score=-choose.random() if negative else choose.random(),
                source=f"source-{choose.randrange(10)}",
                author=f"author-{choose.randrange(5000)}" if number % 2 else "",
                language=choose.choice(_LANGUAGES),
                topic="economy",
                entities=named,
                names=named,
                tags=tagged,
                tag_names=tagged,
                title=f"Headline {number} about {named[0]} and what became of it in the afternoon",
                text="",
                url=f"https://source.example/{number}",
            )
        )
    return made


def rate(sightings: list[Sighting], *, rules: RuleSet | None = None, batch: int = 256, save: bool = False) -> float:
    """Sightings a second of processor time, by default with the default rules; with `save`, changes are taken after every batch."""
    engine = Engine(rules or default_rules(AlertSettings()))
    gc.collect()
    start = time.process_time()
    for first in range(0, len(sightings), batch):
        engine.observe(sightings[first : first + batch])
        if save:
            engine.changes()
    return len(sightings) / (time.process_time() - start)


def write(sightings: list[Sighting], path: Path) -> None:
    """`sightings` as JSON lines, with a text of eighty words each."""
    with path.open("w", encoding="utf-8") as file:
        for item in sightings:
            at = datetime.fromtimestamp(item.minute * 60, UTC).isoformat()
            negative = 0.8 if item.negative else 0.1
            line = {
                "id": item.id,
                "source": item.source,
                "url": item.url,
                "title": item.title,
                "text": "What became of it in the afternoon. " * 11,
                "author": item.author or None,
                "published_at": at,
                "tags": item.tags,
                "language": {"code": item.language, "confidence": 0.99},
                "sentiment": {"negative": negative, "neutral": 0.9 - negative, "positive": 0.1},
                "topic": {"label": item.topic, "confidence": 0.8},
                "duplicate_of": item.original if item.copy else None,
                "entities": [{"id": one, "name": one, "matched": one} for one in item.entities],
                "timings": {"received_at": at, "scored_at": at},
            }
            file.write(json.dumps(line) + "\n")


def backtest_rates(path: Path) -> tuple[float, float]:
    """Documents a second of processor time that are read from `path`, and that go the whole way of a backtest with the default rules."""
    rules = default_rules(AlertSettings())
    gc.collect()
    start = time.process_time()
    sightings = read_history(path).sightings
    read = time.process_time()
    count_keys(rules, sightings)
    run(rules, sightings)
    return len(sightings) / (read - start), len(sightings) / (time.process_time() - start)


def live_keys(count: int, documents: int = 10) -> Iterator[Sighting]:
    """`documents` sightings for each of `count` entities, spread over a day; three quarters of the keys in other hours than the rest."""
    choose = random.Random(2)
    total = count * documents
    for number in range(total):
        minute = _START + number * 1440 // total
        negative = choose.random() < 0.25
        yield Sighting(
            id=f"{number:032x}",
            original=f"{number:032x}",
            minute=minute,
            received=minute,
            scored=True,
            negative=negative,
            score=-0.8 if negative else 0.4,
            source=f"source-{number % 50}",
            language=_LANGUAGES[number % 10],
            topic="economy",
            entities=(f"entity-{choose.randrange(count)}",),
            names=("Name",),
            title=f"Headline {number} about what became of it in the afternoon of the day",
            url=f"https://source-{number % 50}.example/articles/{number}",
        )


def resident_bytes() -> int:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS in /proc/self/status")


def _memory(keys: int) -> dict[str, object]:
    gc.collect()
    before = resident_bytes()
    engine = Engine(default_rules(AlertSettings()))
    batch: list[Sighting] = []
    for sighting in live_keys(keys):
        batch.append(sighting)
        if len(batch) == 1000:
            engine.observe(batch)
            engine.changes()
            batch = []
    engine.observe(batch)
    engine.changes()
    gc.collect()
    return {"live_keys": engine.keys, "documents": keys * 10, "resident_megabytes": round((resident_bytes() - before) / 1e6, 1)}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sightings", type=int, default=40_000)
    parser.add_argument("--keys", type=int, default=50_000)
    parser.add_argument("--standard", type=int, default=20_000, help="documents of the standard stream")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, object] = {}
    if options.keys:
        result["memory"] = _memory(options.keys)
    if options.sightings:
        sightings = mix(options.sightings)
        result["sightings_per_second"] = round(max(rate(sightings) for _ in range(options.repeat)))
        result["sightings_per_second_with_changes"] = round(max(rate(sightings, save=True) for _ in range(options.repeat)))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "mix.jsonl"
            write(sightings, path)
            rates = [backtest_rates(path) for _ in range(options.repeat)]
        result["lines_read_per_second"] = round(max(read for read, _ in rates))
        result["backtest_documents_per_second"] = round(max(whole for _, whole in rates))
    if options.standard:
        documents = list(islice(Stream.generate(standard(), 1).sightings(), options.standard))
        rules = read_rules(Path(str(benchmark.__path__[0])) / "standard.yaml")
        result["standard_rules_documents_per_second"] = round(max(rate(documents, rules=rules) for _ in range(options.repeat)))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
