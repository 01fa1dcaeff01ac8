"""The cascade of the service from raw record to scored document: the encoder in this process, and behind a real Triton server."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from bag_cascade import SURE, UNSURE, write_cascade
from bag_model import write_model

from models.artifact import Artifact
from streams.doctor.cascade import check_cascade
from streams.documents import ScoredDocument
from streams.enrich.enricher import Enricher
from streams.errors import BellwetherError
from streams.metrics import Metrics
from streams.scoring.selection import build_cascade, build_scorer
from streams.settings import EnrichSettings, Settings
from streams.stages.contract import Delivery
from streams.stages.score import ScoreStage

if TYPE_CHECKING:
    from conftest import Server

GERMAN = "Die bank hat heute am Montag ihre Zahlen vorgelegt und der profit ist deutlich höher als im Jahr davor"
FRENCH = "Le profit de la bank est en hausse cette année, a annoncé le groupe lundi dans un communiqué"
TEXTS = {1: (SURE, "en"), 2: (UNSURE, "en"), 3: (f"{SURE} and again", "en"), 4: ("👍👍👍", "en"), 5: (GERMAN, "de"), 6: (FRENCH, "fr")}


def deliveries(texts: dict[int, tuple[str, str]]) -> list[Delivery]:
    rows = {
        number: {"id": str(number), "source": "wire", "text": text, "published_at": "2024-05-01T12:00:00Z", "language_hint": language}
        for number, (text, language) in texts.items()
    }
    return [Delivery(json.dumps(row).encode(), f"documents.raw-0-{number}") for number, row in rows.items()]


async def scored(settings: Settings, batches: Sequence[Sequence[Delivery]]) -> tuple[dict[str, ScoredDocument], Metrics]:
    """What a worker with these settings makes of the deliveries."""
    scorer, cascade, metrics = build_scorer(settings), build_cascade(settings.scoring), Metrics()
    stage = ScoreStage(Enricher(EnrichSettings()), scorer, metrics, cascade=cascade)
    await scorer.open()
    found: dict[str, ScoredDocument] = {}
    try:
        if cascade is not None:
            await cascade.open(scorer.model_id)
        for batch in batches:
            results = await stage.process(batch)
            found |= {one.origin: one for one in results if isinstance(one, ScoredDocument)}
    finally:
        stage.close()
        if cascade is not None:
            await cascade.close()
        await scorer.close()
    return found, metrics


def stages(found: dict[str, ScoredDocument]) -> list[str | None]:
    return [found[f"documents.raw-0-{number}"].model_stage for number in TEXTS]


def answers(found: dict[str, ScoredDocument]) -> list[str]:
    """What is said of each document, without when."""
    return [found[f"documents.raw-0-{number}"].model_dump_json(exclude={"timings"}) for number in TEXTS]


def configured(bag: Artifact, **scoring: object) -> Settings:
    return Settings.model_validate({"scoring": {"model": bag.root, "threads": 1, **scoring}})


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    made = write_model(tmp_path_factory.mktemp("cascade") / "bag")
    write_cascade(made)
    return made


async def test_each_document_says_which_stage_answered_and_metrics_count_them(bag: Artifact) -> None:
    whole = deliveries(TEXTS)
    found, metrics = await scored(configured(bag, backend="onnx", cascade="on"), [whole])
    # A near-copy says what its original says, nobody is asked about a text without words, and French was not fitted on.
    assert stages(found) == ["static", "encoder", "static", None, "static", "encoder"]
    assert found["documents.raw-0-3"].duplicate_of == found["documents.raw-0-1"].id
    assert {one.model_id for one in found.values()} == {bag.model_id}
    count = metrics.registry.get_sample_value
    assert count("bellwether_documents_model_stage_total", {"model_stage": "static"}) == 3
    assert count("bellwether_documents_model_stage_total", {"model_stage": "encoder"}) == 2
    one_by_one, _ = await scored(configured(bag, backend="onnx", cascade="auto"), [[one] for one in whole])
    assert answers(one_by_one) == answers(found)


async def test_without_the_setting_nothing_is_said_of_stages(bag: Artifact) -> None:
    found, metrics = await scored(configured(bag, backend="onnx"), [deliveries(TEXTS)])
    assert set(stages(found)) == {None}
    assert "model_stage" not in found["documents.raw-0-1"].model_dump(exclude_none=True)
    assert metrics.registry.get_sample_value("bellwether_documents_model_stage_total", {"model_stage": "encoder"}) is None
    with_it, _ = await scored(configured(bag, backend="onnx", cascade="on"), [deliveries(TEXTS)])
    before, after = (documents["documents.raw-0-6"].sentiment for documents in (found, with_it))
    assert before is not None
    assert after is not None
    # The small graph, unlike the real one, rounds by the number of rows.
    assert after.model_dump() == pytest.approx(before.model_dump(), abs=1e-5), "French is the encoder's alone, and not blended"


async def test_triton_is_the_last_stage(make_server: Callable[..., Server], artifact: Artifact, bag: Artifact) -> None:
    server = make_server(BELLWETHER_SCORING__MODEL=str(bag.root), BELLWETHER_SCORING__THREADS="1")
    await server.ready()
    settings = configured(bag, backend="triton", cascade="on").model_copy(
        update={"triton": Settings.model_validate({"triton": {"url": server.url}}).triton}
    )
    found, _ = await scored(settings, [deliveries(TEXTS)])
    in_process, _ = await scored(configured(bag, backend="onnx", cascade="on"), [deliveries(TEXTS)])
    assert stages(found) == ["static", "encoder", "static", None, "static", "encoder"]
    assert answers(found) == answers(in_process)
    (check,) = await check_cascade(settings)
    assert (check.status, check.detail.split(",")[0]) == ("ok", "static → encoder")


async def test_a_server_with_another_model_is_told_at_the_start_and_by_the_doctor(
    server: Server, artifact: Artifact, bag: Artifact
) -> None:
    settings = configured(bag, backend="triton", cascade="on").model_copy(
        update={"triton": Settings.model_validate({"triton": {"url": server.url}}).triton}
    )
    with pytest.raises(BellwetherError, match="fitted to bag/") as caught:
        await scored(settings, [deliveries(TEXTS)])
    (check,) = await check_cascade(settings)
    assert (check.status, check.detail, check.mend) == ("fail", caught.value.message, caught.value.mend)
    assert artifact.model_id in check.detail
