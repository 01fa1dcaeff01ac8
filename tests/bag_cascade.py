"""A cascade before a bag of words: a static model that is sure of one word of each class of :mod:`bag_model` and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from bag_model import SENTIMENTS, TOPICS, WORDS

from models.artifact import Artifact
from models.cascade.plan import PLAN, STATIC, Plan, Stage, Temperatures, file_digest
from models.encoder.quantization import Rows
from models.students.static_model import StaticModel
from models.training.heads import Head

__all__ = ["SURE", "UNSURE", "write_cascade"]

#: A text that the static model answers, and one that it leaves to the encoder.
SURE = "today the profit of the bank soon again"
UNSURE = "today the win of the market soon again"


def _head(classes: Mapping[str, Sequence[str]]) -> Head:
    weights = np.zeros((len(WORDS), len(classes)), np.float32)
    for column, words in enumerate(classes.values()):
        weights[WORDS.index(words[0]), column] = 80.0
    return Head(weights, np.zeros(len(classes), np.float32))


def write_cascade(
    artifact: Artifact,
    *,
    threshold: float = 0.8,
    blend: tuple[float, float] = (0.25, 0.5),
    languages: Sequence[str] = ("de", "en"),
    model_id: str | None = None,
    temperatures: Temperatures = (),
) -> Plan:
    """Put ``static.npz`` and ``cascade.json`` into the folder of ``artifact``, a model of :func:`bag_model.write_model`."""
    size = len(WORDS)
    table = Rows(np.vstack([64 * np.eye(size), np.zeros((1, size))]).astype(np.int8), np.full(size + 1, 1 / 64, np.float32))
    same = Head(np.eye(size, dtype=np.float32), np.zeros(size, np.float32))
    StaticModel(table, size, same, {"sentiment": _head(SENTIMENTS), "topic": _head(TOPICS)}, same).save(artifact.root / STATIC)
    stage = Stage("static", STATIC, file_digest(artifact.root / STATIC), threshold, threshold)
    plan = Plan(model_id or artifact.model_id, (stage,), blend, tuple(languages), temperatures)
    (artifact.root / PLAN).write_text(json.dumps({**asdict(plan), "measured": {}}), encoding="utf-8")
    return plan
