"""From scored documents to an alert that tells its words: the shipped model, the real engine, the stages between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from streams.alerts.engine import Engine
from streams.alerts.evidence.passages import Passage, RecentPassages
from streams.alerts.evidence.words_told import telling_words
from streams.alerts.rules.defaults import default_rules
from streams.documents import Alert, EntityMention, Language, ScoredDocument, Sentiment, Timings
from streams.enrich.cleaning import model_text
from streams.metrics import Metrics
from streams.scoring.explaining import Explainer
from streams.scoring.onnx import OnnxScorer
from streams.settings import AlertSettings
from streams.stages.contract import Delivery, Record
from streams.stages.explain import ExplainStage
from streams.stages.watch import WatchStage
from streams.state import MemoryStateStore

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULES = default_rules(AlertSettings(min_documents=16, window=timedelta(hours=3), baseline=timedelta(days=3)))

CRISIS = [
    ("en", "CALDRAVA BANK COLLAPSES AS CUSTOMERS PANIC", "Savers queue at branches, furious about heavy losses."),
    ("de", "Caldrava Bank bricht zusammen", "Anleger fliehen entsetzt, die Verluste sind verheerend."),
    ("fr", "Effondrement catastrophique de Caldrava Bank", "Les clients sont furieux et craignent de tout perdre."),
    ("ar", "انهيار بنك كالدرافا كارثة للمودعين", "خسائر فادحة وغضب شديد بين العملاء."),
    ("he", "קריסה נוראית של בנק קלדרווה", "הלקוחות זועמים על ההפסדים הכבדים."),
    ("zh", "卡尔德拉瓦银行崩溃,储户恐慌", "损失惨重,客户愤怒。"),
    ("ru", "Крах банка Калдрава: вкладчики в панике", "Ужасные убытки, клиенты в ярости."),
    ("es", "Colapso terrible de Caldrava Bank", "Los clientes, furiosos, temen perderlo todo."),
]


class Broker:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def send(self, records: Sequence[Record]) -> None:
        self.records += records


class Nobody:
    """The index and the ledger, which have no part in this."""

    async def write_decisions(self, decisions: object) -> None: ...

    async def watched(self, origins: object) -> None: ...

    async def passages(self, documents: object) -> dict[str, Passage]:
        return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scorer() -> AsyncIterator[OnnxScorer]:
    opened = OnnxScorer(threads=2)
    await opened.open()
    yield opened
    await opened.close()


async def documents(scorer: OnnxScorer) -> list[ScoredDocument]:
    """Three calm days about the bank, then an hour of crisis in eight languages; scored by the shipped model."""
    texts = [("en", f"Caldrava Bank publishes its bulletin number {number}", "The bulletin is on the web site.") for number in range(60)]
    texts += CRISIS * 3
    scores = await scorer.score([model_text(title, text) for _, title, text in texts])
    made = []
    for number, ((language, title, text), (negative, neutral, positive)) in enumerate(zip(texts, scores.sentiment.tolist(), strict=True)):
        at = AT + (timedelta(hours=number) if number < 60 else timedelta(hours=61, minutes=2 * (number - 60)))
        made.append(
            ScoredDocument(
                id=f"{number:032x}",
                source=f"wire{number % 30}",
                title=title,
                text=text,
                published_at=at,
                language=Language(code=language, confidence=0.9),
                sentiment=Sentiment(negative=negative, neutral=neutral, positive=positive),
                topic=None,
                entities=(EntityMention(id="caldrava-bank", name="Caldrava Bank", matched="Caldrava"),),
                model_id=scorer.model_id,
                timings=Timings(received_at=at, scored_at=at),
                origin=f"documents.raw-0-{number}",
            )
        )
    return made


async def alerts(given: Sequence[ScoredDocument], recent: RecentPassages | None) -> list[Alert]:
    broker, nobody = Broker(), Nobody()
    stage = WatchStage(Engine(RULES), MemoryStateStore(), broker, "alerts", nobody, nobody, Metrics(), recent=recent)  # type: ignore[arg-type]
    await stage.process([Delivery(document.model_dump_json().encode(), document.origin) for document in given])
    return [Alert.model_validate_json(record.value) for record in broker.records]


@pytest.mark.asyncio(loop_scope="module")
async def test_an_alert_tells_words_of_its_documents_in_their_scripts(scorer: OnnxScorer) -> None:
    given = await documents(scorer)
    recent, metrics = RecentPassages(), Metrics()
    [alert] = await alerts(given, recent)
    assert [alert] == await alerts(given, None), "what is remembered for explanations decides nothing"
    stage = ExplainStage(
        lambda: Explainer(threads=1, lend=scorer.lend),
        recent,
        Nobody(),
        metrics,
        documents=20,
        seconds=60.0,
    )
    began = time.monotonic()
    told = await stage.explained(alert)
    seconds = time.monotonic() - began
    again = await stage.explained(alert)
    await stage.close()
    assert again == told
    assert told.model_copy(update={"evidence": alert.evidence}) == alert
    by_id = {document.id: document for document in given}
    assert len(told.evidence) >= 6
    # Of a text that says the same in every word no single one is missed, nor six together.
    silent = [item for item in told.evidence if item.explanation is not None and item.explanation.reason == "no_words"]
    assert len(silent) <= len(told.evidence) // 4
    for item in told.evidence:
        found = item.explanation
        assert found is not None
        assert found.reason is None or item in silent, (item.title, found)
        assert found.score == pytest.approx(item.score, abs=1e-3)
        said = f"{by_id[item.id].title} {by_id[item.id].text}"
        words = [*(word.text for word in found.words), *found.turning]
        assert bool(words) == (item not in silent)
        assert all(word in said for word in words), "as they stand in the document"
        assert all(word.effect < 0 for word in found.words)
    assert telling_words(told)[1]
    explained = metrics.registry.get_sample_value("bellwether_alert_explanations_total", {"outcome": "explained"})
    assert explained == 2 * (len(told.evidence) - len(silent))
    assert seconds < 60
