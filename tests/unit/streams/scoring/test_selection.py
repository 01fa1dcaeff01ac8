from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from streams.errors import BellwetherError, TransientError
from streams.scoring.contract import Lender, Scorer, Scores
from streams.scoring.noop import NoopScorer
from streams.scoring.onnx import OnnxScorer
from streams.scoring.selection import AutoScorer, build_scorer
from streams.scoring.triton import TritonScorer
from streams.settings import ScoringSettings, Settings, TritonSettings


class Stand(NoopScorer):
    """Opens after as many failures as it is told; counts what happens to it."""

    def __init__(self, *failures: BellwetherError) -> None:
        self.failures = list(failures)
        self.opened = self.closed = 0

    async def open(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.opened += 1

    async def score(self, texts: Sequence[str]) -> Scores:
        if not self.opened:
            raise AssertionError("not open")
        return await super().score(texts)

    async def close(self) -> None:
        self.closed += 1


def _settings(backend: str, url: str = "127.0.0.1:1", model: Path | None = None) -> Settings:
    return Settings(scoring=ScoringSettings(backend=backend, model=model), triton=TritonSettings(url=url))


@pytest.mark.parametrize(("backend", "kind"), [("triton", TritonScorer), ("onnx", OnnxScorer), ("noop", NoopScorer), ("auto", AutoScorer)])
def test_the_setting_names_the_scorer(backend: str, kind: type[Scorer]) -> None:
    assert type(build_scorer(_settings(backend))) is kind


@pytest.mark.parametrize(
    ("backend", "absent"),
    [("noop", ["onnxruntime", "tritonclient", "grpc"]), ("triton", ["onnxruntime"]), ("onnx", ["tritonclient", "grpc"])],
)
def test_libraries_of_the_others_are_not_loaded(backend: str, absent: list[str]) -> None:
    code = (
        "import sys\nfrom streams.scoring.selection import build_scorer\nfrom streams.settings import ScoringSettings, Settings\n"
        f"build_scorer(Settings(scoring=ScoringSettings(backend={backend!r})))\nprint([name for name in {absent!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_triton_serves_where_it_answers() -> None:
    triton, onnx = Stand(), Stand()
    scorer = AutoScorer(triton, onnx)
    with structlog.testing.capture_logs() as logs:
        await scorer.open()
    assert (triton.opened, onnx.opened) == (1, 0)
    assert scorer.chosen is triton
    assert [line["log_level"] for line in logs] == ["info"]


async def test_a_server_that_still_loads_is_waited_for() -> None:
    triton, onnx = Stand(TransientError("loading"), TransientError("loading")), Stand()
    scorer = AutoScorer(triton, onnx, patience=5)
    await scorer.open()
    assert scorer.chosen is triton


async def test_patience_ends_and_the_reason_is_logged() -> None:
    triton, onnx = Stand(*[TransientError("away", mend="start it")] * 1000), Stand()
    scorer = AutoScorer(triton, onnx, patience=0.5)
    started = time.monotonic()
    with structlog.testing.capture_logs() as logs:
        await scorer.open()
    assert 0.2 < time.monotonic() - started < 20
    assert scorer.chosen is onnx
    ours = [line for line in logs if line["event"].startswith("scoring")]
    assert [(line["log_level"], line["reason"], line["mend"]) for line in ours] == [("warning", "away", "start it")]


async def test_a_server_without_the_model_is_not_waited_for() -> None:
    triton, onnx = Stand(*[BellwetherError("no such model")] * 2), Stand()
    scorer = AutoScorer(triton, onnx, patience=60)
    await scorer.open()
    assert scorer.chosen is onnx
    assert len(triton.failures) == 1


async def test_the_choice_stays_and_everything_is_closed() -> None:
    triton, onnx = Stand(BellwetherError("no such model")), Stand()
    scorer = AutoScorer(triton, onnx, patience=0.05)
    await scorer.open()
    assert scorer.model_id == "noop"
    assert scorer.topics == onnx.topics
    assert len((await scorer.score(["a", "b"])).sentiment) == 2
    await scorer.close()
    assert (triton.closed, onnx.closed) == (1, 1)
    with pytest.raises(BellwetherError, match="not open"):
        await scorer.score(["late"])


async def test_neither_serves() -> None:
    scorer = AutoScorer(Stand(*[TransientError("away")] * 9), Stand(BellwetherError("no model folder")), patience=0.05)
    with pytest.raises(BellwetherError, match="no model folder"):
        await scorer.open()


class Lending(Stand):
    """Has a model in this process; which one does not matter here."""

    def lend(self) -> Any:
        return "an encoder"


async def test_what_is_loaded_here_is_lent_and_nothing_where_triton_serves() -> None:
    away, here = Stand(*[TransientError("away")] * 9), Lending()
    chosen = AutoScorer(away, here, patience=0.1)
    assert chosen.lend() is None
    await chosen.open()
    assert chosen.lend() == "an encoder"
    await chosen.close()
    assert chosen.lend() is None
    served = AutoScorer(Stand(), here)
    await served.open()
    assert served.lend() is None
    assert isinstance(OnnxScorer(), Lender)
    assert OnnxScorer().lend() is None
    assert not isinstance(TritonScorer(TritonSettings()), Lender)
