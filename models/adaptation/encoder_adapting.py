"""Adapting the upper layers of a model and one head to a user's labels, from the text to the new model folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.adaptation.adapting import CHECKED_TEXTS, demand_gain, faithful, held_record, unused
from models.adaptation.choice import Held, HeldOut, estimate
from models.adaptation.decay import Decay
from models.adaptation.encoder_choice import SHARES, HeadFit, Trial, Trials, final, try_out
from models.adaptation.fitting import NewRows, OldRows
from models.adaptation.labels import Labels, resolve_classes
from models.adaptation.lower_layers import LowerLayers, lower_layers
from models.adaptation.old_answers import OldAnswers, complaint, split_old
from models.adaptation.old_texts import OldText
from models.adaptation.problem import MEND, Kin, calibrated, related, universe_of
from models.adaptation.replay import Replay, Space
from models.adaptation.replay_making import DIMS, old_rows
from models.adaptation.tuning import Kept, Taught, Tuner, Tuning
from models.adaptation.upper_graph import UpperGraph
from models.adaptation.writing import Adapted, decay_record, earlier_within, extended_replay, write_adapted
from models.artifact import Artifact
from models.calibration.temperature import softmax
from models.encoder.restoration import Restored, restore
from models.encoder.trimmed import Encoder
from models.errors import ModelError, require
from models.export.writing import serving_graph
from models.progress import Progress
from models.training.heads import Head

__all__ = ["EncoderAdaptation", "adapt_encoder"]

#: How far the written graph may lie from the one cut at the frozen layers, whose states are kept in 16 bits.
TOLERANCE = 0.05


@dataclass(frozen=True)
class EncoderAdaptation:
    """What was done.

    Attributes:
        artifact: the new model.
        new: classes that the head did not have.
        rows: texts learnt from.
        trial: steps of training, and the share of the adapters that is kept.
        decays: head -> what became of its answers to old texts; the head that learnt comes first.
        drawn: heads whose labels of old texts were drawn from the base model's own probabilities.
        refused: shares tried before, and what each would have done.
        held: ``accuracy`` and ``macro_f1`` before and after, as to be expected on more texts of this kind.
        layers: how many upper layers moved.
    """

    artifact: Artifact
    new: Sequence[str]
    rows: int
    trial: Trial
    decays: Mapping[str, Decay]
    drawn: Sequence[str]
    refused: Sequence[tuple[float, str]]
    held: Mapping[str, Held]
    layers: int


@dataclass(frozen=True)
class _Wish:
    """What is asked for: ``places`` are the classes of the labels, row by row; ``fit`` and ``check`` the old texts of both kinds."""

    artifact: Artifact
    labels: Labels
    task: str
    classes: Sequence[str]
    places: Sequence[int]
    within: Mapping[str, str]
    fit: Sequence[OldText]
    check: Sequence[OldText]

    @property
    def taught(self) -> Taught:
        """The labels, to train on."""
        universe = universe_of(self.task, self.classes, self.places)
        return Taught([row.text for row in self.labels.rows], np.array(self.places, np.int64), universe)

    @property
    def new(self) -> Sequence[str]:
        """Classes that the head does not have yet."""
        return self.classes[len(self.artifact.labels(self.task)) :]


@dataclass(frozen=True)
class _Ground:
    """The base model and what it answers: everything that a candidate is made from and judged by."""

    restored: Restored
    lower: LowerLayers
    kin: Kin
    tuner: Tuner
    fit: HeadFit
    answers: OldAnswers


@dataclass(frozen=True)
class _Candidate:
    """An encoder, its heads before calibration, its features of the old texts to measure on, and what it does to them."""

    trial: Trial
    encoder: Encoder
    heads: Mapping[str, Head]
    upper: UpperGraph
    features: NDArray[np.float16]
    decays: Mapping[str, Decay]


def _ground(wish: _Wish, restored: Restored, lower: LowerLayers, kin: Kin, chosen: Tuning, progress: Progress) -> _Ground:
    task, taught = wish.task, wish.taught
    fit, check = [one.text for one in wish.fit], [one.text for one in wish.check]
    lower.fill([*taught.texts, *fit, *check], progress)
    base = UpperGraph(restored.encoder, restored.layers, lower)
    held_by, new, measured = (base.features(texts, "asking the base model", progress) for texts in (fit, taught.texts, check))
    head = restored.heads[task]
    known = len(head.bias)
    members = np.zeros((len(kin.taught), known), np.float32)
    for place, parent in enumerate(kin.taught):
        if parent is not None:
            members[place, parent] = 1.0
    kept = Kept(fit, {name: softmax(one.logits(held_by)).astype(np.float32) for name, one in restored.heads.items()}, members)
    space = Space.of(held_by, list(restored.heads.values()), DIMS)
    coordinates = space.coordinates(held_by)
    rows = NewRows(space.coordinates(new), head.logits(new).astype(np.float64), taught.labels, taught.universe)
    return _Ground(
        restored=restored,
        lower=lower,
        kin=kin,
        tuner=Tuner(restored, lower, task, kept, chosen),
        fit=HeadFit(space, head, rows, OldRows(coordinates, space.logits(head, coordinates)[:, :known]), kin),
        answers=OldAnswers.of(wish.check, restored.heads, measured),
    )


def _accepted(wish: _Wish, ground: _Ground, steps: int, progress: Progress) -> tuple[_Candidate, list[tuple[float, str]]]:
    """Train on all labels and find the greatest share of the adapters under which nothing old decays; and the shares refused before it.

    Raises:
        ModelError: something decays even under the least.
    """
    network, weights = final(ground.tuner, ground.fit, wish.taught, steps, progress)
    heads = {**ground.restored.heads, wish.task: network.heads(weights)[wish.task]}
    encoder, check = ground.restored.encoder, [one.text for one in wish.check]
    refused: list[tuple[float, str]] = []
    for share in SHARES:
        moved = dataclasses.replace(encoder, tensors={**encoder.tensors, **ground.tuner.tensors(network, weights, share)})
        upper = UpperGraph(moved, ground.restored.layers, ground.lower)
        features = upper.features(check, f"measuring the old languages, {share:g} of the adapters", progress)
        decays = ground.answers.decays(heads, features, wish.task, ground.kin)
        why = complaint(decays)
        if why is None:
            ordered = {wish.task: decays[wish.task], **decays}
            return _Candidate(Trial(steps, share), moved, heads, upper, features, ordered), refused
        refused.append((share, why))
    message = f"refused: the old languages would decay, {refused[-1][1]}, even with {SHARES[-1]:g} of the adapters"
    raise ModelError(message, mend=f"--method heads, which moves less; or {MEND}")


def _record(
    wish: _Wish, ground: _Ground, found: _Candidate, refused: Sequence[tuple[float, str]], trials: Trials, held: Mapping[str, Held]
) -> dict[str, Any]:
    watched = trials.watched
    return {
        "task": wish.task,
        "method": "lora",
        "tuning": asdict(ground.tuner.chosen),
        "rows": len(wish.labels.rows),
        "dropped": wish.labels.dropped,
        "labels_sha256": wish.labels.digest,
        "new_classes": list(wish.new),
        "setting": asdict(found.trial),
        "refused": [{"share": share, "decayed": why} for share, why in refused],
        "held_out": held_record(held),
        "held_out_rows": len(trials.rows),
        "held_out_loss": {
            "head alone": round(trials.loss_alone, 4),
            **{f"{trial.steps} steps": round(float(watched.losses(trial).mean()), 4) for trial in watched.logits},
        },
        "old_texts": decay_record(found.decays[wish.task]),
        "old_texts_of_other_heads": {name: decay_record(one) for name, one in found.decays.items() if name != wish.task},
        "old_labels_drawn": list(ground.answers.drawn),
    }


def adapt_encoder(
    artifact: Artifact,
    labels: Labels,
    task: str,
    out: Path,
    old: Sequence[OldText],
    cache: Path,
    progress: Progress,
    *,
    within: Mapping[str, str] | None = None,
    chosen: Tuning | None = None,
) -> EncoderAdaptation:
    """Train adapters of the upper layers and the head of ``task`` on ``labels``, and write the new model to ``out``.

    Args:
        old: texts that hold the model, and texts to measure decay on.
        cache: where the states of the frozen layers are kept.
        within: new class -> the old class that it is a part of; on old texts it counts as the old one.

    Raises:
        ModelError: the extra ``train`` is missing, there are too few old texts, the labels cannot be learnt from, they teach nothing that
            holds on held-out ones, or nothing that a new head would not learn without moving a layer, ``out`` is there already, or a
            language would decay whatever share of the adapters is kept. Nothing is written then.
    """
    require("torch")
    artifact.verify()
    unused(out)
    known = artifact.labels(task)
    classes, places = resolve_classes(labels.rows, task, known)
    wish = _Wish(artifact, labels, task, classes, places, within or {}, *split_old(old))
    kin = related(classes, known, wish.within, earlier_within(artifact, task))
    progress("reading the model back", 0, 1)
    restored = restore(artifact)
    if task not in restored.heads:
        raise ModelError(f"the graph of {artifact.model_id} has no head {task!r}", mend="name another task")
    tuning = chosen or Tuning()
    layers = int(restored.encoder.config["num_hidden_layers"])
    frozen = max(1, layers - tuning.layers)
    with lower_layers(artifact, restored, frozen, cache) as lower:
        ground = _ground(wish, restored, lower, kin, tuning, progress)
        trials = try_out(ground.tuner, ground.fit, wish.taught, progress)
        trials.demand_more_than_the_head()
        found, refused = _accepted(wish, ground, trials.steps, progress)
        judged = trials.watched if found.trial.share == 1.0 else trials.held([found.trial])
        held = estimate(judged, trials.base)
        demand_gain(held)
        record = _record(wish, ground, found, refused, trials, held)
        made = _write(wish, ground, found, _temperature(wish, ground, found, judged, trials, record), record, out, progress)
    return EncoderAdaptation(
        made, wish.new, len(labels.rows), found.trial, found.decays, ground.answers.drawn, refused, held, layers - frozen
    )


def _temperature(wish: _Wish, ground: _Ground, found: _Candidate, judged: HeldOut[Trial], trials: Trials, record: dict[str, Any]) -> float:
    """The temperature of the head that learnt, noted in ``record`` with the calibration error."""
    rows = ground.answers.known(wish.task)
    logits = found.heads[wish.task].logits(found.features[rows]).astype(np.float64)
    outermost = ground.kin.measured[ground.answers.labels[wish.task][rows]]
    temperature, errors = calibrated(ground.kin, judged, found.trial, trials.base, logits, outermost)
    record |= {"temperature": round(temperature, 4), "held_out_ece": [round(value, 4) for value in errors]}
    return temperature


def _write(
    wish: _Wish, ground: _Ground, found: _Candidate, temperature: float, record: Mapping[str, Any], out: Path, progress: Progress
) -> Artifact:
    task, texts = wish.task, wish.taught.texts
    heads = {**found.heads, task: found.heads[task].at_temperature(temperature)}
    graph = serving_graph(found.encoder, ground.restored.layers, heads).model().SerializeToString(deterministic=True)
    moved = (
        f"The {ground.tuner.chosen.layers} upper layers have moved too (LoRA, merged into them), and with them the embedding and what the "
        "other heads read: how well these still answer stands in `training.json`. The base's card and licence hold for the rest."
    )

    def finish(made: Artifact) -> Replay:
        fresh = found.upper.features(texts, "writing the replay rows", progress)
        faithful(made, task, heads[task], texts[:CHECKED_TEXTS], fresh[:CHECKED_TEXTS], TOLERANCE)
        held_by = found.upper.features([one.text for one in wish.fit], "writing the replay rows", progress)
        features = np.concatenate([held_by, found.features])
        space = Space.of(features, list(heads.values()), DIMS)
        replay = old_rows(made, space, list(heads), [*wish.fit, *wish.check], features)
        return extended_replay(replay, made, task, wish.labels, fresh, wish.places)

    adapted = Adapted(task, graph, wish.classes, wish.within, temperature, moved, record)
    return write_adapted(wish.artifact, out, adapted, wish.labels, finish)
