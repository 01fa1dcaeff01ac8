"""Adapting a head of a model to a user's labels, from the features to the new model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptation.choice import Held, estimate, folds
from models.adaptation.graph import ServedModel
from models.adaptation.labels import Labels, resolve_classes
from models.adaptation.problem import Outcome, make_problem, related, solve
from models.adaptation.replay import Replay
from models.adaptation.replay_making import compute_features
from models.adaptation.writing import Adapted, decay_record, earlier_within, extended_replay, write_adapted
from models.artifact import Artifact
from models.calibration.temperature import softmax
from models.errors import ModelError
from models.inference import Runner
from models.progress import Progress
from models.training.heads import Head

__all__ = ["Adaptation", "adapt", "demand_gain", "faithful", "held_record", "unused"]

#: How far the written graph's probabilities may lie from those that were fitted.
TOLERANCE = 2e-3
CHECKED_TEXTS = 32


@dataclass(frozen=True)
class Adaptation:
    """What was done.

    Attributes:
        artifact: the new model.
        new: classes that the head did not have.
        rows: texts learnt from.
        outcome: setting, decay, what was refused, calibration.
        held: ``accuracy`` and ``macro_f1`` before and after, as to be expected on more texts of this kind.
    """

    artifact: Artifact
    new: Sequence[str]
    rows: int
    outcome: Outcome
    held: Mapping[str, Held]


def held_record(held: Mapping[str, Held]) -> dict[str, Any]:
    """What ``training.json`` says of the held-out labels."""
    return {name: {field: round(value, 1) for field, value in asdict(one).items()} for name, one in held.items()}


def _record(labels: Labels, task: str, new: Sequence[str], outcome: Outcome, held: Mapping[str, Held]) -> dict[str, Any]:
    return {
        "task": task,
        "rows": len(labels.rows),
        "dropped": labels.dropped,
        "labels_sha256": labels.digest,
        "new_classes": list(new),
        "setting": asdict(outcome.setting),
        "refused": [{**asdict(setting), "decayed": why} for setting, why in outcome.refused],
        "temperature": round(outcome.temperature, 4),
        "held_out": held_record(held),
        "held_out_ece": [round(value, 4) for value in outcome.calibration],
        "old_texts": decay_record(outcome.decay),
    }


def faithful(made: Artifact, task: str, head: Head, texts: Sequence[str], features: NDArray[np.float16], tolerance: float) -> None:
    """Compare the written graph's probabilities with those that were fitted, on real text.

    Raises:
        ModelError: they differ.
    """
    expected = softmax(head.logits(features))
    with Runner(made.onnx_path, made.tokenizer_path, max_length=made.max_length, prefix=made.prefix) as runner:
        for rows, (found,) in runner.results(texts, [task]):
            gap = float(np.abs(found - expected[rows]).max())
            if gap > tolerance:
                raise ModelError(f"{made.onnx_path} does not answer as fitted: {gap:.4f} apart", mend="report this as a defect")


def unused(out: Path) -> None:
    """Refuse to write over anything.

    Raises:
        ModelError: ``out`` is a file, or a folder that is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out} is there already", mend="name a folder that does not exist")


def demand_gain(held: Mapping[str, Held]) -> None:
    """Refuse what helps nobody.

    Raises:
        ModelError: no figure is better on the held-out labels.
    """
    if all(one.after <= one.before for one in held.values()):
        one = held["macro_f1"]
        message = f"refused: on held-out labels the adapted head is no better, macro-F1 {one.before:.1f} -> {one.after:.1f} %"
        raise ModelError(message, mend="label more texts, and such that the model gets wrong today")


def adapt(
    artifact: Artifact,
    labels: Labels,
    task: str,
    out: Path,
    replay: Replay,
    cache: Path,
    progress: Progress,
    *,
    within: Mapping[str, str] | None = None,
) -> Adaptation:
    """Fit the head of ``task`` to ``labels`` and write the new model to ``out``, with replay rows of its own.

    Args:
        replay: rows of ``artifact``, see :func:`models.adaptation.replay.load_replay`.
        cache: where features are kept.
        within: new class -> the old class that it is a part of; on old texts it counts as the old one.

    Raises:
        ModelError: the labels cannot be learnt from or teach nothing that holds on held-out ones, the replay rows are another model's,
            ``out`` is there already, or every fit would make an old language decay. Nothing is written then.
    """
    artifact.verify()
    replay.belongs_to(artifact)
    unused(out)
    known = artifact.labels(task)
    served = ServedModel(artifact.onnx_path)
    if task not in served.heads:
        raise ModelError(f"the graph of {artifact.model_id} has no head {task!r}", mend="name another task")
    classes, places = resolve_classes(labels.rows, task, known)
    kin = related(classes, known, within or {}, earlier_within(artifact, task))
    texts = [row.text for row in labels.rows]
    features = compute_features(artifact, served, texts, cache, "labelled texts", progress)
    problem = make_problem(task, served.heads[task], classes, places, features, replay, kin)
    outcome = solve(problem, folds(texts, problem.new.labels), progress)
    held = estimate(outcome.held, problem.new.base)
    demand_gain(held)
    new = classes[len(known) :]
    change = outcome.change
    head = replay.space.applied(served.heads[task], change.matrix, change.bias).at_temperature(outcome.temperature)
    moved = "Encoder and other heads are those of the base, whose card and licence hold for them."
    graph, record = served.with_heads({task: head}), _record(labels, task, new, outcome, held)
    adapted = Adapted(task, graph, classes, within or {}, outcome.temperature, moved, record)

    def finish(made: Artifact) -> Replay:
        faithful(made, task, head, texts[:CHECKED_TEXTS], features[:CHECKED_TEXTS], TOLERANCE)
        return extended_replay(replay, made, task, labels, features, places)

    progress("writing the model", 0, 1)
    made = write_adapted(artifact, out, adapted, labels, finish)
    return Adaptation(made, new, len(texts), outcome, held)
