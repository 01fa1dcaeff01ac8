"""A student: a shallow encoder made of its teacher's layers, and the choices of its training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from models.encoder.trimmed import Encoder
from models.errors import ModelError
from models.training.configuration import FineTuning, read_run

__all__ = ["TEACHERS", "Distillation", "read_distillation", "shallow"]

#: Settings of a fine-tuning run that a student has from its teacher.
TEACHERS = ("model", "pieces", "max_length")


@dataclass(frozen=True)
class Distillation(FineTuning):
    """A student of ``frozen`` lower layers of its teacher and one trained layer for each of ``begin``.

    ``texts``: the first lessons of the first pass, which the teacher is asked about and which the student sees pass after pass.
    ``streams``: texts without label that the teacher is asked about too, from news streams at most; they stand in every pass.
    ``begin``: teacher layers (from 1) that the trained layers begin as. ``drawn``: teacher layer to whose pooled states those of each
    trained layer are drawn, where the heads of both see them. ``feature_layers``: layers of the student that its heads see.
    ``soft``, ``gold`` and ``hidden``: factors of the three losses, the teacher's answers (at temperature ``softness``), the labels, and
    the pooled states.
    """

    feature_layers: tuple[int, ...] = (4, 5, 6)
    begin: tuple[int, ...] = (5, 6)
    drawn: tuple[int, ...] = (8, 12)
    texts: int = 24_000
    streams: int = 0
    soft: float = 0.7
    gold: float = 0.3
    hidden: float = 0.5
    softness: float = 2.0

    @property
    def layers(self) -> int:
        """Layers of the student."""
        return self.frozen + len(self.begin)


def read_distillation(path: Path, *, steps: int | None = None, version: str | None = None) -> Distillation:
    """Read the TOML file of a student; see :func:`models.training.configuration.read_run`.

    Raises:
        ModelError: the file is absent or no TOML, a setting is unknown, of the wrong kind or impossible.
    """
    chosen = read_run(path, Distillation, steps=steps, version=version)
    usual = FineTuning()
    told = [name for name in TEACHERS if getattr(chosen, name) != getattr(usual, name)]
    if told:
        raise ModelError(f"{path.name}: a student has {', '.join(told)} from its teacher", mend=f"take {', '.join(told)} out of the file")
    if not chosen.begin or max(chosen.feature_layers) > chosen.layers or chosen.softness <= 0:
        message = f"{path.name}: begin {chosen.begin} and frozen {chosen.frozen} make no layers for feature_layers {chosen.feature_layers}"
        raise ModelError(message, mend="feature_layers lie between frozen and frozen + the number of layers in begin; softness is above 0")
    if len(chosen.drawn) != len(chosen.begin):
        message = f"{path.name}: drawn {chosen.drawn} and begin {chosen.begin} are of different length"
        raise ModelError(message, mend="name one teacher layer in drawn for each layer of begin")
    return chosen


def shallow(teacher: Encoder, frozen: int, begin: tuple[int, ...]) -> Encoder:
    """The ``frozen`` lowest layers of ``teacher``, then copies of its layers ``begin`` (from 1), vocabulary and tokenizer the same.

    Raises:
        ModelError: the teacher has no such layer.
    """
    deepest = int(teacher.config["num_hidden_layers"])
    if not 0 < frozen <= deepest or not all(1 <= layer <= deepest for layer in begin):
        raise ModelError(f"the teacher has {deepest} layers, not {max(frozen, *begin)}", mend="name its own layers in frozen and begin")
    origins = [*range(frozen), *(layer - 1 for layer in begin)]
    tensors = {name: values for name, values in teacher.tensors.items() if not name.startswith("encoder.layer.")}
    for layer, origin in enumerate(origins):
        prefix = f"encoder.layer.{origin}."
        for name, values in teacher.tensors.items():
            if name.startswith(prefix):
                tensors[f"encoder.layer.{layer}.{name.removeprefix(prefix)}"] = values
    return dataclasses.replace(teacher, tensors=tensors, config={**teacher.config, "num_hidden_layers": len(origins)})
