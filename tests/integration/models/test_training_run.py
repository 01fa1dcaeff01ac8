"""A whole training run, from a small encoder folder and a few sentences to an artifact that scores and evaluates."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers import models as tokenizer_models

from models.artifact import load_artifact
from models.corpus import Limits
from models.data import SENTIMENT_LABELS
from models.errors import ModelError
from models.evaluation import evaluate
from models.inference import Encoder
from models.topics import TOPIC_LABELS
from models.training import Recipe, train

pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")
safetensors = pytest.importorskip("safetensors.numpy", reason="the extra 'train' is not installed")

TONES = {"negative": ["loss", "crash", "fraud"], "neutral": ["meeting", "report", "plan"], "positive": ["profit", "win", "growth"]}
THEMES = {"Deportes": ["football", "match"], "Economía": ["bank", "market"]}
FILLERS = ["today", "again", "there", "soon", "then", "now"]
HIDDEN, WIDE, LAYERS = 64, 128, 2


def write_encoder(folder: Path) -> Path:
    """A random BERT of two layers with a Unigram tokenizer of a hundred pieces."""
    folder.mkdir()
    words = [word for group in (*TONES.values(), *THEMES.values(), FILLERS) for word in group]
    pieces = [(name, 0.0) for name in ("<s>", "<pad>", "</s>", "<unk>")] + [("▁", -5.0)]
    pieces += [(f"▁{word}", -6.0) for word in words] + [(chr(code), -12.0) for code in range(ord("a"), ord("z") + 1)]
    tokenizer = Tokenizer(tokenizer_models.Unigram(pieces, 3, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> $B </s>", [("<s>", 0), ("</s>", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": WIDE,
        "vocab_size": len(pieces),
        "max_position_embeddings": 32,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(config))
    random = np.random.default_rng(11)
    shapes = {"embeddings.word_embeddings.weight": (len(pieces), HIDDEN), "embeddings.position_embeddings.weight": (32, HIDDEN)}
    shapes["embeddings.token_type_embeddings.weight"] = (1, HIDDEN)
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        matrices = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
        matrices |= {"attention.output.dense": (HIDDEN, HIDDEN), "intermediate.dense": (WIDE, HIDDEN), "output.dense": (HIDDEN, WIDE)}
        shapes |= {f"{prefix}{name}.weight": shape for name, shape in matrices.items()}
        shapes |= {f"{prefix}{name}.bias": shape[:1] for name, shape in matrices.items()}
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    tensors = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["embeddings.position_embeddings.weight"] *= np.float32(0.1)
    for name in norms:
        tensors |= {f"{name}.weight": np.ones(HIDDEN, np.float32), f"{name}.bias": np.zeros(HIDDEN, np.float32)}
    safetensors.save_file(tensors, folder / "model.safetensors")
    return folder


def write_text(folder: Path) -> Path:
    """Labelled sentences whose answer one word gives away, and a benchmark of other sentences."""
    lines: dict[str, list[str]] = {}
    for index, (first, second) in enumerate(product(FILLERS, FILLERS)):
        place = "train" if index % 3 else "dev"
        for label, words in [*TONES.items(), *THEMES.items()]:
            kind, name, lang = ("sentiment_general", "umsab", "en") if label in TONES else ("topic", "noticias_es", "es")
            for word in words:
                text = f"{first} {word} {second}" if index % 2 else f"{word} {first} {second}"
                split = "test" if index % 7 == 0 else place
                file = f"benchmark/{name}.jsonl" if split == "test" else f"train/{kind}/{name}.jsonl"
                record = {"text": text, "label": label, "lang": lang, "source": name, "split": split}
                lines.setdefault(file, []).append(json.dumps(record, ensure_ascii=False))
    for file, rows in lines.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


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
        "pieces": 52,
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
