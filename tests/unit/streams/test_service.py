"""The parts of a worker: built from the settings, opened once the servers are there, closed in any state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from bag_cascade import SURE, write_cascade
from bag_model import write_model

from streams import patience
from streams.alerts.life.commands import Silence, SilenceMatcher
from streams.documents import ScoredDocument
from streams.embedded.journal import JournalLedger, JournalStateStore
from streams.errors import BellwetherError, SettingsError, TransientError
from streams.ledger import KafkaLedger
from streams.service import Service
from streams.settings import Settings, load_settings
from streams.stages.contract import Delivery, Record
from streams.stages.notify import SETTLE_SECONDS


class Producer:
    async def send(self, records: Sequence[Record]) -> None:
        raise AssertionError("nothing is sent here")


class Sink:
    """A search server that is away for some questions."""

    def __init__(self, faults: Iterable[Exception] = (), recent: Exception | None = None) -> None:
        self.faults = list(faults)
        self.opened = self.closed = 0
        self._recent = recent

    @property
    def capabilities(self) -> Any:
        return type("Found", (), {"product": "Elasticsearch", "version": "8"})

    async def open(self) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.opened += 1

    async def recent(self, limit: int) -> list[tuple[str, str, str]]:
        if self._recent is not None:
            raise self._recent
        return [
            ("0" * 32, "Storm closes the tunnel", "A storm has closed the tunnel between the two coasts until Monday, says the operator.")
        ]

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(patience, "WAIT_INITIAL", 0.01)
    monkeypatch.setattr(patience, "WAIT_MAX", 0.02)


def _settings(*agents: str, journal: Path | None = None, **changes: Any) -> Settings:
    return load_settings(scoring={"backend": "noop"}, worker={"agents": agents} if agents else {}, journal=journal, **changes)


def _service(settings: Settings, sink: Sink | None = None) -> Service:
    service = Service(settings, Producer())
    if sink is not None:
        service.sink = sink  # type: ignore[assignment]
    return service


@pytest.mark.parametrize("agents", [("score",), ("index",), ("watch", "notify"), ("score", "index")])
async def test_only_what_the_agents_need_is_built(agents: tuple[str, ...]) -> None:
    service = _service(_settings(*agents))
    built = {name for name in ("score", "index", "watch", "notify") if getattr(service, name) is not None}
    assert built == set(agents)
    assert (service.control is not None) == ("watch" in agents)
    assert service.rules is None, "there is no rule file"
    await service.close()


@pytest.mark.parametrize("backend", ["onnx", "noop"])
async def test_a_cascade_is_opened_for_the_model_that_scores_or_refused_at_the_start(tmp_path: Path, backend: str) -> None:
    bag = write_model(tmp_path / "bag")
    write_cascade(bag)
    scoring = {"backend": backend, "model": bag.root, "cascade": "on", "threads": 1}
    service = _service(load_settings(scoring=scoring, worker={"agents": ["score"]}), Sink())
    try:
        if backend == "noop":
            with pytest.raises(BellwetherError, match=r"fitted to bag/.* but noop scores"):
                await service.open()
        else:
            await service.open()
            assert service.score is not None
            text = {"source": "wire", "text": SURE, "published_at": "2026-05-01T12:00:00Z", "language_hint": "en"}
            (document,) = await service.score.process([Delivery(json.dumps(text).encode(), "documents.raw-0-1")])
            assert isinstance(document, ScoredDocument)
            assert document.model_stage == "static"
    finally:
        await service.close()


RULES = """
version: 1
channels: {ops: {type: webhook, url: "https://ops.example/", secrets: ["env:OPS_SECRET"]}}
rules: [{name: volume, signal: documents, detector: {type: threshold, above: 8}, channels: [ops]}]
"""


async def test_a_rule_file_is_read_with_its_channels_and_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPS_SECRET", "whsec_" + "A" * 32)
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    service = _service(_settings(journal=tmp_path / "journal.db", alerts={"rules": file}))
    assert service.rules is not None
    assert service.watch is not None
    file.write_text(RULES.replace("above: 8", "above: 80"))
    await service.rules.poll()
    assert service.metrics.registry.get_sample_value("bellwether_rules_loaded_total") == 1
    await service.close()
    scoring_only = _service(_settings("score", "index", alerts={"rules": file}))
    assert scoring_only.rules is None
    await scoring_only.close()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("rules: [{name: x, window: soon}]", "window"), (RULES, "OPS_SECRET")],
    ids=["a broken file", "a channel without its secret"],
)
async def test_a_rule_file_that_cannot_be_used_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    monkeypatch.delenv("OPS_SECRET", raising=False)
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=complaint):
        _service(_settings(alerts={"rules": file}))


async def test_a_silence_of_the_control_topic_reaches_the_state(tmp_path: Path) -> None:
    service = _service(_settings(journal=tmp_path / "journal.db"), Sink())
    await service.open()
    assert service.control is not None
    start = datetime(2026, 3, 1, tzinfo=UTC)
    said = Silence(id="s1", matchers=(SilenceMatcher(value="bank"),), starts_at=start, ends_at=start + timedelta(hours=4))
    [letter] = await service.control.process([Delivery(said.model_dump_json().encode(), "c-0-0"), Delivery(b"?", "c-0-1")])
    assert letter.reason == "control.unreadable"
    assert any(name.startswith("desk|") and b"s1" in value for name, value in (await service._store.load()).items())
    await service.close()


async def test_the_journal_keeps_outcomes_and_state_in_the_embedded_mode(tmp_path: Path) -> None:
    embedded = _service(_settings(journal=tmp_path / "journal.db"))
    assert isinstance(embedded.ledger, JournalLedger)
    assert isinstance(embedded._store, JournalStateStore)
    assert embedded.notify is not None
    assert embedded.notify._settle == SETTLE_SECONDS
    await embedded.close()
    other = _service(_settings())
    assert isinstance(other.ledger, KafkaLedger)
    assert other.notify is not None
    assert other.notify._settle is None
    await other.close()


async def test_a_search_server_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    sink = Sink([TransientError("away")] * 3)
    service = _service(_settings(journal=tmp_path / "journal.db"), sink)
    with structlog.testing.capture_logs() as logs:
        await service.open()
    assert sink.opened == 1
    assert [entry["event"] for entry in logs].count("waiting for it to come back") == 3
    assert logs[-1]["event"] == "ready"
    assert service.metrics.registry.get_sample_value("bellwether_retries_total", {"stage": "search", "error": "TransientError"}) == 3
    await service.close()
    await service.close()
    assert sink.closed == 1


async def test_near_copies_of_documents_from_before_the_start_are_recognised(tmp_path: Path) -> None:
    from streams.documents import RawDocument
    from streams.enrich.enricher import Arrival, Enriched

    service = _service(_settings(journal=tmp_path / "journal.db"), Sink())
    await service.open()
    raw = RawDocument.model_validate(
        {
            "source": "wire",
            "id": "copy",
            "title": "Storm closes the tunnel",
            "text": "A storm has closed the tunnel between the two coasts until Monday, says the operator.",
            "published_at": "2026-03-01T12:00:00Z",
        }
    )
    [found] = service._enricher.enrich([Arrival(raw=raw, origin="o")])
    assert isinstance(found, Enriched)
    assert found.duplicate_of == "0" * 32
    await service.close()


async def test_a_server_that_fails_at_the_warm_up_does_not_keep_from_starting(tmp_path: Path) -> None:
    service = _service(_settings(journal=tmp_path / "journal.db"), Sink(recent=TransientError("busy")))
    with structlog.testing.capture_logs() as logs:
        await service.open()
    assert any("near-copies" in entry["event"] for entry in logs)
    await service.close()


async def test_a_service_that_was_never_opened_or_half_opened_closes(tmp_path: Path) -> None:
    sink = Sink([TransientError("away")] * 10_000)
    service = _service(_settings(journal=tmp_path / "journal.db"), sink)
    opening = asyncio.create_task(service.open())
    await asyncio.sleep(0.1)
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    await service.close()
    assert sink.closed == 1
    await _service(_settings()).close()


async def test_an_alert_that_no_receiver_has_had_yet_survives_restarts_beside_the_state_of_the_engine(tmp_path: Path) -> None:
    """Two owners of one store: neither takes the other's entries for something old."""
    from streams.delivery.outbox import DELIVERY_STATE, Outbox

    settings = _settings("watch", "notify", journal=tmp_path / "journal.db")
    outbox = Outbox()
    outbox.switch_off("ops", "digest", 1.0)
    first = _service(settings, Sink())
    await first._store.save({**outbox.changes(), "former|entry": b"1"})
    await first.close()
    for _ in range(2):
        service = _service(settings, Sink())
        await service.open()
        assert service.watch is not None
        await service.watch.flush()
        await service.close()
    again = _service(settings)
    left = await again._store.load()
    assert f"{DELIVERY_STATE}-off|ops" in left
    assert "former|entry" not in left
    await again._store.close()


@pytest.mark.parametrize(
    ("backend", "count", "agents", "explains"),
    [
        ("onnx", 3, ("score", "watch", "notify"), True),
        ("triton", 3, ("watch", "notify"), True),
        ("auto", 1, ("watch", "notify"), True),
        ("noop", 3, ("watch", "notify"), False),
        ("onnx", 0, ("watch", "notify"), False),
        ("onnx", 3, ("score", "index"), False),
    ],
)
def test_alerts_are_explained_where_there_is_a_model_to_ask(backend: str, count: int, agents: tuple[str, ...], explains: bool) -> None:
    settings = load_settings(scoring={"backend": backend}, worker={"agents": agents}, alerts={"explain": count})
    assert (_service(settings)._explain is not None) is explains


async def test_what_explains_borrows_the_model_that_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    service = _service(load_settings(scoring={"backend": "onnx"}, worker={"agents": ("score", "watch", "notify")}), Sink())
    await service._scorer.open()
    explainer = service._explainer()
    monkeypatch.setattr("streams.scoring.resident.load_artifact", None)
    await explainer.open()
    assert explainer.speaks_for(service._scorer.model_id)
    await explainer.close()
    await service._scorer.close()
