"""The whole way from the pretrained encoder and the labelled text to an artifact."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.calibration.temperature import expected_calibration_error, fit_temperature, softmax
from models.data import SENTIMENT_LABELS
from models.encoder.pretrained import DEFAULT_MODEL, load_pretrained
from models.encoder.trimmed import prepare_encoder
from models.errors import ModelError
from models.evaluation.metrics import dev_score
from models.export.writing import write_artifact
from models.inference import Runner
from models.languages import ENCODER_LANGUAGES
from models.progress import Progress
from models.texts.corpus import Corpus, Limits, read_corpus
from models.texts.sampling import row_weights
from models.topics import TOPIC_LABELS
from models.training.embedding import FeatureCache
from models.training.heads import Head, fit_head, label_masks

__all__ = ["HeadReport", "Recipe", "train"]

CLASSES = {"sentiment": len(SENTIMENT_LABELS), "topic": len(TOPIC_LABELS)}


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training run; the defaults made the shipped artifact.

    ``layers``: whose mean-pooled states are the features. ``decays``: weight decays to choose from on dev. ``temperature``: exponent of
    a set's size in its weight. ``pieces``: vocabulary entries kept.
    """

    version: str = "1.0"
    model: str = DEFAULT_MODEL
    layers: tuple[int, ...] = (4, 8, 12)
    pieces: int = 132_000
    max_length: int = 96
    prefix: str = ""
    limits: Limits = field(default_factory=Limits)
    temperature: float = 0.5
    decays: tuple[float, ...] = (1e-3, 3e-3, 1e-2)


@dataclass(frozen=True)
class HeadReport:
    """What was chosen on dev. ``score``: mean over sets (macro-F1 for sentiment, accuracy for topic), in percent."""

    decay: float
    score: float
    temperature: float
    ece_before: float
    ece_after: float
    rows_train: int
    rows_dev: int


def _fit(task: str, recipe: Recipe, features: dict[str, NDArray[np.float16]], corpus: Corpus) -> tuple[Head, HeadReport]:
    rows, dev = corpus.of(task, "train"), corpus.of(task, "dev")
    targets, universe = label_masks(rows, CLASSES[task])
    weights = row_weights(rows, temperature=recipe.temperature, classes=CLASSES[task])
    best: tuple[float, float, Head] | None = None
    for decay in recipe.decays:
        head = fit_head(features["train"], targets, universe, weights, decay=decay)
        score = dev_score(task, head.logits(features["dev"]), dev)
        if best is None or score > best[0]:
            best = (score, decay, head)
    if best is None:
        raise ModelError("the recipe names no weight decay", mend="give at least one value in Recipe.decays")
    score, decay, head = best
    certain = [index for index, example in enumerate(dev) if example.label is not None]
    labels = np.array([dev[index].targets[0] for index in certain])
    logits = head.logits(features["dev"][certain])
    temperature = fit_temperature(logits, labels)
    report = HeadReport(
        decay=decay,
        score=round(score, 2),
        temperature=round(temperature, 4),
        ece_before=round(expected_calibration_error(softmax(logits), labels), 4),
        ece_after=round(expected_calibration_error(softmax(logits / temperature), labels), 4),
        rows_train=len(rows),
        rows_dev=len(dev),
    )
    return head, report


def train(data: Path, root: Path, cache: Path, recipe: Recipe, progress: Progress) -> tuple[Artifact, dict[str, HeadReport]]:
    """Train on ``data/train`` and write the artifact to ``root``; features are kept under ``cache`` and a broken run resumes.

    Raises:
        ModelError: the extra ``train`` is missing, the encoder cannot be had, or a label is unknown to the tables.
    """
    progress("unpacking the encoder and trimming its vocabulary", 0, 1)
    pretrained = load_pretrained(recipe.model, cache=cache)
    encoder = prepare_encoder(pretrained, data, cache / "encoder", pieces=recipe.pieces)
    graph_path = cache / "encoder" / "features.onnx"
    graph_digest = encoder.features_model(recipe.layers, graph_path)
    key = hashlib.sha256(f"{graph_digest} {recipe.max_length} {recipe.prefix}".encode()).hexdigest()
    corpus = read_corpus(data, recipe.limits)
    store = FeatureCache(cache / "features", key)
    total = sum(map(len, corpus.sets.values()))
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("embedding the labelled text", done, total)

    gathered: dict[tuple[str, str], list[NDArray[np.float16]]] = defaultdict(list)
    with Runner(graph_path, encoder.tokenizer_path, max_length=recipe.max_length, prefix=recipe.prefix) as runner:
        for task, name, split in sorted(corpus.sets):
            texts = [example.text for example in corpus.sets[task, name, split]]
            store.fill(runner, f"{task}-{name}-{split}", texts, advance)
            gathered[task, split].append(store.get(f"{task}-{name}-{split}", texts))
    heads: dict[str, Head] = {}
    reports: dict[str, HeadReport] = {}
    for number, task in enumerate(CLASSES):
        progress(f"fitting the {task} head", number, len(CLASSES))
        features = {split: np.concatenate(gathered[task, split]) for split in ("train", "dev")}
        heads[task], reports[task] = _fit(task, recipe, features, corpus)
    artifact = write_artifact(
        root,
        encoder,
        recipe.layers,
        heads,
        version=recipe.version,
        temperatures={task: report.temperature for task, report in reports.items()},
        max_length=recipe.max_length,
        prefix=recipe.prefix,
        languages=sorted({example.lang for rows in corpus.sets.values() for example in rows} & ENCODER_LANGUAGES),
        provenance={"model": pretrained.label, **{f"sha256:{name}": digest for name, digest in pretrained.sources.items()}},
    )
    record: dict[str, Any] = {
        "recipe": asdict(replace(recipe, model=pretrained.label)),
        "heads": {task: asdict(report) for task, report in reports.items()},
    }
    (root / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    progress("done", 1, 1)
    return artifact, reports
