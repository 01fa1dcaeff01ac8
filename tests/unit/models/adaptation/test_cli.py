from __future__ import annotations

import gzip
import importlib.util
import json
import random
from pathlib import Path

import pytest
from bag_model import SENTIMENTS, TOPICS, WORDS, old_texts, sentence, write_model
from typer.testing import CliRunner

from models.adaptation.old_texts import OldText
from models.adaptation.replay import REPLAY_FILE, load_replay
from models.adaptation.replay_making import build_replay
from models.artifact import load_artifact
from models.cli import app

runner = CliRunner()


def silent(step: str, done: int, total: int) -> None:
    """No progress."""


def write_labels(path: Path, groups: dict[str, list[str]], count: int) -> None:
    chance = random.Random(7)
    rows = [{"text": sentence(chance, words), "label": label} for label, words in groups.items() for _ in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """``bag``: a model with its replay file; ``desk.jsonl``: labels with a new topic."""
    artifact = write_model(tmp_path / "bag")
    build_replay(artifact, old_texts(2_800), tmp_path / "cache", silent, dims=len(WORDS)).save(artifact.root / REPLAY_FILE)
    write_labels(tmp_path / "desk.jsonl", {"central banks": ["rate", "hike"], "sport": TOPICS["sport"]}, 20)
    return tmp_path


def run(place: Path, *arguments: str) -> tuple[int, str]:
    done = runner.invoke(app, [*arguments, "--artifact", str(place / "bag"), "--cache", str(place / "cache")])
    return done.exit_code, done.output


def test_labels_become_a_model_and_the_figures_are_told(place: Path) -> None:
    code, said = run(place, "adapt", "--labels", str(place / "desk.jsonl"), "--out", str(place / "desk"))
    assert code == 0, said
    assert "topic head, 40 texts, pull" in said
    assert "new classes: central banks" in said
    assert "held-out labels: accuracy" in said
    assert "old texts: accuracy" in said
    assert "  en: " in said
    made = load_artifact(place / "desk")
    made.verify()
    assert made.model_id in said
    assert made.topic_labels[-1] == "central banks"


def test_a_refusal_is_one_line_and_leaves_no_folder(place: Path) -> None:
    chance = random.Random(2)
    french = [OldText(sentence(chance, ["rate", "hike"]), "fr", "bag", True, {"topic": 0}) for _ in range(220)]
    texts = [*(one for one in old_texts(3_000) if one.lang != "fr"), *french]
    artifact = load_artifact(place / "bag")
    build_replay(artifact, texts, place / "cache", silent, dims=len(WORDS)).save(artifact.root / REPLAY_FILE)
    code, said = run(place, "adapt", "--labels", str(place / "desk.jsonl"), "--out", str(place / "desk"))
    assert code == 1
    errors = [line for line in said.splitlines() if line.startswith(("error:", " mend:"))]
    assert len(errors) == 2
    assert errors[0].startswith("error: refused: the old languages would decay, fr by")
    assert not (place / "desk").exists()
    assert not list(place.glob(".desk*"))


def test_without_replay_rows_nothing_is_adapted(place: Path) -> None:
    (place / "bag" / REPLAY_FILE).unlink()
    code, said = run(place, "adapt", "--labels", str(place / "desk.jsonl"), "--out", str(place / "desk"))
    assert code == 1
    assert "no replay file" in said
    assert "mend: bellwether models replay --data" in said


def test_own_old_text_is_added_to_the_models(place: Path) -> None:
    own = place / "own"
    own.mkdir()
    rows = [{"text": one.text, "lang": "nl", "label": list(SENTIMENTS)[one.answers["sentiment"]]} for one in old_texts(900, seed=9)]
    (own / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_labels(place / "tone.jsonl", {"positive": ["bullish"], "negative": ["bearish"]}, 20)
    code, said = run(place, "adapt", "--labels", str(place / "tone.jsonl"), "--out", str(place / "desk"), "--replay", str(own))
    assert code == 0, said
    assert "sentiment head, 40 texts" in said
    assert "other germanic" in said or "  nl: " in said or "other languages" in said
    assert "nl" in load_replay(place / "desk" / REPLAY_FILE).langs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "tone"], "--task is 'tone'"),
        (["--within", "central banks"], "--within is 'central banks'"),
        (["--within", "central banks=finance"], "the model has no class 'finance'"),
        (["--within", "sprot=economy"], "'sprot' is not a new class"),
        (["--task", "sentiment"], "is no sentiment"),
        (["--replay", "absent.npz"], "no replay file absent.npz"),
    ],
)
def test_what_was_asked_wrongly_is_named(place: Path, arguments: list[str], message: str) -> None:
    code, said = run(place, "adapt", "--labels", str(place / "desk.jsonl"), "--out", str(place / "desk"), *arguments)
    assert code == 1
    assert message in said
    assert not (place / "desk").exists()


def test_the_replay_file_is_made_from_a_data_folder(place: Path) -> None:
    folder = place / "data" / "train" / "sentiment_general"
    folder.mkdir(parents=True)
    rows = []
    for number, one in enumerate(old_texts(600, seed=4)):
        label = list(SENTIMENTS)[one.answers["sentiment"]]
        split = "dev" if one.check else "train"
        rows.append(
            {
                "text": f"{one.text} {chr(97 + number % 26)}{chr(97 + number // 26)}",
                "label": label,
                "lang": one.lang,
                "source": "umsab",
                "split": split,
            }
        )
    (folder / "umsab.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    code, said = run(place, "replay", "--data", str(place / "data"), "--out", str(place / "rows.npz"))
    assert code == 0, said
    made = load_replay(place / "rows.npz")
    made.belongs_to(load_artifact(place / "bag"))
    assert f"{len(made)} rows, 3 languages" in said
    assert "sha256 " in said
    code, said = run(place, "replay", "--data", str(place / "data"), "--out", str(place / "rows.npz"), "--leave-out", "umsub")
    assert code == 1
    assert "no set is called umsub" in said


def test_moving_layers_without_the_extra_says_how_to_get_it(place: Path) -> None:
    if importlib.util.find_spec("torch") is not None:
        pytest.skip("the extra 'train' is installed")
    code, said = run(place, "adapt", "--labels", str(place / "desk.jsonl"), "--out", str(place / "desk"), "--method", "lora")
    assert code == 1
    assert "'torch' is not installed" in said
    assert "pip install 'bellwether[train]'" in said
    assert not (place / "desk").exists()


def test_a_method_that_is_none_is_refused(place: Path) -> None:
    code, said = run(place, "adapt", "--labels", str(place / "desk.jsonl"), "--out", str(place / "desk"), "--method", "all")
    assert code == 2
    assert "heads" in said
    assert "lora" in said
