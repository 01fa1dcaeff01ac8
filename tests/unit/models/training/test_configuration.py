from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from models.data import sources
from models.errors import ModelError
from models.training.configuration import FineTuning, Optimisation, read_configuration

CONFIGS = Path(__file__).resolve().parents[4] / "models" / "configs"


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


FINE_TUNING = [path for path in sorted(CONFIGS.glob("*.toml")) if not path.stem.startswith("student")]


@pytest.mark.parametrize("path", FINE_TUNING, ids=lambda path: path.stem)
def test_every_fine_tuning_configuration_that_ships_is_read_and_names_known_sets(path: Path) -> None:
    chosen = read_configuration(path)
    assert set(chosen.mixing.emphasis) <= set(sources())
    assert min(chosen.feature_layers) >= chosen.frozen


def test_what_the_file_does_not_name_has_its_usual_value(tmp_path: Path) -> None:
    chosen = read_configuration(write(tmp_path, "frozen = 6\nfeature_layers = [6, 12]\n[optimisation]\nbatch = 8\nclip = 2\n"))
    assert chosen == FineTuning(frozen=6, feature_layers=(6, 12), optimisation=Optimisation(batch=8, clip=2))


def test_steps_and_version_may_be_given_beside_the_file(tmp_path: Path) -> None:
    chosen = read_configuration(write(tmp_path, 'version = "2.0"\n[optimisation]\nsteps = 100\n'), steps=7, version="2.1")
    assert (chosen.optimisation.steps, chosen.version) == (7, "2.1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mixing]\nrow = 3\n", r"\[mixing\]: unknown setting 'row'"),
        ("frozen = 'four'\n", "frozen is 'four'"),
        ("seed = true\n", "seed is True"),
        ("mixing = 3\n", "mixing is no section"),
        ("feature_layers = [2, 12]\n", "lie below frozen"),
        ("[optimisation]\nbatch = 0\n", "must be 1 or more"),
        ("frozen = \n", "cannot read"),
    ],
)
def test_a_bad_file_is_one_line_and_the_mend(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        read_configuration(write(tmp_path, text))
    assert raised.value.mend


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.toml"):
        read_configuration(tmp_path / "none.toml")


def test_a_checkpoint_belongs_to_the_choices_and_not_to_the_length_of_the_run() -> None:
    usual = FineTuning()
    longer = dataclasses.replace(usual, optimisation=Optimisation(steps=9_000, cooldown=0.1), version="3.0")
    other = dataclasses.replace(usual, optimisation=Optimisation(learning_rate=1e-3))
    assert usual.digest() == longer.digest()
    assert usual.digest() != other.digest()
    assert usual.digest() != dataclasses.replace(usual, seed=18).digest()
