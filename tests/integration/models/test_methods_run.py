"""Every technique of ``[methods]`` in a whole small run: it goes on exactly after a pause, and its artifact answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_encoder import small_training, write_encoder, write_text
from typer.testing import CliRunner

from models.cli import app
from models.errors import ModelError
from models.inference import Encoder
from models.training.ablation import PLAIN, VARIANTS, ablate, table
from models.training.configuration import FineTuning, Optimisation, Watch
from models.training.finetuned import fine_tune, prepared
from models.training.methods import Methods

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
pytest.importorskip("safetensors", reason="the extra 'train' is not installed")

STEPS = 8


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("methods")
    write_encoder(root / "encoder", layers=3)
    write_text(root / "data", events=True)
    return root


def choices(place: Path, **methods: Any) -> FineTuning:
    return dataclasses.replace(
        small_training(place / "encoder", steps=STEPS),
        version="0.2",
        optimisation=Optimisation(steps=STEPS, batch=8, learning_rate=3e-3, head_rate=1e-3, warmup=2, average=0.9, samples=2),
        watch=Watch(every=4, rows=20, patience=9, tensorboard=False),
        methods=Methods(**methods),
    )


def weights(place: Path, run: str, chosen: FineTuning, pause: int | None = None) -> dict[str, np.ndarray]:
    for stop in (pause, None) if pause else (None,):
        with prepared(place / "data", place / "cache", place / run, chosen, quiet) as (tuner, _, _):
            tuner.run(quiet, pause_after=stop)
    return {name: value.detach().numpy().copy() for name, value in tuner.network.parameters.items()}


METHODS: dict[str, dict[str, Any]] = {
    "adversarial": {"adversarial": 0.1},
    "contrastive": {"contrastive": 0.5},
    "language_loss": {"language_loss": 0.5},
    "language_embedding": {"language_embedding": 0.5},
    "lora": {"lora": 4},
    "augmentation": {"augmentation": 0.5},
    "bf16": {"precision": "bf16"},
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_changes_the_weights_and_an_interrupted_run_ends_with_the_same(place: Path, name: str) -> None:
    chosen = choices(place, **METHODS[name])
    whole = weights(place, f"whole-{name}", chosen)
    parts = weights(place, f"parts-{name}", chosen, pause=5)
    assert whole.keys() == parts.keys()
    for parameter, values in whole.items():
        assert np.isfinite(values).all(), parameter
        assert np.array_equal(values, parts[parameter]), parameter
    plain = weights(place, "plain", choices(place))
    shared = [parameter for parameter in plain if parameter in whole]
    assert any(not np.array_equal(plain[parameter], whole[parameter]) for parameter in shared)


def test_an_artifact_of_adapters_and_languages_is_an_artifact_like_any_other(place: Path) -> None:
    chosen = choices(place, lora=4, language_loss=0.2, language_embedding=0.5)
    chosen = dataclasses.replace(chosen, optimisation=dataclasses.replace(chosen.optimisation, steps=30, learning_rate=2e-2))
    artifact, reports = fine_tune(place / "data", place / "made", place / "cache", place / "run-lora", chosen, quiet)
    assert reports["sentiment"].score > 85
    with Encoder(artifact) as encoder:
        assert encoder.score(["today crash again", "soon growth then"]).sentiment.argmax(1).tolist() == [0, 2]


def test_variants_are_measured_once_each_and_told_beside_the_plain_run(place: Path) -> None:
    base = choices(place)
    arguments: tuple[Any, ...] = (place / "data", place / "cache", place / "ablation", base, ["lora", "no-average"], [3])
    first = ablate(*arguments, quiet)
    assert [(one.variant, one.seed) for one in first] == [(PLAIN, 3), ("lora", 3), ("no-average", 3)]
    assert all(0 < one.texts <= STEPS * 8 and one.seconds > 0 for one in first)
    assert ablate(*arguments, quiet) == first, "results that are there are not made again"
    told = table(first)
    assert told.count("\n") == 5
    assert VARIANTS["lora"].told in told
    with pytest.raises(ModelError, match="no variant 'magic'"):
        ablate(*arguments[:4], ["magic"], [3], quiet)
    with pytest.raises(ModelError, match="has methods on already"):
        ablate(*arguments[:3], choices(place, lora=2), [], [3], quiet)


def test_two_runs_are_averaged_and_exported(place: Path) -> None:
    for number, seed in enumerate((17, 18)):
        weights(place, f"soup-{number}", dataclasses.replace(choices(place), seed=seed))
    arguments = ["average", str(place / "soup-0"), str(place / "soup-1"), "--out", str(place / "soup")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    artifact, _ = fine_tune(place / "data", place / "soup-made", place / "cache", place / "soup", choices(place), quiet)
    assert artifact.model_id.startswith("soup-made/0.2+")
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1
    assert "is there already" in again.output
