"""A small model is calibrated on its dev rows and measured on a user's own lines, by the commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from small_encoder import FILLERS, write_encoder, write_text
from typer.testing import CliRunner

from models.artifact import Artifact, load_artifact
from models.calibration.record import load_calibration
from models.calibration.temperature import at_temperature
from models.cli import app
from models.inference import Encoder
from models.texts.corpus import Limits
from models.training.linear import Recipe, train

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
pytest.importorskip("safetensors.numpy", reason="the extra 'train' is not installed")

RUNNER = CliRunner()


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("calibrating")
    write_encoder(root / "encoder")
    write_text(root / "data")
    recipe = Recipe(
        model=str(root / "encoder"), version="0.1", pieces=56, layers=(1, 2), max_length=16, limits=Limits(200, 60), decays=(1e-3,)
    )
    train(root / "data", root / "made", root / "cache", recipe, quiet)
    shutil.rmtree(root / "data" / "benchmark")
    return root


@pytest.fixture(scope="module")
def calibrated(place: Path) -> Artifact:
    done = RUNNER.invoke(app, ["calibrate", "--artifact", str(place / "made"), "--data", str(place / "data"), "--limit", "400"])
    assert done.exit_code == 0, done.output
    assert "sentiment: vouched for in 1 of 1 languages measured: en" in done.output
    return load_artifact(place / "made")


def test_the_calibration_is_kept_with_the_model_and_nothing_of_the_benchmark_is_needed(calibrated: Artifact) -> None:
    calibrated.verify()
    record = load_calibration(calibrated)
    assert record is not None
    assert record.heads["sentiment"].vouched == ("en",)
    assert record.heads["topic"].vouched == ("es",)


def test_calibrating_again_gives_the_same(place: Path, calibrated: Artifact) -> None:
    before = calibrated.calibration_path.read_bytes()
    done = RUNNER.invoke(app, ["calibrate", "--artifact", str(place / "made"), "--data", str(place / "data"), "--limit", "400"])
    assert done.exit_code == 0, done.output
    assert calibrated.calibration_path.read_bytes() == before


def test_the_encoder_answers_at_the_temperature_of_the_language(calibrated: Artifact) -> None:
    texts = ["today crash again", "soon growth then"]
    with Encoder(calibrated) as encoder:
        assert encoder.calibration is not None
        factor = encoder.calibration.heads["sentiment"].temperature_of("en")
        raw = encoder.score(texts).sentiment
        assert encoder.probabilities("sentiment", texts, ["en", "en"]) == pytest.approx(at_temperature(raw, factor), abs=1e-6)


def test_a_users_lines_are_measured(place: Path, calibrated: Artifact, tmp_path: Path) -> None:
    lines = [(f"{filler} {word} again", label) for filler in FILLERS[:3] for word, label in (("crash", "bearish"), ("growth", "bullish"))]
    rows = [{"text": text, "label": label} for text, label in lines]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    picture = tmp_path / "curves.svg"
    arguments = ["evaluate", str(calibrated.root), "--data", str(tmp_path), "--json", "--plot", str(picture)]
    arguments += ["--teacher-of", str(calibrated.root)]
    done = RUNNER.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["whole"]["mine"]["rows"] == 6
    assert report["whole"]["mine"]["accuracy"] > 90
    assert report["details"]["mine"]["classes"] == ["negative", "positive"]
    assert np.sum(report["details"]["mine"]["confusion"]) == 6
    assert json.loads((calibrated.root / "teacher.json").read_text()) == report
    assert picture.stat().st_size > 1_000
    against = RUNNER.invoke(app, ["evaluate", str(calibrated.root), "--data", str(tmp_path), "--against", str(calibrated.root)])
    assert against.exit_code == 0, against.output
    assert "| mine | accuracy | 6 |" in against.output
