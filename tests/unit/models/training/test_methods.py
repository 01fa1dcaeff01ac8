from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import ModelError
from models.training.configuration import FineTuning, Mixing, read_configuration
from models.training.methods import Methods


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_is_on_until_it_is_named(tmp_path: Path) -> None:
    assert read_configuration(write(tmp_path, "")).methods == Methods()
    assert not Methods().hears_languages
    chosen = read_configuration(
        write(tmp_path, "[methods]\nlora = 8\nadversarial = 0.1\nlanguage_loss = 1\n[watch]\ntensorboard = false\n")
    )
    assert chosen.methods == Methods(lora=8, adversarial=0.1, language_loss=1)
    assert chosen.methods.hears_languages
    assert not chosen.watch.tensorboard


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adversarial = -0.1", "adversarial is -0.1"),
        ("augmentation = 1.5", "augmentation is 1.5"),
        ("contrastive_temperature = 0", "contrastive_temperature is 0"),
        ("precision = 'int4'", "precision is 'int4'"),
        ("lora = 2.5", "lora is 2.5"),
        ("lora = true", "lora is True"),
        ("fgm = 1", "unknown setting 'fgm'"),
    ],
)
def test_what_no_run_can_mean_is_one_line_and_the_mend(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        read_configuration(write(tmp_path, f"[methods]\n{text}\n"))
    assert raised.value.mend


def test_a_switch_is_true_or_false(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tensorboard is 1"):
        read_configuration(write(tmp_path, "[watch]\ntensorboard = 1\n"))


def test_a_run_from_before_the_methods_goes_on() -> None:
    """The digest of the usual choices as it was when runs were first kept: a new setting must not orphan them."""
    assert FineTuning(pieces=72_000).digest() == "cb6ebfddaaacbfbd1e2e59b7ac07f401c0bb5c22e6218265b5c64c77d531ee41"
    assert FineTuning().digest() != FineTuning(methods=Methods(lora=4)).digest()


def test_a_run_that_goes_on_from_another_is_another_run() -> None:
    assert FineTuning().digest() != FineTuning(mixing=Mixing(passes_seen=1)).digest()
