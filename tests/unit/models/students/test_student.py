from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.errors import ModelError
from models.students.student import Distillation, read_distillation, shallow
from models.training.configuration import FineTuning

CONFIGS = Path(__file__).resolve().parents[4] / "models" / "configs"


@pytest.fixture
def teacher(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], tmp_path: Path) -> Encoder:
    return Encoder(small_tensors, small_config, Vocabulary(np.arange(90), 1.0), tmp_path / "tokenizer.json")


def written(folder: Path, *lines: str) -> Path:
    path = folder / "student.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_student_is_its_teachers_layers_in_the_order_asked_for(teacher: Encoder) -> None:
    student = shallow(teacher, 1, (3, 2))
    assert student.config["num_hidden_layers"] == 3
    assert teacher.config["num_hidden_layers"] == 3, "the teacher's own fields stay"
    for layer, origin in enumerate((0, 2, 1)):
        name = "attention.self.query.weight"
        assert student.tensors[f"encoder.layer.{layer}.{name}"] is teacher.tensors[f"encoder.layer.{origin}.{name}"]
    assert student.tensors["embeddings.word_embeddings.weight"] is teacher.tensors["embeddings.word_embeddings.weight"]
    assert set(student.tensors) == set(teacher.tensors)


def test_fewer_layers_have_fewer_tensors(teacher: Encoder) -> None:
    student = shallow(teacher, 1, (3,))
    assert not any(name.startswith("encoder.layer.2.") for name in student.tensors)
    pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    assert student.graph().layers == 2


@pytest.mark.parametrize(("frozen", "begin"), [(0, (1,)), (4, (1,)), (1, (4,)), (1, (0,))], ids=str)
def test_layers_that_the_teacher_has_not_are_an_error(teacher: Encoder, frozen: int, begin: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="the teacher has 3 layers"):
        shallow(teacher, frozen, begin)


@pytest.mark.parametrize(("name", "layers"), [("student-6", 6), ("student-3", 3)])
def test_the_files_that_ship_are_read(name: str, layers: int) -> None:
    chosen = read_distillation(CONFIGS / f"{name}.toml")
    assert chosen.layers == layers
    assert chosen.feature_layers[-1] == layers
    assert chosen.mixing == read_distillation(CONFIGS / "student-6.toml").mixing


def test_settings_of_a_student_and_of_its_training_are_read(tmp_path: Path) -> None:
    lines = ("frozen = 2", "begin = [5, 12]", "drawn = [4, 12]", "feature_layers = [3, 4]", "soft = 1", "[optimisation]", "batch = 8")
    chosen = read_distillation(written(tmp_path, *lines), steps=7, version="9")
    assert (chosen.frozen, chosen.begin, chosen.soft, chosen.optimisation.batch) == (2, (5, 12), 1, 8)
    assert (chosen.optimisation.steps, chosen.version) == (7, "9")
    assert chosen.gold == Distillation().gold


@pytest.mark.parametrize("line", ['model = "other"', "pieces = 50_000", "max_length = 40"])
def test_what_is_the_teachers_cannot_be_set(tmp_path: Path, line: str) -> None:
    with pytest.raises(ModelError, match="from its teacher") as raised:
        read_distillation(written(tmp_path, line))
    assert line.split()[0] in raised.value.mend


@pytest.mark.parametrize(
    "line",
    [
        "begin = []",
        "drawn = [12]",
        "feature_layers = [4, 9]",
        "softness = 0.0",
        "feature_layers = [1]",
        "begin = 8",
        'soft = "much"',
        "sof = 1",
    ],
)
def test_impossible_settings_are_errors(tmp_path: Path, line: str) -> None:
    with pytest.raises(ModelError, match=r"student\.toml"):
        read_distillation(written(tmp_path, line))


def test_another_teacher_loss_is_another_run() -> None:
    assert Distillation().digest() != Distillation(soft=0.1).digest()
    assert Distillation(version="1").digest() == Distillation(version="2", threads=1).digest()
    assert isinstance(Distillation(), FineTuning)
