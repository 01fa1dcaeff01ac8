from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.data import LABELS
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.errors import ModelError
from models.export.writing import serving_graph
from models.inference import Runner
from models.students.sharing import share_weights
from models.students.student import shallow
from models.training.heads import Head

pytest.importorskip("onnx", reason="the extra 'train' is not installed")

TEXTS = ["bank profit", "market fall fall", "a"]


def graph(encoder: Encoder, layers: tuple[int, ...], path: Path, seed: int = 9) -> Path:
    random = np.random.default_rng(seed)
    width = 64 * len(layers)
    heads = {
        task: Head(random.normal(0, 0.1, (width, len(labels))).astype(np.float32), np.zeros(len(labels), np.float32))
        for task, labels in LABELS.items()
    }
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(serving_graph(encoder, layers, heads).model().SerializeToString(deterministic=True))
    return path


@pytest.fixture
def teacher(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path) -> Encoder:
    return Encoder(small_tensors, small_config, Vocabulary(np.arange(90), 1.0), small_tokenizer)


def test_a_student_beside_its_teacher_is_small_and_scores_the_same(teacher: Encoder, tmp_path: Path) -> None:
    model = graph(teacher, (1, 3), tmp_path / "teacher" / "model.onnx")
    student = shallow(teacher, 1, (3,))
    student.tensors["encoder.layer.1.output.dense.weight"] = student.tensors["encoder.layer.1.output.dense.weight"] + np.float32(0.1)
    alone = graph(student, (1, 2), tmp_path / "student" / "model.onnx")
    beside = tmp_path / "teacher" / "student.onnx"
    size = share_weights(alone, model, beside)
    assert size == beside.stat().st_size < alone.stat().st_size * 0.75
    with (
        Runner(alone, teacher.tokenizer_path, max_length=12) as one,
        Runner(beside, teacher.tokenizer_path, max_length=12) as other,
    ):
        for ours, theirs in zip(one.score(TEXTS), other.score(TEXTS), strict=True):
            assert np.array_equal(ours, theirs)


def test_a_student_of_another_teacher_and_another_folder_are_refused(teacher: Encoder, tmp_path: Path) -> None:
    model = graph(teacher, (1, 3), tmp_path / "teacher" / "model.onnx")
    other = Encoder({name: values + np.float32(0.5) for name, values in teacher.tensors.items()}, *list(vars(teacher).values())[1:])
    stranger = graph(other, (1, 3), tmp_path / "stranger" / "model.onnx", seed=1)
    with pytest.raises(ModelError, match="shares no weights"):
        share_weights(stranger, model, tmp_path / "teacher" / "student.onnx")
    with pytest.raises(ModelError, match="does not lie beside"):
        share_weights(stranger, model, tmp_path / "student.onnx")
