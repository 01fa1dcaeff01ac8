"""The explain stage on a small real model: words where they can be had in time, a reason where not, and never another alert."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bag_model import write_model

from models.explanation.occlusion import Explanation as Occlusion
from streams.alerts.evidence.passages import Passage, RecentPassages
from streams.alerts.life.grouping import RECORDED
from streams.documents import Alert, AlertStatus, Evidence, Explanation, Key, Observation, ScoredDocument, Unscored
from streams.errors import TransientError
from streams.metrics import Metrics
from streams.scoring.explaining import Explainer
from streams.stages.explain import ALLOWED_SHARE, ExplainStage

Documents = Callable[..., ScoredDocument]
Read = Callable[..., float]

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
MODEL = "bag/1.0+00000000"
CRASH = "bank market crash today"


def item(number: int, score: float = -0.9) -> Evidence:
    return Evidence(id=f"{number:032x}", title="", url=None, source="wire", language="en", published_at=AT, score=score)


def alert(*evidence: Evidence, **changes: object) -> Alert:
    fields: dict[str, object] = {
        "id": "a1",
        "fingerprint": "f" * 16,
        "rule": "negative-share",
        "status": AlertStatus.FIRING,
        "severity": "critical",
        "key": Key(kind="entity", value="bank", name="Bank"),
        "starts_at": AT,
        "observed": Observation(start=AT - timedelta(hours=3), end=AT, documents=20, negative=15, share=0.75),
        "baseline": None,
        "p_value": 1e-9,
        "evidence": evidence,
        "languages": {"en": 3},
        "sources": {"wire": 3},
        "summary": "75 % negative",
        "reason": "fired",
    }
    return Alert.model_validate(fields | changes)


class Index:
    """The index of documents: what is in it, and whether it answers."""

    def __init__(self) -> None:
        self.held: dict[str, Passage] = {}
        self.fault: Exception | None = None
        self.asked: list[str] = []

    async def passages(self, documents: Sequence[tuple[str, datetime]]) -> dict[str, Passage]:
        self.asked += [id for id, _ in documents]
        if self.fault is not None:
            raise self.fault
        return {id: self.held[id] for id, _ in documents if id in self.held}


class Gated(Explainer):
    """The real explainer, which waits until it may go on, and can be made to fail."""

    def __init__(self, model: Path | None) -> None:
        super().__init__(model, threads=1)
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.before: Callable[[str, str], None] | None = None
        self.calls: list[str] = []

    async def explain_read(self, title: str, text: str, *, target: str = "sentiment") -> Occlusion:
        self.calls.append(text)
        await self.gate.wait()
        if self.before is not None:
            self.before(title, text)
        if self.fault is not None:
            raise self.fault
        return await super().explain_read(title, text, target=target)


class Bench:
    """A stage with its surroundings."""

    def __init__(self, model: Path, metrics: Metrics) -> None:
        self.explainer = Gated(model)
        self.built = 0
        self.recent = RecentPassages()
        self.index = Index()
        self.metrics = metrics
        self.now: float | None = None
        self.stage = self.make()

    def make(self, *, documents: int = 3, seconds: float = 20.0) -> ExplainStage:
        def build() -> Explainer:
            self.built += 1
            return self.explainer

        self.stage = ExplainStage(
            build,
            self.recent,
            self.index,
            self.metrics,
            documents=documents,
            seconds=seconds,
            clock=lambda: time.monotonic() if self.now is None else self.now,
        )
        return self.stage

    def hold(self, number: int, text: str = CRASH, **changes: object) -> None:
        fields = {"title": "", "text": text, "model_id": MODEL, "scored": True}
        self.index.held[item(number).id] = Passage(**(fields | changes))  # type: ignore[arg-type]

    async def told(self, *evidence: Evidence, **changes: object) -> list[Explanation | None]:
        given = alert(*evidence, **changes)
        found = await self.stage.explained(given)
        bare = tuple(one.model_copy(update={"explanation": None}) for one in found.evidence)
        assert found.model_copy(update={"evidence": bare}) == given, "nothing but the explanations is touched"
        return [one.explanation for one in found.evidence]

    async def reasons(self, *evidence: Evidence, **changes: object) -> list[str | None]:
        return [one.reason if one is not None else "-" for one in await self.told(*evidence, **changes)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_model(tmp_path_factory.mktemp("bag") / "model").root
    # Its tokenizer adds nothing of its own to a text: with a word before it, a text without its words is still one.
    config = json.loads((root / "config.json").read_text())
    (root / "config.json").write_text(json.dumps(config | {"prefix": "now "}))
    return root


@pytest.fixture
async def bench(model: Path, metrics: Metrics) -> AsyncIterator[Bench]:
    made = Bench(model, metrics)
    yield made
    made.explainer.gate.set()
    await made.stage.close()


async def test_the_first_documents_carry_the_words_that_moved_them(bench: Bench, scored: Documents, read: Read) -> None:
    texts = {1: CRASH, 2: "MEETING TODAY CRASH MARKET", 3: "today report", 4: CRASH}
    for number, text in texts.items():
        bench.recent.remember(scored(number, title="", text=text, model_id=MODEL))
    crash, capitals, calm, fourth = await bench.told(*(item(number) for number in (1, 2)), item(3, score=0.1), item(4))
    assert crash is not None
    assert capitals is not None
    assert calm is not None
    assert [word.text for word in crash.words] == ["crash"]
    assert crash.words[0].effect < -0.4
    assert crash.score is not None
    assert crash.score < -0.7
    assert (crash.model_id, crash.reason, crash.turning) == (MODEL, None, ())
    assert [word.text for word in capitals.words] == ["CRASH"], "as it stands in the document"
    assert calm.reason == "other_answer", "the model itself stands on the other side"
    assert fourth is None, "only the first three are explained"
    assert bench.index.asked == []
    assert read("bellwether_alert_explanations_total", outcome="explained") == 2
    assert read("bellwether_alert_explanations_total", outcome="other_answer") == 1
    assert read("bellwether_alert_explanation_seconds_count") == 1


async def test_words_that_raised_the_score_are_told_of_good_news(bench: Bench) -> None:
    bench.hold(1, "bank profit again today")
    [found] = await bench.told(item(1, score=0.8))
    assert found is not None
    assert [word.text for word in found.words] == ["profit"]
    assert found.words[0].effect > 0.4
    assert (found.turning, found.turned) == (("profit",), "negative")


async def test_what_is_no_longer_remembered_is_read_from_the_index(bench: Bench) -> None:
    bench.hold(1)
    assert await bench.reasons(item(1), item(2)) == [None, "no_text"]
    assert bench.index.asked == [item(1).id, item(2).id]
    bench.hold(2)
    assert await bench.reasons(item(1), item(2)) == [None, None], "it has come meanwhile"
    assert bench.index.asked == [item(1).id, item(2).id, item(2).id]


async def test_a_document_without_a_score_has_no_words(bench: Bench, scored: Documents) -> None:
    bench.recent.remember(scored(1, sentiment=None, topic=None, unscored=Unscored(reason="confidence.low"), model_id=MODEL))
    bench.hold(2, scored=False)
    assert await bench.reasons(item(1), item(2)) == ["unscored"] * 2
    assert bench.built == 0, "no model is loaded for nothing"


async def test_the_words_of_another_model_are_not_told(bench: Bench) -> None:
    for number, model_id in enumerate(["bag/1.1+00000000", "bag/1.0+11111111", "bag/1.0-fp16+22222222", MODEL, "noop"]):
        bench.hold(number, model_id=model_id)
    bench.make(documents=5)
    assert await bench.reasons(*map(item, range(5))) == ["other_model", "other_model", None, None, "other_model"]


async def test_an_index_that_is_away_holds_no_alert_up(bench: Bench) -> None:
    bench.index.fault = TransientError("away")
    assert await bench.reasons(item(1)) == ["no_text"]
    bench.index.fault = None
    bench.hold(1)
    assert await bench.reasons(item(1)) == [None]


async def test_a_missing_model_holds_no_alert_up_and_is_not_asked_for_again(bench: Bench, tmp_path: Path) -> None:
    bench.explainer = Gated(tmp_path / "none")
    bench.hold(1)
    assert await bench.reasons(item(1)) == ["no_model"]
    assert await bench.reasons(item(1)) == ["no_model"]
    assert bench.built == 1


async def test_a_text_that_the_model_fails_on_is_not_given_to_it_again(bench: Bench) -> None:
    bench.explainer.fault = RuntimeError("a fault that nobody foresaw")
    for number in (1, 2):
        bench.hold(number)
    assert await bench.reasons(item(1)) == ["failed"]
    bench.explainer.fault = None
    assert await bench.reasons(item(1), item(2)) == ["failed", None]
    assert len(bench.explainer.calls) == 2


async def test_a_slow_model_holds_an_alert_up_no_longer_than_the_limit_and_is_not_asked_twice(bench: Bench, read: Read) -> None:
    bench.make(seconds=0.3)
    for number in (1, 2):
        bench.hold(number)
    bench.explainer.gate.clear()
    began = time.monotonic()
    assert await bench.reasons(item(1), item(2)) == ["too_slow", "busy"]
    assert 0.25 < time.monotonic() - began < 30, "the model is at it for ever"
    assert await bench.reasons(item(2)) == ["busy"], "the next alert does not wait for what this one asked"
    assert read("bellwether_alert_explanations_total", outcome="too_slow") == 1
    assert read("bellwether_alert_explanations_total", outcome="busy") == 2
    bench.explainer.gate.set()
    async with asyncio.timeout(20):
        while await bench.reasons(item(1), status=AlertStatus.RESOLVED) != [None]:
            await asyncio.sleep(0.01)
    assert len(bench.explainer.calls) == 1, "what was begun is there for the amendment"


async def test_a_storm_of_alerts_is_told_without_words_and_time_brings_them_back(bench: Bench) -> None:
    bench.now = 0.0
    bench.make(seconds=4.0)
    for number in range(4):
        bench.hold(number)

    def slow(title: str, text: str) -> None:
        assert bench.now is not None
        bench.now += 3.9

    bench.explainer.before = slow
    assert await bench.reasons(item(0)) == [None]
    assert await bench.reasons(item(1)) == ["busy"], "the allowance is spent"
    assert await bench.reasons(item(0)) == [None], "what is known costs nothing"
    bench.now += 0.5 / ALLOWED_SHARE
    assert await bench.reasons(item(1)) == [None]
    assert await bench.reasons(item(2), item(3)) == ["busy", "busy"]


async def test_words_that_came_too_late_for_the_alert_are_had_afterwards_once(bench: Bench) -> None:
    bench.make(seconds=0.2)
    for number in (1, 2):
        bench.hold(number)
    bench.hold(3, scored=False)
    bench.explainer.gate.clear()
    told = await bench.stage.explained(alert(item(3), item(1), item(2), item(4)))
    assert [one.explanation and one.explanation.reason for one in told.evidence] == ["unscored", "too_slow", "busy", None]
    late = asyncio.create_task(bench.stage.completed(told))
    await asyncio.sleep(0.05)
    assert await bench.stage.completed(told) is None, "one at a time"
    bench.explainer.gate.set()
    whole = await late
    assert whole is not None
    assert [one.explanation and one.explanation.reason for one in whole.evidence] == ["unscored", None, None, None]
    assert [word.text for one in whole.evidence[1:3] if one.explanation for word in one.explanation.words] == ["crash", "crash"]
    assert whole.model_copy(update={"evidence": told.evidence}) == told
    assert len(bench.explainer.calls) == 2
    assert await bench.stage.completed(whole) is None, "nothing is missing"


async def test_an_amendment_asks_only_for_documents_that_are_new(bench: Bench) -> None:
    for number in (1, 2):
        bench.hold(number)
    first = await bench.told(item(1))
    second = await bench.told(item(1), item(2), revision=1, reason="amended")
    assert second[0] == first[0]
    assert second[1] is not None
    assert len(bench.explainer.calls) == 2


@pytest.mark.parametrize(("changes"), [{"status": AlertStatus.RESOLVED, "ends_at": AT}, {"reason": RECORDED}])
async def test_an_end_and_what_only_the_index_hears_of_are_told_with_what_is_known(bench: Bench, changes: dict[str, object]) -> None:
    for number in (1, 2):
        bench.hold(number)
    assert await bench.reasons(item(1)) == [None]
    assert await bench.reasons(item(1), item(2), **changes) == [None, "-"]
    assert len(bench.explainer.calls) == 1


async def test_an_alert_that_is_sent_again_stays_as_it_is(bench: Bench) -> None:
    bench.hold(1)
    [found] = await bench.told(item(1))
    known = item(2).model_copy(update={"explanation": found})
    again = alert(item(1), known, reason="resent", resent_at=AT)
    assert await bench.stage.explained(again) is again


async def test_an_alert_without_documents_asks_nobody(bench: Bench) -> None:
    bare = alert()
    assert await bench.stage.explained(bare) is bare


async def test_closing_leaves_what_is_under_way(bench: Bench) -> None:
    bench.make(seconds=0.1)
    bench.hold(1)
    bench.explainer.gate.clear()
    assert await bench.reasons(item(1)) == ["too_slow"]
    began = time.monotonic()
    await bench.stage.close()
    await bench.stage.close()
    assert time.monotonic() - began < 30, "the model is at it for ever"
