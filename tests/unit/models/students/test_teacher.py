from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoder.restoration import Restored
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.inference import Runner
from models.students.teacher import TeacherAnswers, teacher_answers
from models.training.heads import Head

TEXTS = ["bank profit", "market fall fall", "good", "bank profit"]


@pytest.fixture
def answers() -> TeacherAnswers:
    features = np.arange(24, dtype=np.float16).reshape(3, 8)
    head = Head(np.eye(8, 2, dtype=np.float32), np.ones(2, np.float32))
    return TeacherAnswers(["a", "b", "c"], features, (2, 5), {"sentiment": head})


def test_answers_come_in_the_order_asked_for(answers: TeacherAnswers) -> None:
    assert answers.features(["c", "a"])[:, 0].tolist() == [16, 0]
    assert answers.features(["c"]).dtype == np.float32
    assert answers.logits(["b"])["sentiment"].tolist() == [[9.0, 10.0]]
    assert "a" in answers
    assert "d" not in answers
    with pytest.raises(KeyError):
        answers.features(["d"])


def test_pooled_states_are_the_part_of_their_layer(answers: TeacherAnswers) -> None:
    assert answers.pooled(["a", "b"], 2).tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert answers.pooled(["a"], 5).tolist() == [[4, 5, 6, 7]]
    assert answers.deviation(5) == pytest.approx(np.full(4, np.std([4, 12, 20])), rel=1e-4)
    with pytest.raises(ValueError, match="not in tuple"):
        answers.pooled(["a"], 3)


def test_the_teacher_is_asked_once(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    encoder = Encoder(small_tensors, small_config, Vocabulary(np.arange(90), 1.0), small_tokenizer)
    random = np.random.default_rng(2)
    heads = {"topic": Head(random.normal(0, 1, (128, 4)).astype(np.float32), np.zeros(4, np.float32))}
    teacher = Restored(encoder, (1, 3), heads)
    steps: list[tuple[int, int]] = []

    def progress(_step: str, done: int, total: int) -> None:
        steps.append((done, total))

    first = teacher_answers(teacher, TEXTS, tmp_path, max_length=12, progress=progress)
    assert steps[-1] == (3, 3)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "features").rglob("*.npz")}
    again = teacher_answers(teacher, TEXTS, tmp_path, max_length=12, progress=progress)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "features").rglob("*.npz")} == files
    assert np.array_equal(first.features(TEXTS), again.features(TEXTS))
    with Runner(tmp_path / "encoder" / "teacher-features.onnx", small_tokenizer, max_length=12) as runner:
        ((_, (direct,)),) = runner.results(["good"], ["features"])
    assert first.features(["good"]) == pytest.approx(direct, rel=2e-3, abs=2e-3)
