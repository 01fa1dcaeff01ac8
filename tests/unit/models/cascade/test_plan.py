from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact import Artifact
from models.cascade.deferral import Deferral, features
from models.cascade.plan import PLAN, VERSION, Plan, Scorer, Stage, answer, file_digest, read_plan, sure
from models.errors import ModelError
from models.inference import Scores

#: Confidence of a stage in a text: the text is "0.7 0.9", one number a stage.
CLASSES = 3


def scorer(number: int, calls: list[list[str]]) -> Scorer:
    """A stage whose confidence in sentiment and topic stands in the text; its number is the embedding."""

    def score(texts: Sequence[str]) -> Scores:
        calls.append(list(texts))
        sure_of = np.array([float(text.split()[number]) for text in texts], np.float32)
        rest = (1 - sure_of) / (CLASSES - 1)
        probabilities = np.stack([sure_of, *[rest] * (CLASSES - 1)], axis=1) if len(texts) else np.zeros((0, CLASSES), np.float32)
        return Scores(probabilities, probabilities, np.full((len(texts), 2), number, np.float32))

    return score


def test_the_encoders_answer_is_blended_with_that_of_the_first_stage_for_the_same_text() -> None:
    calls: list[list[str]] = []
    texts = ["0.95 0.4 0.5", "0.4 0.4 0.9", "0.6 0.95 0.5"]
    gates = [(stage(0.9, 0.9), scorer(0, calls)), (stage(0.9, 0.9), scorer(1, calls))]
    staged = answer(gates, scorer(2, calls), texts, (0.2, 0.5))
    assert staged.stage.tolist() == [0, 2, 1]
    assert staged.scores.sentiment[:, 0].tolist() == pytest.approx([0.95, 0.8 * 0.9 + 0.2 * 0.4, 0.95])
    assert staged.scores.topic[1, 0] == pytest.approx(0.5 * 0.9 + 0.5 * 0.4)
    assert staged.scores.embedding[1].tolist() == [2, 2], "the embedding is the encoder's own"
    assert staged.scores.sentiment.sum(1) == pytest.approx(1, abs=1e-6)


def test_a_stage_between_gives_the_blended_answer_and_is_sure_by_it() -> None:
    texts = ["0.1 0.95 0.5", "0.5 0.9 0.5"]
    calls: list[list[str]] = []
    between = dataclasses.replace(stage(0.85, 0.85), blend=(0.1, 0.0))
    staged = answer([(stage(0.99, 0.99), scorer(0, calls)), (between, scorer(1, calls))], scorer(2, calls), texts)
    assert staged.stage.tolist() == [1, 1]
    assert staged.scores.sentiment[:, 0].tolist() == pytest.approx([0.9 * 0.95 + 0.1 * 0.1, 0.9 * 0.9 + 0.1 * 0.5])
    assert staged.scores.topic[:, 0].tolist() == pytest.approx([0.95, 0.9])
    stricter = dataclasses.replace(between, sentiment=0.94)
    assert answer([(stage(0.99, 0.99), scorer(0, calls)), (stricter, scorer(1, calls))], scorer(2, calls), texts).stage.tolist() == [2, 2]


def stage(sentiment: float, topic: float, name: str = "static") -> Stage:
    return Stage(name, f"{name}.npz", "0" * 64, sentiment, topic)


confidences = st.lists(st.tuples(*[st.sampled_from([0.4, 0.6, 0.8, 0.95])] * 3), max_size=12)


@given(confidences, st.tuples(*[st.sampled_from([0.0, 0.5, 0.7, 0.9, 1.01])] * 2))
@settings(max_examples=60, deadline=None)
def test_each_text_is_answered_by_the_first_stage_that_is_sure(rows: list[tuple[float, ...]], thresholds: tuple[float, float]) -> None:
    texts = [" ".join(map(str, row)) for row in rows]
    calls: list[list[str]] = []
    gates = [(stage(one, one), scorer(number, calls)) for number, one in enumerate(thresholds)]
    staged = answer(gates, scorer(2, calls), texts)
    for row, sure_of in enumerate(rows):
        expected = next((number for number, one in enumerate(thresholds) if np.float32(sure_of[number]) >= one), 2)
        assert staged.stage[row] == expected
        assert staged.scores.embedding[row].tolist() == [expected] * 2
        assert staged.scores.sentiment[row, 0] == np.float32(sure_of[expected])
    assert staged.scores.topic.shape == (len(texts), CLASSES)


def test_a_later_stage_is_asked_only_about_what_is_left() -> None:
    calls: list[list[str]] = []
    gates = [(stage(0.9, 0.9), scorer(0, calls)), (stage(0.9, 0.9), scorer(1, calls))]
    answer(gates, scorer(2, calls), ["0.95 0.1 0.5", "0.5 0.95 0.5", "0.99 0.99 0.5"])
    assert calls == [["0.95 0.1 0.5", "0.5 0.95 0.5", "0.99 0.99 0.5"], ["0.5 0.95 0.5"]], "the last stage was not needed"


@pytest.mark.parametrize(("sentiment", "topic", "expected"), [(0.8, 0.5, [True, False]), (0.5, 0.95, [False, False]), (0, 0, [True, True])])
def test_both_tasks_must_be_sure(sentiment: float, topic: float, expected: list[bool]) -> None:
    scores = Scores(
        np.array([[0.9, 0.1], [0.3, 0.7]], np.float32), np.array([[0.4, 0.6], [0.9, 0.1]], np.float32), np.zeros((2, 1), np.float32)
    )
    assert sure(scores, stage(sentiment, topic), ["a", "b"]).tolist() == expected


def test_a_learned_confidence_takes_the_place_of_the_probability() -> None:
    scores = Scores(np.full((2, 3), 1 / 3, np.float32), np.full((2, 3), 1 / 3, np.float32), np.array([[1, 0], [-1, 0]], np.float32))
    width = features(scores).shape[1]
    weights = (*[0.0] * (width - 2), 1.0, 0.0)
    gate = dataclasses.replace(stage(0.5, 0.5), deferral=Deferral((weights, weights), (0.0, 0.0)))
    texts = ["x" * 160] * 2
    assert sure(scores, gate, texts).tolist() == [False, True], "the embedding tells the two apart"
    calls: list[list[str]] = []

    def last(left: Sequence[str]) -> Scores:
        calls.append(list(left))
        return Scores(*(np.zeros((len(left), part.shape[1]), np.float32) for part in scores))

    assert answer([(gate, lambda _: scores)], last, ["y" * 160, "z" * 160]).stage.tolist() == [1, 0]
    assert calls == [["y" * 160]]


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    (tmp_path / "static.npz").write_bytes(b"vectors")
    empty: dict[str, float] = {}
    made = Artifact.__new__(Artifact)
    values = {field.name: () for field in dataclasses.fields(Artifact)} | {"root": tmp_path, "model_id": "m/1+ab", "temperatures": empty}
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def write(artifact: Artifact, **other: object) -> None:
    gate = dataclasses.replace(stage(0.8, 0.7), sha256=file_digest(artifact.root / "static.npz"))
    plan = dataclasses.asdict(Plan(artifact.model_id, (gate,), (0.1, 0.3)))
    content = {"version": VERSION} | plan | {"measured": {}} | other
    (artifact.root / PLAN).write_text(json.dumps(content), encoding="utf-8")


def test_a_plan_is_read_back(artifact: Artifact) -> None:
    write(artifact)
    plan = read_plan(artifact)
    assert (plan.model_id, plan.blend) == ("m/1+ab", (0.1, 0.3))
    assert [(one.name, one.file, one.sentiment, one.topic) for one in plan.stages] == [("static", "static.npz", 0.8, 0.7)]


def test_a_learned_confidence_is_read_back_and_a_plan_of_the_first_version_has_none(artifact: Artifact) -> None:
    learned = Deferral(((0.25, -1.5), (1.0, 0.0)), (0.5, -0.125))
    gate = dataclasses.asdict(dataclasses.replace(stage(0.8, 0.7), sha256=file_digest(artifact.root / "static.npz"), deferral=learned))
    write(artifact, stages=[gate])
    assert read_plan(artifact).stages[0].deferral == learned
    del gate["deferral"]
    write(artifact, stages=[gate], version=1)
    assert read_plan(artifact).stages[0].deferral is None


def test_the_blend_of_a_stage_is_read_back_and_a_plan_of_the_second_version_has_none(artifact: Artifact) -> None:
    gate = dataclasses.asdict(dataclasses.replace(stage(0.8, 0.7), sha256=file_digest(artifact.root / "static.npz"), blend=(0.25, 0.5)))
    write(artifact, stages=[gate])
    assert read_plan(artifact).stages[0].blend == (0.25, 0.5)
    del gate["blend"]
    write(artifact, stages=[gate], version=2)
    assert read_plan(artifact).stages[0].blend == (0.0, 0.0)
    write(artifact, stages=[gate | {"blend": [0.5]}])
    with pytest.raises(ModelError, match="no plan of a cascade"):
        read_plan(artifact)


def test_a_plan_of_a_later_version_or_with_half_a_deferral_is_refused(artifact: Artifact) -> None:
    write(artifact, version=VERSION + 1)
    with pytest.raises(ModelError, match=f"of version {VERSION + 1}"):
        read_plan(artifact)
    gate = dataclasses.asdict(dataclasses.replace(stage(0.8, 0.7), sha256=file_digest(artifact.root / "static.npz")))
    for weights in ([[1.0]], [[1.0], [1.0, 2.0]], [["x"], ["y"]]):
        write(artifact, stages=[gate | {"deferral": {"weights": weights, "bias": [0.0, 0.0]}}])
        with pytest.raises(ModelError, match="no plan of a cascade"):
            read_plan(artifact)


def test_no_plan_another_model_a_damaged_file_and_nonsense_are_refused(artifact: Artifact) -> None:
    with pytest.raises(ModelError, match=r"has no cascade\.json") as raised:
        read_plan(artifact)
    assert "bellwether models cascade" in raised.value.mend
    write(artifact, model_id="m/2+cd")
    with pytest.raises(ModelError, match=r"fitted to m/2\+cd"):
        read_plan(artifact)
    write(artifact)
    (artifact.root / "static.npz").write_bytes(b"other")
    with pytest.raises(ModelError, match="damaged"):
        read_plan(artifact)
    (artifact.root / "static.npz").unlink()
    with pytest.raises(ModelError, match=r"no static\.npz"):
        read_plan(artifact)
    for nonsense in ("{", "[]", '{"stages": [{"name": 1}]}'):
        (artifact.root / PLAN).write_text(nonsense, encoding="utf-8")
        with pytest.raises(ModelError, match="no plan of a cascade"):
            read_plan(artifact)
