"""A worker without models: raw topic to index to journal, with the same promises as ours and nothing else of it.

It lets the tests of the stack look at the stack alone. `--die-after N` ends it (as kill -9 does) after N documents.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import signal
from pathlib import Path

import httpx
from aiokafka import AIOKafkaConsumer

from streams.documents import Outcome
from streams.embedded.journal import Journal, JournalLedger
from streams.errors import TransientError
from streams.settings import Settings, load_settings


async def _index(client: httpx.AsyncClient, bodies: list[tuple[str, bytes]]) -> dict[str, Outcome]:
    lines: list[str] = []
    for origin, body in bodies:
        key = hashlib.sha256(body).hexdigest()[:32]
        lines += [json.dumps({"create": {"_index": "standin", "_id": key}}), json.dumps({"origin": origin, "text": body.decode()})]
    while True:
        try:
            response = await client.post("/_bulk", content="\n".join(lines) + "\n", headers={"content-type": "application/x-ndjson"})
            response.raise_for_status()
            break
        except httpx.HTTPError:
            await asyncio.sleep(0.2)
    outcomes: dict[str, Outcome] = {}
    for (origin, _), item in zip(bodies, response.json()["items"], strict=True):
        if item["create"]["status"] == 409:
            held = (await client.get(f"/standin/_doc/{item['create']['_id']}")).json()["_source"]["origin"]
            outcomes[origin] = Outcome.INDEXED if held == origin else Outcome.DUPLICATE
        else:
            assert item["create"]["status"] == 201, item
            outcomes[origin] = Outcome.INDEXED
    return outcomes


async def _consume(settings: Settings, ready_file: Path, die_after: int) -> None:
    assert settings.journal is not None
    ledger = JournalLedger(Journal(settings.journal))
    consumer = AIOKafkaConsumer(
        settings.topics.raw,
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=settings.kafka.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
        max_poll_records=200,
        fetch_max_bytes=20_000_000,
        max_partition_fetch_bytes=20_000_000,
    )
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.05)
    ready_file.write_text(json.dumps({"pid": os.getpid(), "metrics_port": settings.worker.metrics_port}))
    done = 0
    async with httpx.AsyncClient(base_url=settings.search.url, timeout=10, trust_env=False) as client:
        while True:
            records = [record for batch in (await consumer.getmany(timeout_ms=200)).values() for record in batch]
            if not records:
                continue
            bodies = [(dict(record.headers)["bellwether-origin"].decode(), record.value or b"") for record in records]
            done += len(bodies)
            while True:
                since = await ledger.moment()
                outcomes = await _index(client, bodies)
                if die_after and done >= die_after:
                    os.kill(os.getpid(), signal.SIGKILL)
                try:
                    await ledger.finish(outcomes, since)
                    break
                except TransientError:  # the search server died meanwhile
                    continue
            await ledger.watched(outcomes)
            await consumer.commit()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--die-after", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(_consume(load_settings(), given.ready_file, given.die_after))


if __name__ == "__main__":
    main()
