"""The score stage with the real enricher and a scorer whose answers are known."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence

import numpy as np
import pytest

from models.calibration.record import Calibration, HeadCalibration, Reliance
from streams.alerts.sighting import sighting
from streams.documents import DeadLetter, ScoredDocument, parse_raw
from streams.enrich.enricher import Enricher
from streams.errors import PermanentError, TransientError
from streams.metrics import Metrics
from streams.scoring.contract import Scorer, Scores
from streams.scoring.noop import NoopScorer
from streams.scoring.reliability import Reliability
from streams.settings import EnrichSettings
from streams.stages import score as module
from streams.stages.contract import Delivery
from streams.stages.delivery import deliver
from streams.stages.score import ScoreStage

Raws = Callable[..., Delivery]
Read = Callable[..., float]
Result = ScoredDocument | DeadLetter

STORY = (
    "The regulator opened an inquiry into the accounts of Northwind Bank on Monday, saying that loans to three shipping companies had "
    "been valued far above what auditors found reasonable, and that the board had been told about it a year ago."
)
COPY = f"{STORY} Reporting by our staff."
OTHERS = [
    "Rain is expected over the hills tomorrow, with strong winds along the coast and snow above a thousand metres.",
    "The museum shows drawings by children from twelve countries until the end of August, and entry is free for all.",
    "Engineers tested a new bridge by driving forty lorries over it at the same time, and it bent by four centimetres.",
    "The champion lost her title on Sunday after a long final, in which she led by two sets and missed three match points.",
]


class HashScorer:
    """Another answer for every text, always the same for the same text. Can be held, and can fail."""

    model_id = "hash-1"
    topics = ("economy", "sport", "weather")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls = 0
        self.faults: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.poison: float | None = None

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def score(self, texts: Sequence[str]) -> Scores:
        self.calls += 1
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.texts.extend(texts)
        assert all(texts), "no empty text reaches a model"
        rows = np.array([list(hashlib.sha256(text.encode()).digest()[:6]) for text in texts], np.float32).reshape(-1, 6) + 1
        sentiment, topic = rows[:, :3], rows[:, 3:]
        if self.poison is not None:
            sentiment[:, 0] = self.poison
            return Scores(sentiment=sentiment, topic=topic, embedding=np.ones((len(texts), 2), np.float32))
        return Scores(
            sentiment=sentiment / sentiment.sum(1, keepdims=True),
            topic=topic / topic.sum(1, keepdims=True),
            embedding=np.ones((len(texts), 2), np.float32),
        )


@pytest.fixture(scope="module")
def enrichers() -> Callable[..., Enricher]:
    """Real enrichers; the language model is loaded once by the library."""
    return lambda **changes: Enricher(EnrichSettings(**changes))


@pytest.fixture
def scorer() -> HashScorer:
    return HashScorer()


@pytest.fixture
async def stage(enrichers: Callable[..., Enricher], scorer: HashScorer, metrics: Metrics) -> AsyncIterator[ScoreStage]:
    made = ScoreStage(enrichers(), scorer, metrics)
    yield made
    made.close()


async def enriched(stage: ScoreStage) -> None:
    """Wait until every batch that was begun is through the enricher, and scores or waits."""
    await asyncio.sleep(0)  # they hand themselves over to its only thread
    await asyncio.get_running_loop().run_in_executor(stage._thread, lambda: None)
    for _ in range(10):
        await asyncio.sleep(0)


def documents(results: Sequence[Result]) -> dict[str, ScoredDocument]:
    return {result.origin: result for result in results if isinstance(result, ScoredDocument)}


def letters(results: Sequence[Result]) -> dict[str, DeadLetter]:
    return {result.origin: result for result in results if isinstance(result, DeadLetter)}


def opinion(document: ScoredDocument) -> tuple[object, object]:
    return document.sentiment, document.topic


async def test_each_delivery_has_one_result(stage: ScoreStage, raw: Raws, scorer: HashScorer) -> None:
    deliveries = [raw(number, text) for number, text in enumerate(OTHERS)]
    deliveries[1] = Delivery(b"\xff\x00not json", "documents.raw-0-1")
    results = await stage.process(deliveries)
    assert {result.origin for result in results} == {delivery.origin for delivery in deliveries}
    assert len(results) == len(deliveries)
    assert len(scorer.texts) == 3


async def test_a_document_carries_what_it_came_with_and_what_was_found(stage: ScoreStage, raw: Raws) -> None:
    delivery = raw(
        3, OTHERS[0], title="Weather &amp; roads", url="https://a.example/w", author="A", tags=["w"], fetched_at="2024-05-01T12:01:00Z"
    )
    document = documents(await stage.process([delivery]))[delivery.origin]
    came = parse_raw(delivery.value)
    assert document.id == came.document_id
    assert (document.source, document.source_id, document.url, document.author) == ("wire", "3", "https://a.example/w", "A")
    assert (document.published_at, document.fetched_at, document.tags) == (came.published_at, came.fetched_at, ("w",))
    assert document.title == "Weather & roads"
    assert document.language.code == "en"
    assert document.model_id == "hash-1"
    assert document.sentiment is not None
    assert document.sentiment.negative + document.sentiment.neutral + document.sentiment.positive == pytest.approx(1, abs=1e-5)
    assert document.topic is not None
    assert document.topic.label == max(
        document.topic.probabilities, key=lambda label: document.topic.probabilities[label] if document.topic else 0
    )
    assert document.timings.received_at <= document.timings.scored_at
    assert ScoredDocument.model_validate_json(document.model_dump_json()) == document


async def test_answers_are_not_mixed_up_between_neighbours(stage: ScoreStage, raw: Raws, enrichers: Callable[..., Enricher]) -> None:
    together = documents(await stage.process([raw(number, text) for number, text in enumerate(OTHERS)]))
    for number, text in enumerate(OTHERS):
        alone = ScoreStage(enrichers(), HashScorer(), Metrics())
        delivery = raw(number, text)
        assert opinion(documents(await alone.process([delivery]))[delivery.origin]) == opinion(together[delivery.origin])
        alone.close()


async def test_dead_letters_carry_the_original_bytes(stage: ScoreStage, raw: Raws, read: Read) -> None:
    bad = {
        "documents.raw-0-1": b"\xff\xfe",
        "documents.raw-0-2": b"",
        "documents.raw-0-3": b" {} ",
        "documents.raw-0-4": b"x" * 2_000_000,
        "documents.raw-0-5": json.dumps({"source": "s", "text": "a\x00", "published_at": "2024-05-01T12:00:00Z"}).encode(),
    }
    found = letters(await stage.process([raw(0, OTHERS[0]), *(Delivery(value, origin) for origin, value in bad.items())]))
    assert {origin: letter.original for origin, letter in found.items()} == bad
    assert {letter.stage for letter in found.values()} == {"score"}
    assert found["documents.raw-0-5"].reason == "document.text.nul"
    assert read("bellwether_documents_received_total") == 6


async def test_a_near_copy_takes_the_originals_score_in_the_same_batch(
    stage: ScoreStage, raw: Raws, scorer: HashScorer, read: Read
) -> None:
    found = documents(await stage.process([raw(1, STORY), raw(2, COPY), raw(3, OTHERS[0])]))
    one, two = found["documents.raw-0-1"], found["documents.raw-0-2"]
    assert two.duplicate_of == one.id
    assert opinion(one) == opinion(two)
    assert len(scorer.texts) == 2, "the copy is not scored"
    assert read("bellwether_near_copies_total") == 1


async def test_a_near_copy_takes_the_originals_score_from_an_earlier_batch(stage: ScoreStage, raw: Raws, scorer: HashScorer) -> None:
    one = documents(await stage.process([raw(1, STORY)]))["documents.raw-0-1"]
    two = documents(await stage.process([raw(2, COPY)]))["documents.raw-0-2"]
    assert two.duplicate_of == one.id
    assert opinion(one) == opinion(two)
    assert len(scorer.texts) == 1


async def test_a_near_copy_waits_for_an_original_that_is_under_way(stage: ScoreStage, raw: Raws, scorer: HashScorer) -> None:
    scorer.gate.clear()
    first = asyncio.create_task(stage.process([raw(1, STORY)]))
    second = asyncio.create_task(stage.process([raw(2, COPY)]))
    await enriched(stage)
    assert not second.done()
    assert scorer.calls == 1
    scorer.gate.set()
    one = documents(await first)["documents.raw-0-1"]
    two = documents(await second)["documents.raw-0-2"]
    assert opinion(one) == opinion(two)
    assert len(scorer.texts) == 1


async def test_a_story_has_one_opinion_also_when_the_first_try_of_its_original_fails(
    stage: ScoreStage, raw: Raws, scorer: HashScorer
) -> None:
    scorer.gate.clear()
    scorer.faults = [TransientError("the model restarts")]
    first = asyncio.create_task(stage.process([raw(1, STORY)]))
    second = asyncio.create_task(stage.process([raw(2, COPY), raw(3, OTHERS[0])]))
    await enriched(stage)
    scorer.gate.set()
    with pytest.raises(TransientError):
        await first
    two = documents(await second)["documents.raw-0-2"]
    one = documents(await stage.process([raw(1, STORY)]))["documents.raw-0-1"]
    assert opinion(one) == opinion(two)
    assert two.duplicate_of == one.id


async def test_a_failed_batch_is_simply_processed_again(stage: ScoreStage, raw: Raws, scorer: HashScorer, metrics: Metrics) -> None:
    scorer.faults = [TransientError("away")] * 3
    results: list[Result] = []

    async def process(deliveries: Sequence[Delivery]) -> None:
        results.extend(await stage.process(deliveries))

    async def bury(delivery: Delivery, error: Exception) -> None:
        raise AssertionError("nothing is wrong with it")

    deliveries = [raw(1, STORY), raw(2, COPY), *(raw(number, text) for number, text in enumerate(OTHERS, 3))]
    await deliver(deliveries, process, bury, stage="score", metrics=metrics)
    assert len(results) == len(deliveries)
    found = documents(results)
    assert opinion(found["documents.raw-0-1"]) == opinion(found["documents.raw-0-2"])
    assert scorer.calls == 4


async def test_a_redelivery_gives_the_same_result(stage: ScoreStage, raw: Raws) -> None:
    deliveries = [raw(1, STORY), raw(2, COPY), raw(3, "👍👍👍"), *(raw(number, text) for number, text in enumerate(OTHERS, 4))]

    def settled(results: Sequence[Result]) -> list[str]:
        return sorted(result.model_dump_json(exclude={"timings"}) for result in results if isinstance(result, ScoredDocument))

    first = settled(await stage.process(deliveries))
    assert settled(await stage.process(deliveries)) == first
    assert settled([result for delivery in reversed(deliveries) for result in await stage.process([delivery])]) == first


@pytest.mark.parametrize("text", [STORY, "👍👍👍", COPY])
async def test_one_document_twice_in_a_batch_has_a_result_for_each_delivery(
    stage: ScoreStage, raw: Raws, scorer: HashScorer, text: str
) -> None:
    again = raw(1, text)
    found = documents(await stage.process([again, Delivery(again.value, "documents.raw-0-2")]))
    assert set(found) == {"documents.raw-0-1", "documents.raw-0-2"}
    one, two = found.values()
    assert one.id == two.id
    assert opinion(one) == opinion(two)
    assert len(scorer.texts) <= 1


async def test_copies_of_a_story_from_before_a_restart_share_one_opinion_also_twice_in_a_batch(
    enrichers: Callable[..., Enricher], scorer: HashScorer, metrics: Metrics, raw: Raws
) -> None:
    enricher = enrichers()
    enricher.remember("f" * 32, "", STORY)
    stage = ScoreStage(enricher, scorer, metrics)
    copy = raw(1, COPY)
    found = documents(await stage.process([copy, Delivery(copy.value, "documents.raw-0-9"), raw(2, f"{STORY} More follows.")]))
    stage.close()
    assert {document.duplicate_of for document in found.values()} == {"f" * 32}
    assert len({str(opinion(document)) for document in found.values()}) == 1
    assert len(scorer.texts) == 1


async def test_opinions_are_forgotten_when_there_are_too_many(
    stage: ScoreStage, raw: Raws, scorer: HashScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_SCORES", 2)
    await stage.process([raw(1, STORY), *(raw(number, text) for number, text in enumerate(OTHERS, 2))])
    assert len(stage._opinions) == 2
    found = documents(await stage.process([raw(9, COPY)]))["documents.raw-0-9"]
    assert found.duplicate_of is not None
    assert found.sentiment is not None, "scored by itself"


async def test_a_document_without_words_is_not_scored_and_says_why(stage: ScoreStage, raw: Raws, scorer: HashScorer, read: Read) -> None:
    document = documents(await stage.process([raw(1, "👍👍👍 https://a.example 123")]))["documents.raw-0-1"]
    assert document.sentiment is None
    assert document.topic is None
    assert document.unscored is not None
    assert document.unscored.reason == "text.no_words"
    assert scorer.calls == 0, "nobody is asked about nothing"
    assert read("bellwether_documents_sentiment_total", label="unscored") == 1


async def test_filtered_languages_become_letters_of_their_own_kind(enrichers: Callable[..., Enricher], metrics: Metrics, raw: Raws) -> None:
    stage = ScoreStage(enrichers(languages=("de",)), HashScorer(), metrics)
    german = raw(2, "Die Bank hat am Montag ihre Zahlen für das vergangene Jahr vorgelegt und den Gewinn verdoppelt.", language_hint="de")
    results = await stage.process([raw(1, STORY), german])
    stage.close()
    assert letters(results)["documents.raw-0-1"].reason.startswith("filtered.")
    assert letters(results)["documents.raw-0-1"].original == raw(1, STORY).value
    assert set(documents(results)) == {"documents.raw-0-2"}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
async def test_numbers_that_are_none_are_never_passed_off_as_an_opinion(
    stage: ScoreStage, raw: Raws, scorer: HashScorer, value: float
) -> None:
    scorer.poison = value
    with pytest.raises(PermanentError) as caught:
        await stage.process([raw(1, STORY)])
    assert caught.value.reason == "score.not_finite"
    scorer.poison = None
    assert documents(await stage.process([raw(1, STORY)]))


async def test_cancelling_a_batch_that_waits_does_not_hurt_the_one_it_waits_for(stage: ScoreStage, raw: Raws, scorer: HashScorer) -> None:
    scorer.gate.clear()
    first = asyncio.create_task(stage.process([raw(1, STORY)]))
    second = asyncio.create_task(stage.process([raw(2, COPY)]))
    await enriched(stage)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    scorer.gate.set()
    assert documents(await first)


async def test_cancelling_the_original_lets_its_copies_go_on(stage: ScoreStage, raw: Raws, scorer: HashScorer) -> None:
    scorer.gate.clear()
    first = asyncio.create_task(stage.process([raw(1, STORY)]))
    second = asyncio.create_task(stage.process([raw(2, COPY)]))
    await enriched(stage)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    scorer.gate.set()
    assert documents(await asyncio.wait_for(second, 60))


async def test_the_model_free_scorer_serves_as_well(enrichers: Callable[..., Enricher], metrics: Metrics, raw: Raws) -> None:
    scorer: Scorer = NoopScorer()
    stage = ScoreStage(enrichers(), scorer, metrics)
    found = documents(await stage.process([raw(number, text) for number, text in enumerate(OTHERS)]))
    stage.close()
    assert {document.model_id for document in found.values()} == {"noop"}
    assert {document.sentiment.label.value for document in found.values() if document.sentiment} == {"neutral"}


async def test_an_empty_batch_has_no_results(stage: ScoreStage) -> None:
    assert await stage.process([]) == []


def relied(threshold: float) -> Reliability:
    """A model that is vouched for in English from `threshold` on, for sentiment alone."""
    tone = HeadCalibration(0.35, 1.0, {}, {"en": Reliance(200, "language", threshold, 0.8, 0.2, vouched=True)})
    return Reliability(Calibration(HashScorer.model_id, 0.9, 0.5, {"sentiment": tone}), "confidence")


async def test_an_unsure_answer_is_marked_and_kept_but_not_given(
    enrichers: Callable[..., Enricher], scorer: HashScorer, metrics: Metrics, raw: Raws, read: Read
) -> None:
    free = ScoreStage(enrichers(), scorer, Metrics())
    strict = ScoreStage(enrichers(), scorer, metrics, relied(1.0))
    deliveries = [raw(1, STORY), raw(2, COPY)]
    before = documents(await free.process(deliveries))
    after = documents(await strict.process(deliveries))
    free.close()
    strict.close()
    assert len(after) == len(deliveries), "withheld is not lost"
    for origin, document in after.items():
        said = before[origin].sentiment
        assert said is not None
        assert document.sentiment is None
        assert document.unscored is not None
        assert document.unscored.reason == "confidence.low"
        (kept,) = document.abstained
        assert kept.head == "sentiment"
        assert kept.probabilities["negative"] == pytest.approx(said.negative, abs=1e-3)
        assert document.topic == before[origin].topic, "the topic was not in doubt"
        assert ScoredDocument.model_validate_json(document.model_dump_json()) == document
        seen = sighting(document)
        assert (seen.scored, seen.negative, seen.score) == (False, False, 0.0), "it has no vote"
    assert read("bellwether_documents_sentiment_total", label="unscored") == 2


async def test_a_language_that_is_not_vouched_for_goes_on_unscored(
    enrichers: Callable[..., Enricher], scorer: HashScorer, metrics: Metrics, raw: Raws
) -> None:
    stage = ScoreStage(enrichers(), scorer, metrics, relied(0.0))
    german = raw(1, "Die Aktie der Bank fiel am Montag nach dem Bericht um zwölf Prozent.", language_hint="de")
    english = raw(2, OTHERS[0])
    found = documents(await stage.process([german, english]))
    stage.close()
    assert found[english.origin].unscored is None
    unscored = found[german.origin].unscored
    assert unscored is not None
    assert (unscored.reason, unscored.detail) == ("language.not_vouched", "sentiment in de: no text of all classes to measure it on")
