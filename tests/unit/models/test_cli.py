from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from models.artifact import load_artifact
from models.calibration.fitting import write_calibration
from models.calibration.record import Calibration, HeadCalibration, Reliance
from models.cli import app
from models.errors import ModelError
from models.evaluation.card import render_card

runner = CliRunner()


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A folder with everything the card needs and small stand-ins for the two big files."""
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "model.onnx").write_bytes(b"graph")
    (root / "tokenizer.json").write_text("{}")
    config = {
        "model_id": "tiny/0.1+abcdef12",
        "sentiment_labels": ["negative", "neutral", "positive"],
        "topic_labels": ["health", "sport"],
        "max_length": 96,
        "prefix": "",
        "temperatures": {"sentiment": 1.2, "topic": 0.9},
        "languages": ["de", "no"],
        "sha256": {"model.onnx": "ab" * 32},
        "feature_layers": [4, 12],
        "vocabulary": 72000,
        "made_from": {"model": "intfloat/multilingual-e5-small"},
    }
    (root / "config.json").write_text(json.dumps(config))
    figures = {"rows": 10, "accuracy": 61.5, "macro_f1": 60.25, "ece": 0.031}
    evaluation = {
        "model_id": config["model_id"],
        "rows_a_set_and_language": 100,
        "headline": {"umsab_macro_f1_mean_over_languages": 58.1, "sib200_accuracy_mean_of_eleven": 76.2},
        "sets": {"umsab": {"all": figures, "de": figures}},
        "languages_the_encoder_never_saw": {"afrisenti": figures},
    }
    (root / "evaluation.json").write_text(json.dumps(evaluation))
    head = {"decay": 0.001, "score": 58.6, "temperature": 1.2, "ece_before": 0.03, "ece_after": 0.01, "rows_train": 100, "rows_dev": 20}
    (root / "training.json").write_text(json.dumps({"recipe": {}, "heads": {"sentiment": head, "topic": head}}))
    return root


def test_the_card_carries_figures_licences_limits_and_checksums(described: Path) -> None:
    done = runner.invoke(app, ["card", "--artifact", str(described)])
    assert done.exit_code == 0, done.output
    card = (described / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: mit\n")
    assert "value: 58.1}" in card
    assert "| umsab | de | 10 | 61.5 | 60.25 | 0.031 |" in card
    assert "CC BY-SA 4.0" in card
    assert "weather" in card
    assert "ab" * 32 in card
    assert '- "no"' in card, "a bare no is false in YAML"
    assert "Finance events" not in card, "this model has no such head"


def test_the_card_refuses_figures_of_another_model(described: Path) -> None:
    evaluation = json.loads((described / "evaluation.json").read_text())
    (described / "evaluation.json").write_text(json.dumps({**evaluation, "model_id": "tiny/0.0+00000000"}))
    with pytest.raises(ModelError, match=r"tiny/0\.0") as caught:
        render_card(load_artifact(described))
    assert caught.value.mend == f"bellwether models evaluate --artifact {described} --write"


def test_the_card_without_figures_says_how_to_make_them(described: Path) -> None:
    (described / "evaluation.json").unlink()
    done = runner.invoke(app, ["card", "--artifact", str(described)])
    assert done.exit_code == 1
    said = done.output.replace("\n", "")
    assert f"mend: bellwether models evaluate --artifact {described} --write" in said
    assert "models train" not in said, "an adapted model lacks its figures and nothing else"


def test_the_card_of_a_folder_without_training_names_what_is_missing(described: Path) -> None:
    (described / "training.json").unlink()
    with pytest.raises(ModelError, match=r"training\.json") as caught:
        render_card(load_artifact(described))
    assert "models train" in caught.value.mend
    assert "evaluate" not in caught.value.mend


def test_evaluating_nothing_is_one_line_and_the_mend(tmp_path: Path) -> None:
    done = runner.invoke(app, ["evaluate", "--artifact", str(tmp_path)])
    assert done.exit_code == 1
    assert "no config.json in the model folder" in done.output.replace("\n", " ")


def test_a_damaged_model_is_not_measured(described: Path, tmp_path: Path) -> None:
    (tmp_path / "benchmark").mkdir()
    done = runner.invoke(app, ["evaluate", "--artifact", str(described), "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "damaged" in done.output


def test_training_without_text_is_one_line_and_the_mend(tmp_path: Path) -> None:
    done = runner.invoke(app, ["train", "--data", str(tmp_path / "none"), "--artifact", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "no labelled text" in done.output
    assert not (tmp_path / "out").exists()


def test_an_unknown_road_is_named(tmp_path: Path) -> None:
    done = runner.invoke(app, ["pretrained", "--road", "torrent", "--cache", str(tmp_path)])
    assert done.exit_code == 1
    assert "auto, packages or hub" in done.output


def test_the_card_that_ships_is_the_one_its_files_give() -> None:
    artifact = load_artifact()
    assert (artifact.root / "README.md").read_text(encoding="utf-8") == render_card(artifact)


def test_the_card_of_a_fine_tuned_model_says_how_it_was_made(described: Path) -> None:
    training = json.loads((described / "training.json").read_text())
    training["recipe"] = {"frozen": 4, "model": "some/encoder", "optimisation": {"batch": 32, "accumulation": 2}}
    training["history"] = [{"step": 0}, {"step": 300}]
    training["heads"]["event"] = training["heads"]["topic"]
    (described / "training.json").write_text(json.dumps(training))
    config = json.loads((described / "config.json").read_text())
    (described / "config.json").write_text(json.dumps({**config, "event_labels": ["earnings", "other"]}))
    card = render_card(load_artifact(described))
    assert "fine-tuned from layer 5 up on 19,200 texts, with 3 linear heads" in card
    assert "`event` `[batch, 2]` (finance events: earnings; other)" in card
    assert "Finance events without training text, which the head therefore never answers: fraud." in card
    assert "frozen encoder" not in card
    training["recipe"]["model"] = "encoder-tuned"
    (described / "training.json").write_text(json.dumps(training))
    assert "on 19,200 texts, after an earlier run of the same kind, with" in render_card(load_artifact(described))


@pytest.mark.parametrize(
    ("arguments", "message", "mend"),
    [
        (["--steps", "3"], "--run and --steps are for fine-tuning", "models/configs/base.toml"),
        (["CONFIG", "--rows", "20"], "--rows and --model are for linear heads", "[mixing] rows and limit"),
        (["absent.toml"], "cannot read absent.toml", "models/configs/base.toml"),
    ],
)
def test_options_of_the_other_kind_of_training_are_refused(tmp_path: Path, arguments: list[str], message: str, mend: str) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "run.toml").write_text("")
    given = [str(tmp_path / "run.toml") if one == "CONFIG" else one for one in arguments]
    done = runner.invoke(app, ["train", *given, "--data", str(tmp_path), "--artifact", str(tmp_path / "out"), "--cache", str(tmp_path)])
    assert done.exit_code == 1
    assert message in done.output
    assert mend in done.output
    assert not (tmp_path / "out").exists()


def test_the_card_says_where_the_model_is_to_be_relied_on_and_what_its_teacher_reached(described: Path) -> None:
    sure, weak = Reliance(200, "language", 0.62, 0.8, 0.21, vouched=True), Reliance(150, "language", None, 0.0, 0.5, vouched=False)
    head = HeadCalibration(0.35, 1.1, {"english": 0.9}, {"en": sure, "ha": weak})
    write_calibration(load_artifact(described), Calibration("tiny/0.1+abcdef12", 0.9, 0.5, {"sentiment": head}))
    evaluation = json.loads((described / "evaluation.json").read_text())
    evaluation["headline"] |= {"masakhanews_weighted_f1": 83.2, "sentiment_ece_all_rows": 0.021, "finfe_zh_accuracy": None}
    (described / "evaluation.json").write_text(json.dumps(evaluation))
    card = render_card(load_artifact(described))
    assert "wrong at most 35% of the time (with 90% sureness), and at least 50% of the texts" in card
    assert "Vouched for: en." in card
    assert "Measured and not vouched for: ha." in card
    assert "| en | 200 | 0.62 | 80% | 21.0% |" in card
    assert "english 0.90; every other language 1.10." in card
    assert "| MasakhaNEWS weighted F1 %, every language | 83.2 |" in card
    assert "| FinFE dev accuracy % | not measured |" in card
    assert "The float32 teacher was not measured." in card
    teacher = {"model_id": "teacher/1+00000000", "headline": {**evaluation["headline"], "masakhanews_weighted_f1": 84.0}}
    (described / "teacher.json").write_text(json.dumps(teacher))
    beside = render_card(load_artifact(described))
    assert "| MasakhaNEWS weighted F1 %, every language | 83.2 | 84.0 |" in beside
    assert "teacher `teacher/1+00000000` (float32)" in beside


def test_two_models_and_a_picture_nowhere_are_refused_before_anything_is_measured(described: Path, tmp_path: Path) -> None:
    done = runner.invoke(app, ["evaluate", str(described), "--artifact", str(tmp_path)])
    assert done.exit_code == 1
    assert "two models to measure" in done.output
    done = runner.invoke(app, ["evaluate", str(described), "--plot", str(tmp_path / "absent" / "x.svg")])
    assert done.exit_code == 1
    assert "no such folder" in done.output
    done = runner.invoke(app, ["evaluate", str(described), "--plot", str(tmp_path / "x.txt")])
    assert done.exit_code == 1
    assert "is no picture" in done.output
    done = runner.invoke(app, ["evaluate", str(described), "--teacher-of", str(tmp_path / "absent")])
    assert done.exit_code == 1
    assert "no config.json in the model folder" in done.output.replace("\n", " ")


def test_calibrating_without_text_is_one_line_and_the_mend(tmp_path: Path) -> None:
    done = runner.invoke(app, ["calibrate", "--artifact", str(tmp_path)])
    assert done.exit_code == 1
    assert "no config.json in the model folder" in done.output.replace("\n", " ")


def test_no_help_has_a_word_in_brackets_which_the_terminal_would_take_for_markup() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    commands = group.commands
    told = [(name, text) for name, one in commands.items() for text in (one.help, *(getattr(part, "help", "") for part in one.params))]
    assert len(told) > 50
    assert [(name, text) for name, text in told if re.search(r"(?<!\\)\[[a-z#/@][^\[\]]*\]", text or "")] == []


def test_an_event_that_a_user_taught_is_not_called_untaught(described: Path) -> None:
    config = json.loads((described / "config.json").read_text())
    (described / "config.json").write_text(json.dumps({**config, "event_labels": ["earnings", "fraud"]}))
    assert "without training text" not in render_card(load_artifact(described))
