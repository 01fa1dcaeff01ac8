"""What the engine decides, written to a real index, and asked for with `bellwether why`."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import typer
from typer.testing import CliRunner

from streams.alerts.engine import Engine
from streams.alerts.rules.defaults import default_rules
from streams.alerts.sighting import sighting
from streams.commands import why
from streams.documents import EntityMention, Sentiment
from streams.settings import AlertSettings

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
CALM, GRAVE = Sentiment(negative=0.1, neutral=0.8, positive=0.1), Sentiment(negative=0.9, neutral=0.06, positive=0.04)


async def test_the_engine_s_decisions_answer_why(sink, settings, make_document, tmp_path) -> None:
    def written(number: int, minutes: int, sentiment: Sentiment, entity: str):
        return make_document(
            number,
            id=f"{number:032x}",
            source=f"site{number % 9}",
            title=f"Depositors queue {'abcdefghi'[number % 9]}x" if sentiment is GRAVE else f"Ordinary day {'abcdefghi'[number % 9]}x",
            published_at=BEGIN + timedelta(minutes=minutes),
            sentiment=sentiment,
            entities=(EntityMention(id=entity, name=entity.title(), matched=entity),),
            tags=(),
        )

    crisis = 4 * 1440
    documents = [written(n, 30 * n, CALM, "bank") for n in range(190)]
    documents += [written(1000 + n, crisis + 4 * n, GRAVE, "bank") for n in range(30)]
    documents += [written(2000 + n, crisis + 20 * n, GRAVE, "small-bank") for n in range(8)]
    documents.sort(key=lambda document: (document.published_at, document.id))
    result = Engine(default_rules(AlertSettings())).observe([sighting(document) for document in documents])
    assert [(alert.key.value, alert.status.value) for alert in result.alerts] == [("bank", "firing")]
    await sink.index(documents)
    await sink.write_decisions(result.decisions)
    for alert in result.alerts:
        await sink.write_alert(alert)

    def ask(*arguments: str) -> dict[str, object]:
        app = typer.Typer()
        why.register(app)
        options = [
            "-s",
            f"search.url={settings.url}",
            "-s",
            f"search.index_prefix={settings.index_prefix}",
            "--data",
            str(tmp_path),
            "--json",
        ]
        found = CliRunner().invoke(app, ["negative-share", *arguments, *options])
        assert found.exit_code == 0, found.output
        return json.loads(found.output)

    fired = await asyncio.to_thread(ask, "bank")
    assert any("an alert of negative-share about Bank was firing" in sentence for sentence in fired["answer"])
    assert {"fired"} <= {decision["outcome"] for decision in fired["decisions"]}
    (alert,) = fired["alerts"]
    assert "depositors" in {term["term"] for term in alert["terms"]}
    silent = await asyncio.to_thread(ask, "entity:small-bank")
    assert silent["decisions"][0]["outcome"] == "not_unusual"
    assert "It would have needed 5 more documents and a p-value of at most 0.0001." in silent["answer"]
    assert silent["alerts"] == []
