"""A whole fine-tuning run on a small encoder: its answers, its resume after a pause and after a kill, and its artifact."""

from __future__ import annotations

import dataclasses
import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_encoder import small_training, write_encoder, write_text
from typer.testing import CliRunner

from models.artifact import load_artifact
from models.cli import app
from models.data import LABELS
from models.errors import ModelError
from models.evaluation.measuring import evaluate
from models.inference import Encoder, Runner
from models.texts.corpus import Limits
from models.training.configuration import FineTuning, Optimisation, Watch
from models.training.finetuned import fine_tune, prepared
from models.training.linear import Recipe, train

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
pytest.importorskip("safetensors", reason="the extra 'train' is not installed")

STEPS, EVERY = 60, 10


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finetuning")
    write_encoder(root / "encoder", layers=3)
    write_text(root / "data", events=True)
    return root


def choices(place: Path) -> FineTuning:
    return dataclasses.replace(
        small_training(place / "encoder", steps=STEPS),
        version="0.2",
        optimisation=Optimisation(
            steps=STEPS, batch=8, accumulation=2, learning_rate=3e-3, head_rate=1e-3, warmup=3, average=0.9, dropout=0.1, samples=2
        ),
        watch=Watch(every=EVERY, rows=60, patience=9),
    )


def weights(place: Path, run: str, pauses: tuple[int, ...] = (), chosen: FineTuning | None = None) -> dict[str, np.ndarray]:
    """Train in ``run``, stopping without a checkpoint after each of ``pauses`` steps; return the weights and their average."""
    for pause in (*pauses, None):
        with prepared(place / "data", place / "cache", place / run, chosen or choices(place), quiet) as (tuner, _, _):
            tuner.run(quiet, pause_after=pause)
    found = {name: value.detach().numpy().copy() for name, value in tuner.network.parameters.items()}
    return found | {f"average {name}": value.numpy().copy() for name, value in tuner.average.items()}


def test_a_run_learns_and_its_artifact_answers_as_the_network_does(place: Path) -> None:
    artifact, reports = fine_tune(place / "data", place / "made", place / "cache", place / "whole", choices(place), quiet)
    history = [json.loads(line) for line in (place / "whole" / "history.jsonl").read_text().splitlines()]
    assert [score["step"] for score in history] == list(range(0, STEPS + 1, EVERY))
    assert history[-1]["tasks"]["sentiment"] > max(90, history[0]["tasks"]["sentiment"] + 10)
    assert set(reports) == {"sentiment", "topic", "event"}
    assert reports["event"].score > 90
    assert load_artifact(place / "made") == artifact
    assert artifact.model_id.startswith("made/0.2+")
    with Encoder(artifact) as encoder:
        scores = encoder.score(["today crash again", "soon growth then"])
    assert [LABELS["sentiment"][index] for index in scores.sentiment.argmax(1)] == ["negative", "positive"]
    with Runner(artifact.onnx_path, artifact.tokenizer_path, max_length=16) as runner:
        ((_, (event,)),) = runner.results(["buyout there now"], ["event"])
    assert LABELS["event"][int(event[0].argmax())] == "mergers and acquisitions"
    assert event.sum() == pytest.approx(1, abs=1e-5)
    measured = evaluate(artifact, place / "data", limit=None, progress=quiet)
    assert measured.sets["umsab"]["en"].accuracy > 90
    with prepared(place / "data", place / "cache", place / "whole", choices(place), quiet) as (tuner, _, _):
        assert tuner.finished()
        best = tuner.best()
        tuner.network.parameters = best
        texts = [lesson.text for lesson in tuner.lessons.dev][:40]
        lessons = list(tuner.lessons.dev)[:40]
        with torch.no_grad():
            logits = tuner.network.logits(torch.from_numpy(tuner._embed(lessons)))["sentiment"] / reports["sentiment"].temperature
    with Encoder(artifact) as encoder:
        shipped = encoder.score(texts).sentiment
    assert np.abs(torch.softmax(logits, 1).numpy() - shipped).mean() < 0.03, "only the int8 of the trained layers lies between them"


def test_a_finished_run_is_exported_again_without_a_step(place: Path) -> None:
    first, _ = fine_tune(place / "data", place / "made", place / "cache", place / "whole", choices(place), quiet)
    before = (place / "whole" / "checkpoint.pt").stat().st_mtime_ns
    second, _ = fine_tune(place / "data", place / "made", place / "cache", place / "whole", choices(place), quiet)
    assert (place / "whole" / "checkpoint.pt").stat().st_mtime_ns == before
    assert first.sha256 == second.sha256


def test_two_artifacts_are_compared_on_the_same_texts(place: Path) -> None:
    for steps, name in ((EVERY, "short"), (STEPS, "long")):
        chosen = dataclasses.replace(choices(place), optimisation=dataclasses.replace(choices(place).optimisation, steps=steps))
        fine_tune(place / "data", place / name, place / "cache", place / f"run-{name}", chosen, quiet)
    arguments = ["--data", str(place / "data"), "--artifact", str(place / "long"), "--against", str(place / "short")]
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert done.exit_code == 0, done.output
    assert "| set | figure | rows | short/0.2+" in done.output
    assert "| umsab | macro-F1 |" in done.output


def test_linear_heads_are_fitted_anew_on_the_tuned_encoder(place: Path) -> None:
    fine_tune(place / "data", place / "made", place / "cache", place / "whole", choices(place), quiet)
    recipe = Recipe(model=str(place / "whole" / "encoder-tuned"), pieces=58, layers=(1, 3), max_length=16, limits=Limits(200, 60))
    refitted, reports = train(place / "data", place / "refitted", place / "cache-of-refitted", recipe, quiet)
    assert reports["sentiment"].score > 90
    config = json.loads((refitted.root / "config.json").read_text())
    assert config["made_from"]["model"] == "encoder-tuned"
    assert str(place) not in (refitted.root / "training.json").read_text(), "no place of this machine goes into an artifact"
    with Encoder(load_artifact(place / "made")) as tuned, Encoder(refitted) as again:
        texts = ["today crash again", "soon growth then"]
        assert tuned.score(texts).embedding == pytest.approx(again.score(texts).embedding, abs=1e-6), "the same encoder under other heads"


@pytest.mark.parametrize("pauses", [(4,), (10,), (13, 27)], ids=str)
def test_an_interrupted_run_ends_with_the_same_weights(place: Path, pauses: tuple[int, ...]) -> None:
    whole = weights(place, "uninterrupted")
    parts = weights(place, f"interrupted-{pauses}", pauses)
    assert whole.keys() == parts.keys()
    for name, values in whole.items():
        assert np.array_equal(values, parts[name]), name


def test_a_killed_run_ends_with_the_same_weights(place: Path) -> None:
    chosen = dataclasses.replace(choices(place), optimisation=dataclasses.replace(choices(place).optimisation, steps=120))
    whole = weights(place, "unkilled", chosen=chosen)
    run = place / "killed"
    program = (
        "import sys, pickle; from pathlib import Path; from models.training.finetuned import prepared\n"
        "place, chosen = Path(sys.argv[1]), pickle.loads(bytes.fromhex(sys.argv[2]))\n"
        "with prepared(place / 'data', place / 'cache', place / 'killed', chosen, lambda *_: None) as (tuner, _, _):\n"
        "    tuner.run(lambda *_: None)\n"
    )
    repository = Path(__file__).resolve().parents[3]
    with subprocess.Popen([sys.executable, "-c", program, str(place), pickle.dumps(chosen).hex()], cwd=repository) as child:
        deadline = time.monotonic() + 120
        while not (run / "checkpoint.pt").is_file() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL, "it was to be killed while it trained"
    assert (run / "checkpoint.pt").is_file()
    parts = weights(place, "killed", chosen=chosen)
    for name, values in whole.items():
        assert np.array_equal(values, parts[name]), name


def test_a_run_may_be_made_longer_and_other_choices_are_refused(place: Path) -> None:
    weights(place, "lengthened", (10,))
    longer = dataclasses.replace(choices(place).optimisation, steps=STEPS + EVERY)
    with prepared(
        place / "data", place / "cache", place / "lengthened", dataclasses.replace(choices(place), optimisation=longer), quiet
    ) as (tuner, _, _):
        assert tuner.run(quiet)[-1].step == STEPS + EVERY
    other = dataclasses.replace(choices(place), seed=99)
    with pytest.raises(ModelError, match="another configuration") as raised:
        weights(place, "lengthened", chosen=other)
    assert "--run" in raised.value.mend


def test_a_run_that_no_longer_improves_ends_early(place: Path) -> None:
    still = dataclasses.replace(choices(place).optimisation, learning_rate=0.0, head_rate=0.0, steps=1_000, weight_decay=0.0)
    chosen = dataclasses.replace(choices(place), optimisation=still, watch=Watch(every=2, rows=60, patience=3))
    with prepared(place / "data", place / "cache", place / "still", chosen, quiet) as (tuner, _, _):
        assert [score.step for score in tuner.run(quiet)] == [0, 2, 4, 6]
