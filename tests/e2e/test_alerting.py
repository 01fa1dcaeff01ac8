"""Alerts as a user has them: a rule file, a receiver, documents, and the commands about them. Real broker and search server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from e2e.harness import Bellwether, children, descendants, until

from streams.alerts.engine import Engine
from streams.alerts.rules.reading import read_rules
from streams.alerts.sighting import sighting
from streams.documents import ScoredDocument
from streams.embedded.journal import Journal
from streams.enrich.enricher import Enricher
from streams.live.receiver import Receiver
from streams.metrics import Metrics
from streams.scoring.noop import NoopScorer
from streams.settings import load_settings
from streams.stages.contract import Delivery
from streams.stages.score import ScoreStage

BANK_RUN = """
  - name: bank-run
    watch: {terms: [bank run, withdraw*, panique bancaire, corrida bancaria]}
    group_by: [entity]
    window: 30m
    hop: 5m
    signal: documents
    detector: {type: threshold, above: 5}
    evidence: {documents: 6, sources: 3}
    cool_down: 6h
    severity: critical
    channels: [ops]
"""
RECALL = """
  - name: recall
    watch: {terms: [recall*]}
    group_by: [entity]
    window: 30m
    hop: 5m
    signal: documents
    detector: {type: threshold, above: 5}
    channels: [ops]
    evidence: {documents: 6}
"""
OPTIONS = ("-s", "scoring.backend=noop", "-s", "enrich.near_duplicates=false", "-s", 'webhook.allow_networks=["127.0.0.0/8"]')
MIDDLE, LATER = 240, 440
"""So many documents come before the worker dies, and before everything does: each time an alert has just been told."""
SOURCES = ("wire.one", "wire.two", "paper.three", "paper.four", "social.five")


class Service:
    """One stack with a rule file and a receiver, and questions about it."""

    def __init__(self, runner: Bellwether, receiver: Receiver) -> None:
        self.runner = runner
        self.receiver = receiver
        self.data = runner.folder / "data"
        self.rules = runner.folder / "rules.yaml"
        self._files = 0

    def write(self, *rules: str) -> None:
        """The rule file, replaced at once as editors do it."""
        channel = f"  ops: {{type: webhook, url: '{self.receiver.url}', secrets: [{self.receiver.secret}]}}\n"
        fresh = self.rules.with_suffix(".new")
        fresh.write_text(f"version: 1\nchannels:\n{channel}rules:\n{''.join(rules)}")
        fresh.replace(self.rules)

    def up(self) -> subprocess.Popen[str]:
        return self.runner.up(self.data, *OPTIONS, "-s", f"alerts.rules={self.rules.name}")

    def feed(self, documents: Sequence[dict[str, str]]) -> None:
        """Put documents in; they are in the index when this returns."""
        self._files += 1
        file = self.runner.folder / f"documents-{self._files}.jsonl"
        file.write_text("".join(json.dumps(document) + "\n" for document in documents))
        self.say("replay", str(file), "--speed", "max")

    def say(self, *arguments: str) -> str:
        """Run a command about this stack; its output."""
        done = self.runner.run(*arguments, "--data", str(self.data))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def metric(self, name: str) -> float:
        """A sample of the worker."""
        port = json.loads((self.data / "stack.json").read_text())["metrics_port"]
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{")))

    def messages(self, rule: str, entity: str) -> dict[str, dict[str, Any]]:
        """Alerts that the receiver has, by webhook-id."""
        found = {name: payload["data"] for name, payload in list(self.receiver.verified.items())}
        return {name: data for name, data in found.items() if data["rule"] == rule and data["key"]["value"] == entity}

    def indexed(self) -> int:
        journal = Journal(self.data / "journal.db")
        try:
            return journal.counts().indexed
        finally:
            journal.close()

    def stored(self) -> set[tuple[str, str]]:
        """Ids and statuses of the alerts in the index."""
        search = json.loads((self.data / "stack.json").read_text())["search"]
        urllib.request.urlopen(urllib.request.Request(f"{search}/opinion-alerts/_refresh", method="POST"), timeout=10).read()
        body = json.dumps({"size": 1000, "query": {"match_all": {}}}).encode()
        request = urllib.request.Request(f"{search}/opinion-alerts/_search", data=body, headers={"content-type": "application/json"})
        hits = json.loads(urllib.request.urlopen(request, timeout=20).read())["hits"]["hits"]
        return {(hit["_source"]["id"], hit["_source"]["status"]) for hit in hits}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running stack. Every test has a company of its own, so that none depends on another."""
    runner = Bellwether(tmp_path_factory.mktemp("alerting"))
    with Receiver() as receiver:
        found = Service(runner, receiver)
        found.write(BANK_RUN)
        found.up()
        yield found
        runner.close()


def incident(bank: str, start: datetime, *, count: int = 16, words: str = "queue to withdraw their savings") -> list[dict[str, str]]:
    """A document a minute, from five sources."""
    return [
        {
            "id": f"{bank}-{start:%d%H%M}-{number}",
            "source": SOURCES[number % len(SOURCES)],
            "title": f"Customers of {bank} {words}, says report {number}",
            "url": f"https://news.example/{number}",
            "published_at": (start + timedelta(minutes=number)).isoformat(),
        }
        for number in range(count)
    ]


def ago(minutes: int) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=minutes)


def test_a_bank_run_is_told_explained_listed_and_sent_again(service: Service) -> None:
    service.feed(incident("Deutsche Bank", ago(25)))
    until(lambda: bool(service.messages("bank-run", "deutsche-bank")), seconds=20)
    alert = next(iter(service.messages("bank-run", "deutsche-bank").values()))
    assert (alert["status"], alert["severity"], alert["key"]["name"]) == ("firing", "critical", "Deutsche Bank")
    assert "Deutsche Bank" in alert["summary"]
    assert all(item["url"].startswith("https://news.example/") for item in alert["evidence"])
    assert all(item["explanation"] is None for item in alert["evidence"]), "there is no model here to ask for words"
    assert service.receiver.refused == 0, "every signature is right"

    answer: dict[str, Any] = {}

    def fired() -> bool:
        answer.update(json.loads(service.say("why", "bank-run", "Deutsche Bank", "--json")))
        return any(decision["outcome"] == "fired" for decision in answer["decisions"])

    until(fired, seconds=15)
    assert answer["key"]["value"] == "deutsche-bank"
    assert "Deutsche Bank" in service.say("why", "bank-run", "deutsche-bank")

    listed = [json.loads(line) for line in service.say("alerts", "list", "--json").splitlines()]
    assert alert["id"] in {item["id"] for item in listed if item["status"] == "firing"}

    before = set(service.messages("bank-run", "deutsche-bank"))
    assert alert["id"] in service.say("alerts", "resend", alert["id"])
    until(lambda: len(set(service.messages("bank-run", "deutsche-bank")) - before) == 1, seconds=15)
    (again,) = set(service.messages("bank-run", "deutsche-bank")) - before
    assert service.messages("bank-run", "deutsche-bank")[again]["id"] == alert["id"]


def test_a_rule_that_is_added_speaks_without_a_restart_and_a_broken_file_takes_nothing_away(service: Service) -> None:
    worker = children(service.data)["worker"]
    loaded, broken = service.metric("bellwether_rules_loaded_total"), service.metric("bellwether_rules_broken_total")
    service.write(BANK_RUN, RECALL)
    until(lambda: service.metric("bellwether_rules_loaded_total") == loaded + 1, seconds=20)
    service.write(BANK_RUN.replace("window: 30m", "window: soon"))
    until(lambda: service.metric("bellwether_rules_broken_total") == broken + 1, seconds=20)
    service.feed(incident("Toyota", ago(25), words="hear of a recall") + incident("Barclays", ago(25)))
    until(lambda: bool(service.messages("recall", "toyota")) and bool(service.messages("bank-run", "barclays")), seconds=20)
    assert service.metric("bellwether_rules_broken_total") == broken + 1, "one fault is counted once, however often it is looked at"
    assert children(service.data)["worker"] == worker


def test_what_is_silenced_is_not_delivered_until_it_is_unsilenced(service: Service) -> None:
    obeyed = service.metric("bellwether_stage_seconds_count")
    id = service.say("alerts", "silence", "entity:commerzbank", "--for", "2h", "--comment", "the press office knows").strip()
    until(lambda: service.metric("bellwether_stage_seconds_count") > obeyed, seconds=15)
    service.feed(incident("Commerzbank", ago(25)))

    def silenced() -> bool:
        answer = json.loads(service.say("why", "bank-run", "commerzbank", "--json"))
        return any(item["outcome"] == "silenced" and "the press office knows" in item["explanation"] for item in answer["decisions"])

    until(silenced, seconds=20)
    assert service.messages("bank-run", "commerzbank") == {}
    kept = json.loads(service.say("alerts", "silences", "--json"))
    assert (kept["id"], kept["matchers"][0]["value"], kept["comment"]) == (id, "commerzbank", "the press office knows")
    assert id in service.say("alerts", "silences")
    service.say("alerts", "unsilence", id)
    until(lambda: bool(service.messages("bank-run", "commerzbank")), seconds=15)
    assert service.say("alerts", "silences", "--json") == ""
    assert next(iter(service.messages("bank-run", "commerzbank").values()))["status"] == "firing"


@pytest.mark.slow
def test_killed_in_the_middle_of_an_incident_the_alerts_are_those_of_a_run_without(bellwether: Bellwether) -> None:
    """The worker, then everything. Text of ten days ago, so that the wall clock has no say."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=10)
    banks = ("Nubank", "UBS", "Barclays", "Deutsche Bank", "Commerzbank")
    documents: list[dict[str, str]] = []
    for hour, bank in enumerate(banks):
        documents += incident(bank, start + timedelta(hours=hour, minutes=10), count=40)
        documents += incident(bank, start + timedelta(hours=hour), count=60, words=f"meet in hall {hour} of the fair")
    documents.sort(key=lambda document: document["published_at"])
    with Receiver() as receiver:
        service = Service(bellwether, receiver)
        service.write(BANK_RUN)
        expected = asyncio.run(_uninterrupted(documents, service.rules))
        assert len({id for id, _ in expected}) == len(banks)
        up = service.up()
        service.feed(documents[:MIDDLE])
        until(lambda: service.metric("bellwether_documents_watched_total") == MIDDLE)
        time.sleep(2)  # the worker tells the broker once a second how far it is: nothing of this comes again
        os.kill(children(service.data)["worker"], signal.SIGKILL)
        service.feed(documents[MIDDLE:LATER])
        family = [psutil.Process(up.pid), *descendants(up)]
        for process in family:
            if process.is_running():
                os.kill(process.pid, signal.SIGKILL)
        up.wait(10)
        service.up()
        service.feed(documents[LATER:])
        until(lambda: service.stored() == expected, seconds=40)
        told = [payload["data"] for payload in receiver.verified.values()]
        assert {item["id"] for item in told} == {id for id, _ in expected}
        assert service.stored() == expected


async def _uninterrupted(documents: Sequence[dict[str, str]], rules: Path) -> set[tuple[str, str]]:
    """Ids and last statuses of the alerts that one engine in this process tells."""
    settings = load_settings(enrich={"near_duplicates": False})
    stage = ScoreStage(Enricher(settings.enrich), NoopScorer(), Metrics())
    found = await stage.process([Delivery(json.dumps(document).encode(), f"o-{place}") for place, document in enumerate(documents)])
    stage.close()
    engine = Engine(read_rules(rules))
    alerts = list(engine.observe([sighting(item) for item in found if isinstance(item, ScoredDocument)]).alerts)
    alerts += engine.advance(engine.next_end).alerts
    return set({alert.id: alert.status.value for alert in alerts}.items())
