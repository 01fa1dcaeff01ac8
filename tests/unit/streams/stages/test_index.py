"""The index stage: outcomes reach the ledger when they are safe, what the index refuses becomes a letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest

from streams.documents import DeadLetter, Outcome, ScoredDocument
from streams.errors import TransientError
from streams.metrics import Metrics
from streams.sinks.search import IndexReport
from streams.stages.contract import Delivery
from streams.stages.index import IndexStage

Documents = Callable[..., ScoredDocument]
Read = Callable[..., float]


class Sink:
    """An index that creates each id once; refuses and fails as told."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}
        self.refused: set[str] = set()
        self.faults: list[Exception] = []
        self.batches: list[int] = []

    async def index(self, documents: Sequence[ScoredDocument]) -> IndexReport:
        self.batches.append(len(documents))
        if self.faults:
            raise self.faults.pop(0)
        report = IndexReport()
        for document in documents:
            if document.id in self.refused:
                report.rejected.append((document, "search.rejected", "mapping"))
            else:
                first = self.stored.setdefault(document.id, document.origin) == document.origin
                report.outcomes[document.origin] = Outcome.INDEXED if first else Outcome.DUPLICATE
        return report


class Ledger:
    """Keeps outcomes; fails as told."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.faults: list[Exception] = []
        self.losses = 0

    async def moment(self) -> int:
        return self.losses

    async def finish(self, outcomes: Mapping[str, Outcome], since: int) -> None:
        if self.faults:
            raise self.faults.pop(0)
        if since != self.losses:
            raise TransientError("the index died")
        self.outcomes.update(outcomes)

    async def bury(self, letters: Iterable[DeadLetter]) -> None:
        raise AssertionError("letters are sent by the agent, and the ledger hears of them then")

    async def watched(self, origins: Iterable[str]) -> None:
        raise AssertionError("not the index stage's business")

    async def close(self) -> None:
        pass


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def stage(sink: Sink, ledger: Ledger, metrics: Metrics) -> IndexStage:
    return IndexStage(sink, ledger, metrics)  # type: ignore[arg-type]


def delivery(document: ScoredDocument) -> Delivery:
    return Delivery(document.model_dump_json().encode(), document.origin)


async def test_documents_are_indexed_and_the_ledger_hears(stage: IndexStage, ledger: Ledger, scored: Documents, read: Read) -> None:
    assert await stage.process([delivery(scored(1)), delivery(scored(2))]) == []
    assert ledger.outcomes == {"documents.raw-0-1": Outcome.INDEXED, "documents.raw-0-2": Outcome.INDEXED}
    assert read("bellwether_documents_finished_total", outcome="indexed") == 2
    assert read("bellwether_documents_finished_total", outcome="duplicate") == 0


async def test_the_second_delivery_of_a_document_is_a_duplicate(stage: IndexStage, ledger: Ledger, scored: Documents, read: Read) -> None:
    second = scored(1, origin="documents.raw-3-9")
    await stage.process([delivery(scored(1)), delivery(second)])
    assert ledger.outcomes == {"documents.raw-0-1": Outcome.INDEXED, "documents.raw-3-9": Outcome.DUPLICATE}
    assert read("bellwether_documents_finished_total", outcome="duplicate") == 1


async def test_the_same_delivery_again_is_no_duplicate(stage: IndexStage, ledger: Ledger, scored: Documents) -> None:
    await stage.process([delivery(scored(1))])
    await stage.process([delivery(scored(1))])
    assert ledger.outcomes == {"documents.raw-0-1": Outcome.INDEXED}


async def test_unreadable_records_become_letters_with_their_bytes_and_the_others_are_indexed(
    stage: IndexStage, ledger: Ledger, scored: Documents
) -> None:
    odd = [Delivery(b"\xff", "documents.raw-0-8"), Delivery(b"", "documents.raw-0-9"), Delivery(b'{"id": 1}', "documents.raw-0-10")]
    letters = await stage.process([odd[0], delivery(scored(1)), *odd[1:]])
    assert [(letter.origin, letter.original) for letter in letters] == [(item.origin, item.value) for item in odd]
    assert {(letter.reason, letter.stage) for letter in letters} == {("index.unreadable", "index")}
    assert ledger.outcomes == {"documents.raw-0-1": Outcome.INDEXED}


async def test_what_the_index_refuses_becomes_a_letter_with_the_bytes_as_they_came(
    stage: IndexStage, sink: Sink, ledger: Ledger, scored: Documents
) -> None:
    sink.refused = {scored(2).id}
    value = b" " + scored(2).model_dump_json().encode() + b"\n"
    [letter] = await stage.process([delivery(scored(1)), Delivery(value, "documents.raw-0-2")])
    assert (letter.reason, letter.detail, letter.origin, letter.original) == ("search.rejected", "mapping", "documents.raw-0-2", value)
    assert "documents.raw-0-2" not in ledger.outcomes


@pytest.mark.parametrize("away", ["sink", "ledger"])
async def test_a_failed_batch_claims_nothing_and_can_be_processed_again(
    away: str, stage: IndexStage, sink: Sink, ledger: Ledger, scored: Documents, read: Read
) -> None:
    (sink if away == "sink" else ledger).faults = [TransientError("away")]
    batch = [delivery(scored(1)), Delivery(b"odd", "documents.raw-0-9")]
    with pytest.raises(TransientError):
        await stage.process(batch)
    assert ledger.outcomes == {}
    assert read("bellwether_documents_finished_total", outcome="indexed") == 0
    assert len(await stage.process(batch)) == 1
    assert ledger.outcomes == {"documents.raw-0-1": Outcome.INDEXED}
    assert read("bellwether_documents_finished_total", outcome="indexed") == 1


async def test_an_index_that_dies_after_its_answer_is_not_believed(
    stage: IndexStage, sink: Sink, ledger: Ledger, scored: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = sink.index

    async def takes_and_dies(documents: Sequence[ScoredDocument]) -> IndexReport:
        report = await took(documents)
        sink.stored.clear()
        ledger.losses += 1
        return report

    monkeypatch.setattr(sink, "index", takes_and_dies)
    with pytest.raises(TransientError):
        await stage.process([delivery(scored(1))])
    assert ledger.outcomes == {}
    monkeypatch.setattr(sink, "index", took)
    await stage.process([delivery(scored(1))])
    assert ledger.outcomes == {"documents.raw-0-1": Outcome.INDEXED}
    assert list(sink.stored) == [scored(1).id]
