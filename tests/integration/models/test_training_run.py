"""A whole training run, from a small encoder folder and a few sentences to an artifact that scores and evaluates."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_encoder import write_encoder, write_text

from models.artifact import load_artifact
from models.data import SENTIMENT_LABELS
from models.errors import ModelError
from models.evaluation.measuring import evaluate
from models.inference import Encoder
from models.texts.corpus import Limits
from models.topics import TOPIC_LABELS
from models.training.linear import Recipe, train

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
pytest.importorskip("safetensors.numpy", reason="the extra 'train' is not installed")


def quiet(_step: str, _done: int, _total: int) -> None:
    """A progress nobody watches."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("training")
    write_encoder(root / "encoder")
    write_text(root / "data")
    return root


def recipe(place: Path, **changes: object) -> Recipe:
    chosen: dict[str, object] = {
        "pieces": 56,
        "layers": (1, 2),
        "max_length": 16,
        "limits": Limits(200, 60),
        "decays": (1e-3, 1e-2),
        **changes,
    }
    return Recipe(model=str(place / "encoder"), version="0.1", **chosen)  # type: ignore[arg-type]


def test_a_run_makes_an_artifact_that_answers_and_measures_well(place: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    artifact, reports = train(place / "data", place / "made", place / "cache", recipe(place), lambda *step: steps.append(step))
    assert load_artifact(place / "made") == artifact
    assert artifact.model_id.startswith("made/0.1+")
    assert reports["sentiment"].score > 90
    assert reports["topic"].score > 90
    embedding = [done for step, done, total in steps if step.startswith("embedding") and total]
    assert embedding == sorted(embedding)
    assert embedding[-1] == next(total for step, _, total in steps if step.startswith("embedding"))
    with Encoder(artifact) as encoder:
        scores = encoder.score(["today crash again", "soon growth then", "football there now"])
    assert [SENTIMENT_LABELS[index] for index in scores.sentiment[:2].argmax(1)] == ["negative", "positive"]
    assert TOPIC_LABELS[int(scores.topic[2].argmax())] == "sport"
    measured = evaluate(artifact, place / "data", limit=None, progress=quiet)
    assert measured.model_id == artifact.model_id
    assert measured.sets["umsab"]["en"].accuracy > 90
    assert measured.sets["noticias_es"]["all"].accuracy > 90


def test_a_second_run_embeds_nothing_and_scores_the_same(place: Path) -> None:
    first, _ = train(place / "data", place / "one", place / "cache", recipe(place), quiet)
    stored = {file: file.stat().st_mtime_ns for file in (place / "cache" / "features").rglob("*.npz")}
    second, _ = train(place / "data", place / "two", place / "cache", recipe(place), quiet)
    assert {file: file.stat().st_mtime_ns for file in (place / "cache" / "features").rglob("*.npz")} == stored
    assert first.sha256["tokenizer.json"] == second.sha256["tokenizer.json"]
    with Encoder(first) as left, Encoder(second) as right:
        texts = ["bank loss today", "win soon"]
        assert left.score(texts).sentiment == pytest.approx(right.score(texts).sentiment, abs=1e-5)


def test_another_length_does_not_take_the_features_of_this_one(place: Path) -> None:
    train(place / "data", place / "one", place / "cache", recipe(place), quiet)
    folders = set((place / "cache" / "features").iterdir())
    train(place / "data", place / "short", place / "cache", recipe(place, max_length=8), quiet)
    assert len(set((place / "cache" / "features").iterdir()) - folders) == 1


def test_a_recipe_without_a_decay_is_an_error(place: Path) -> None:
    with pytest.raises(ModelError, match="no weight decay"):
        train(place / "data", place / "none", place / "cache", recipe(place, decays=()), quiet)
