"""A teacher and its students on a small encoder: answers, resume, artifact, static stage, cascade, and the commands that make them."""

from __future__ import annotations

import dataclasses
import gzip
import json
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_encoder import FILLERS, THEMES, TONES, small_training, write_encoder, write_text
from typer.testing import CliRunner

from models.artifact import Artifact, load_artifact
from models.cascade.mix import STREAMS
from models.cascade.plan import Cascade, read_plan
from models.cli import app
from models.data import LABELS
from models.encoder.restoration import restore
from models.errors import ModelError
from models.export.check import check_export
from models.inference import Encoder
from models.students.distillation import distill, distiller
from models.students.static_model import StaticModel
from models.students.student import Distillation
from models.training.configuration import Mixing, Optimisation, Watch
from models.training.finetuned import fine_tune

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
pytest.importorskip("safetensors", reason="the extra 'train' is not installed")

TEXTS = ["today crash again", "soon growth then", "merger there now", "football today", "x"]


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("distillation")
    write_encoder(root / "encoder", layers=3)
    write_text(root / "data", events=True)
    (root / "data" / "streams").mkdir()
    for name in STREAMS:
        lines = [json.dumps({"text": f"{first} {word}"}) for first in FILLERS for word in (*TONES["negative"], *THEMES["Deportes"])]
        with gzip.open(root / "data" / "streams" / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def teacher(place: Path) -> Artifact:
    chosen = small_training(place / "encoder", steps=40)
    made, _ = fine_tune(place / "data", place / "teacher", place / "cache", place / "teacher-run", chosen, quiet)
    return made


def choices() -> Distillation:
    return Distillation(
        version="0.3",
        train_length=16,
        frozen=1,
        begin=(3,),
        drawn=(3,),
        feature_layers=(1, 2),
        probe=12,
        threads=1,
        mixing=Mixing(rows=200),
        optimisation=Optimisation(steps=30, batch=8, accumulation=2, learning_rate=3e-3, head_rate=1e-3, warmup=3, average=0.9),
        watch=Watch(every=10, rows=60, patience=9),
    )


@pytest.fixture(scope="module")
def student(place: Path, teacher: Artifact) -> Artifact:
    made, reports = distill(place / "data", teacher, place / "student-2", place / "cache", place / "student-run", choices(), quiet)
    assert set(reports) == {"sentiment", "topic", "event"}
    assert reports["sentiment"].score > 90
    # Over texts without a sentiment too, where the teacher has no firm opinion.
    assert reports["sentiment"].agreement > 0.85
    return made


def weights(place: Path, teacher: Artifact, run: str, pauses: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    for pause in (*pauses, None):
        with distiller(place / "data", restore(teacher), place / "cache", place / run, choices(), quiet) as (tuner, _):
            tuner.run(quiet, pause_after=pause)
    found = {name: value.detach().numpy().copy() for name, value in tuner.network.parameters.items()}
    return found | {f"average {name}": value.numpy().copy() for name, value in tuner.average.items()}


def test_a_student_is_an_artifact_of_its_own_and_answers_like_its_teacher(student: Artifact, teacher: Artifact) -> None:
    assert load_artifact(student.root) == student
    assert student.model_id.startswith("student-2/0.3+")
    assert student.onnx_path.stat().st_size < teacher.onnx_path.stat().st_size
    assert restore(student).encoder.config["num_hidden_layers"] == 2
    config = json.loads((student.root / "config.json").read_text())
    assert config["made_from"]["teacher"] == teacher.model_id
    assert str(student.root) not in (student.root / "training.json").read_text(), "no place of this machine goes into an artifact"
    with Encoder(student) as ours, Encoder(teacher) as theirs:
        one, other = ours.score(TEXTS[:2]), theirs.score(TEXTS[:2])
    assert [LABELS["sentiment"][index] for index in one.sentiment.argmax(1)] == ["negative", "positive"]
    assert (one.embedding * other.embedding).sum(1).min() > 0.5, "the last pooled states were drawn together"


def test_the_int8_student_computes_what_pytorch_does(student: Artifact) -> None:
    pytest.importorskip("transformers", reason="the extra 'train' is not installed")
    check_export(student, restore(student), "int8", TEXTS, quiet).demand()


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_the_triton_repository_takes_a_student(student: Artifact, tmp_path: Path, device: str) -> None:
    pytest.importorskip("tritonclient.grpc")
    from models.export.triton import build_repository, chosen_device

    built = build_repository(student, tmp_path / "repository", chosen_device(device))
    graph = built / "bellwether" / "artifact" / "model.onnx" if device == "cpu" else built / "bellwether_graph" / "1"
    assert graph.exists()


def test_what_is_frozen_stays_the_teachers_to_the_bit(student: Artifact, teacher: Artifact) -> None:
    ours, theirs = restore(student).encoder.tensors, restore(teacher).encoder.tensors
    for name, values in ours.items():
        if name.startswith(("embeddings.", "encoder.layer.0.")):
            assert np.array_equal(values, theirs[name]), name
    moved = "encoder.layer.1.output.dense.weight"
    assert not np.array_equal(ours[moved], theirs["encoder.layer.2.output.dense.weight"])


def test_every_loss_teaches(place: Path, teacher: Artifact) -> None:
    silent = dataclasses.replace(choices(), soft=0.0, gold=0.0, hidden=0.0)
    with distiller(place / "data", restore(teacher), place / "cache", place / "losses", silent, quiet) as (tuner, _):
        lessons = list(tuner.lessons.train["umsab", "en"])[:8]
        assert float(tuner._objective(lessons).detach()) == 0
        for name in ("soft", "gold", "hidden"):
            tuner.chosen = dataclasses.replace(silent, **{name: 1.0})
            tuner.network.parameters["encoder.layer.1.output.dense.weight"].grad = None
            tuner._objective(lessons).backward()
            assert tuner.network.parameters["encoder.layer.1.output.dense.weight"].grad.abs().sum() > 0, name


def test_texts_of_streams_teach_by_the_teachers_answers_and_by_nothing_else(place: Path, teacher: Artifact) -> None:
    streams = ["soon crash again", "now football there", "today x x"]
    chosen = dataclasses.replace(choices(), soft=0.0, hidden=0.0)
    with distiller(place / "data", restore(teacher), place / "cache", place / "streams", chosen, quiet, streams) as (tuner, _):
        passes = [tuner.mixture.of_pass(number) for number in range(3)]
        labelled = [one for one in passes[0] if one.source != "stream"]
        assert {one.text for one in passes[0]} >= set(streams)
        for lessons in passes:
            assert sorted(one.text for one in lessons) == sorted([*(one.text for one in labelled), *streams]), "every text in every pass"
        assert [one.text for one in passes[0]] != [one.text for one in passes[1]]
        told_nothing = [one for one in passes[0] if one.source == "stream"]
        assert len(told_nothing) == len(streams)
        tuner.store.fill(streams)
        assert float(tuner._objective(told_nothing).detach()) == 0, "no label, no loss"
        for name in ("soft", "hidden"):
            tuner.chosen = dataclasses.replace(chosen, **{name: 1.0})
            assert float(tuner._objective(told_nothing).detach()) > 0, name


@pytest.mark.parametrize("pauses", [(4,), (13, 27)], ids=str)
def test_an_interrupted_distillation_ends_with_the_same_weights(place: Path, teacher: Artifact, pauses: tuple[int, ...]) -> None:
    whole, parts = weights(place, teacher, "uninterrupted"), weights(place, teacher, f"interrupted-{pauses}", pauses)
    assert whole.keys() == parts.keys()
    for name, values in whole.items():
        assert np.array_equal(values, parts[name]), name


def test_a_killed_distillation_goes_on_at_its_checkpoint(place: Path, teacher: Artifact) -> None:
    whole = weights(place, teacher, "uninterrupted")
    program = (
        "import sys, pickle; from pathlib import Path; from models.students.distillation import distiller\n"
        "from models.encoder.restoration import restore\n"
        "from models.artifact import load_artifact\n"
        "place, chosen = Path(sys.argv[1]), pickle.loads(bytes.fromhex(sys.argv[2]))\n"
        "quiet, run = lambda *_: None, place / 'killed'\n"
        "with distiller(place / 'data', restore(load_artifact(place / 'teacher')), place / 'cache', run, chosen, quiet) as made:\n"
        "    made[0].run(quiet, pause_after=10)\n"
        "    print('there', flush=True)\n"
        "    made[0].run(quiet)\n"
        "    __import__('time').sleep(60)\n"
    )
    repository = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", program, str(place), pickle.dumps(choices()).hex()]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"there\n"
        time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    for name, values in weights(place, teacher, "killed").items():
        assert np.array_equal(values, whole[name]), name


def test_a_student_never_overwrites_its_teacher(place: Path, teacher: Artifact) -> None:
    with pytest.raises(ModelError, match="teacher's own folder"):
        distill(place / "data", teacher, teacher.root, place / "cache", place / "own", choices(), quiet)


def config_file(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run_command(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def with_cascade(place: Path, teacher: Artifact, student: Artifact) -> Artifact:
    """The commands, one after the other, as a user gives them."""
    common = ["--data", place / "data"]
    config = config_file(
        place / "static.toml",
        *("width = 16", "buckets = 64", "inner = 24", "labelled = 300", "passes = 12", "batch = 32", "threads = 1", "watch = 60"),
        *("table_rate = 2e-2", "rate = 1e-2", "[mixing]", "rows = 200"),
    )
    told = run_command("static", config, "--artifact", teacher.root, "--cache", place / "cache", *common)
    assert "static.npz" in told
    picture = place / "curve.svg"
    table = place / "curve.md"
    command = ("cascade", teacher.root, "--student", student.root, *common, "--timed", 60, "--rounds", 1, "--rows", 50)
    told = run_command(*command, "--picture", picture, "--table", table, "--threads", 1)
    assert "times the encoder" in told
    assert "static alone" in table.read_text()
    assert picture.read_text().startswith("<?xml")
    return load_artifact(teacher.root)


def test_the_cascade_of_the_commands_answers_as_its_encoder_does(with_cascade: Artifact, place: Path) -> None:
    content = json.loads((with_cascade.root / "cascade.json").read_text())
    assert content["model_id"] == with_cascade.model_id
    assert content["measured"]["names"] == ["static", "student-2", "encoder"]
    assert [point["name"] for point in content["measured"]["alone"]] == ["static", "student-2", "encoder"]
    with Cascade(with_cascade) as cascade, Encoder(with_cascade) as encoder:
        staged, whole = cascade.staged(TEXTS[:3]), encoder.score(TEXTS[:3])
        assert cascade.names[-1] == "encoder"
        assert staged.scores.sentiment.argmax(1).tolist() == whole.sentiment.argmax(1).tolist()
        assert (staged.stage < len(cascade.names) - 1).any(), "words it has learnt need no encoder"


def test_the_static_stage_shares_the_tokenizer_and_the_student_its_weights(with_cascade: Artifact, student: Artifact) -> None:
    static = StaticModel.load(with_cascade.root / "static.npz")
    with Encoder(with_cascade) as encoder:
        assert static.pieces == encoder.tokenizer.get_vocab_size()
        scores = static.score(encoder.tokenize(TEXTS))
        assert scores.embedding.shape == encoder.score(TEXTS).embedding.shape
    assert (with_cascade.root / "student-2.onnx").stat().st_size < student.onnx_path.stat().st_size


def test_a_cascade_of_another_model_is_refused(with_cascade: Artifact, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in with_cascade.root.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "model_id": "other/1.0+00000000"}))
    with pytest.raises(ModelError, match="was fitted to"):
        read_plan(load_artifact(other))


def test_a_student_of_another_model_is_refused(with_cascade: Artifact, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["cascade", str(with_cascade.root), "--student", str(tmp_path)])
    assert done.exit_code == 1
    assert "mend:" in done.output
