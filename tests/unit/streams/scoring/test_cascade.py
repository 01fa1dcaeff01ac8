"""The cheap stages in the service: opened, matched with the model that scores, asked beside the event loop."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from bag_cascade import SURE, UNSURE, write_cascade
from bag_model import write_model
from structlog.testing import capture_logs

from models.artifact import Artifact
from models.cascade.plan import PLAN
from models.cascade.plan import Cascade as WholeCascade
from models.inference import Encoder
from streams.errors import BellwetherError, PermanentError
from streams.scoring.cascade import Cascade
from streams.scoring.contract import Scores
from streams.scoring.selection import build_cascade
from streams.settings import ScoringSettings

BAG = "bag/1.0+00000000"


@pytest.fixture
def bag(tmp_path: Path) -> Artifact:
    made = write_model(tmp_path / "bag")
    write_cascade(made)
    return made


async def test_it_hears_what_the_stages_say_and_blends_as_the_plan_says(bag: Artifact) -> None:
    write_cascade(bag, temperatures=((0.7, 1.2), (0.8, 1.0)))
    cascade = Cascade(bag.root)
    await cascade.open(BAG)
    heard = await cascade.hear([SURE, UNSURE])
    assert cascade.names == ("static", "encoder")
    assert heard.stage.tolist() == [0, 1]
    with Encoder(bag) as encoder, WholeCascade(bag) as whole:
        alone = Scores(*encoder.score([UNSURE]))
        mixed = cascade.blended(alone, Scores(*(part[1:] for part in (heard.first.sentiment, heard.first.topic, heard.first.embedding))))
        expected = whole.score([SURE, UNSURE])
    await cascade.close()
    assert np.array_equal(heard.scores.sentiment[0], expected.sentiment[0])
    assert np.array_equal(mixed.sentiment[0], expected.sentiment[1])
    assert np.array_equal(mixed.topic[0], expected.topic[1])


@pytest.mark.parametrize(("fitted", "scores"), [(None, "other/2.0+11111111"), (None, "noop")])
async def test_another_model_than_the_one_it_was_fitted_to_is_an_error_at_the_start(bag: Artifact, fitted: str | None, scores: str) -> None:
    cascade = Cascade(bag.root)
    with pytest.raises(BellwetherError, match=rf"fitted to bag/1\.0\+00000000, but {scores.replace('+', '.')} scores") as caught:
        await cascade.open(scores)
    assert "bellwether models cascade" in caught.value.mend
    assert "scoring.cascade=off" in caught.value.mend
    with pytest.raises(BellwetherError, match="not open"):
        await cascade.hear([SURE])
    await cascade.open(BAG)
    await cascade.close()


async def test_a_plan_in_the_folder_of_another_model_and_one_without_languages_are_refused(bag: Artifact) -> None:
    write_cascade(bag, model_id="other/2.0+11111111")
    with pytest.raises(BellwetherError, match=r"was fitted to other/2\.0.*, not bag") as caught:
        await Cascade(bag.root).open(BAG)
    assert "scoring.cascade=off" in caught.value.mend
    write_cascade(bag, languages=())
    with pytest.raises(BellwetherError, match="in which languages"):
        await Cascade(bag.root).open(BAG)


async def test_a_folder_without_a_cascade_says_how_to_mend_it(bag: Artifact) -> None:
    (bag.root / PLAN).unlink()
    with pytest.raises(BellwetherError, match=r"has no cascade\.json") as caught:
        await Cascade(bag.root).open(BAG)
    assert "bellwether models cascade" in caught.value.mend


async def test_a_server_that_has_another_model_by_now_is_seen_and_told_once(bag: Artifact) -> None:
    cascade = Cascade(bag.root)
    await cascade.open(BAG)
    with capture_logs() as logs:
        assert [cascade.stands_before(name) for name in (BAG, "other/2", "other/2", BAG)] == [True, False, False, True]
    await cascade.close()
    assert [line["log_level"] for line in logs] == ["warning"]
    assert logs[0]["scores"] == "other/2"


@pytest.mark.parametrize(("language", "known"), [("de", True), ("nb", True), ("no", True), ("fr", False), ("und", False)])
async def test_languages_are_those_of_the_plan_under_any_of_their_codes(bag: Artifact, language: str, known: bool) -> None:
    write_cascade(bag, languages=("de", "no"))
    cascade = Cascade(bag.root)
    await cascade.open(BAG)
    assert cascade.knows(language) is known
    await cascade.close()


async def test_calls_at_the_same_time_keep_their_own_order_and_close_waits(bag: Artifact) -> None:
    cascade = Cascade(bag.root)
    await cascade.open(BAG)
    calls = [asyncio.create_task(cascade.hear([SURE] * 50 + [UNSURE] * number)) for number in range(4)]
    await asyncio.sleep(0)
    await cascade.close()
    await cascade.close()
    for number, call in enumerate(calls):
        assert (await call).stage.tolist() == [0] * 50 + [1] * number


async def test_a_lone_surrogate_is_this_documents_fault(bag: Artifact) -> None:
    cascade = Cascade(bag.root)
    await cascade.open(BAG)
    with pytest.raises(PermanentError) as caught:
        await cascade.hear([SURE, "bad \udfff"])
    await cascade.close()
    assert caught.value.reason == "encoding.surrogate"


def test_the_setting_decides_whether_there_is_one(bag: Artifact) -> None:
    def made(cascade: str) -> Cascade | None:
        return build_cascade(ScoringSettings.model_validate({"cascade": cascade, "model": bag.root}))

    assert ScoringSettings().cascade == "off"
    assert made("off") is None
    assert isinstance(made("auto"), Cascade)
    (bag.root / PLAN).unlink()
    assert made("auto") is None
    assert isinstance(made("on"), Cascade), "that it is missing is said when it is opened"
    (bag.root / "config.json").unlink()
    assert made("auto") is None


async def test_a_damaged_plan_is_no_reason_to_go_on_without_it(bag: Artifact) -> None:
    content = json.loads((bag.root / PLAN).read_text(encoding="utf-8"))
    content["stages"][0]["sha256"] = "0" * 64
    (bag.root / PLAN).write_text(json.dumps(content), encoding="utf-8")
    cascade = build_cascade(ScoringSettings(cascade="auto", model=bag.root))
    assert cascade is not None
    with pytest.raises(BellwetherError, match="damaged"):
        await cascade.open(BAG)
