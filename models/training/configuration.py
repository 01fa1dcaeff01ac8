"""The TOML file of a fine-tuning run: every choice, with the value it has when the file does not name it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from models.encoder.pretrained import DEFAULT_MODEL
from models.errors import ModelError
from models.training.methods import Methods

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["FineTuning", "Mixing", "Optimisation", "Watch", "read_configuration", "read_run", "read_section"]


@dataclass(frozen=True)
class Mixing:
    """Which text is seen, and how often.

    ``rows``: texts of one pass. ``limit``: distinct rows a set and language at most (shrunk by the set's ``share``); ``unseen``: that
    share of it for languages the encoder was not pretrained on. ``temperature``: exponent of a group's size in its quota. ``repeats``:
    how often a row may come in one pass. ``topic``: share of the rows that come from topic sets. ``finance``: share of the sentiment
    rows that come from financial sets. ``emphasis``: set -> factor of its quota. ``passes_seen``: passes of an earlier run whose encoder
    this one goes on from; it begins with the rows that come after them.
    """

    rows: int = 110_000
    limit: int = 10_000
    unseen: float = 0.3
    temperature: float = 0.5
    repeats: float = 2.0
    topic: float = 0.3
    finance: float = 0.45
    emphasis: Mapping[str, float] = field(default_factory=dict)
    passes_seen: int = 0


@dataclass(frozen=True)
class Optimisation:
    """AdamW and its schedule: warm-up, a plateau, a linear cool-down over the last ``cooldown`` of ``steps``.

    ``layer_decay``: factor of the step size from a layer to the one below. ``average``: decay of the moving average of the weights,
    which is what is measured and exported; 0 takes the weights as they are. ``tasks``: task -> factor of its loss.
    """

    steps: int = 3_400
    batch: int = 32
    accumulation: int = 1
    learning_rate: float = 8e-5
    head_rate: float = 5e-5
    layer_decay: float = 0.9
    weight_decay: float = 0.01
    warmup: int = 150
    cooldown: float = 0.3
    clip: float = 1.0
    smoothing: float = 0.05
    dropout: float = 0.1
    samples: int = 4
    average: float = 0.998
    tasks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Watch:
    """Every ``every`` steps the dev rows (``rows`` a set and language) are scored and a checkpoint is written.

    The run ends early after ``patience`` scores without a better one. ``tensorboard``: scores also go to event files in the run's
    folder, where the package is installed.
    """

    every: int = 300
    rows: int = 20
    patience: int = 6
    tensorboard: bool = True


@dataclass(frozen=True)
class FineTuning:
    """A fine-tuning run. ``frozen``: lower layers that stay as they are; ``feature_layers``: whose pooled states the heads see.

    ``train_length``: tokens of a text in training; ``max_length``: tokens in serving. ``probe``: rows on which the heads are fitted
    before the encoder moves. ``threads``: processor threads of PyTorch.
    """

    version: str = "2.0"
    seed: int = 17
    model: str = DEFAULT_MODEL
    pieces: int = 132_000
    max_length: int = 96
    train_length: int = 64
    frozen: int = 4
    feature_layers: tuple[int, ...] = (4, 8, 12)
    probe: int = 6_000
    threads: int = 2
    mixing: Mixing = field(default_factory=Mixing)
    optimisation: Optimisation = field(default_factory=Optimisation)
    watch: Watch = field(default_factory=Watch)
    methods: Methods = field(default_factory=Methods)

    def digest(self) -> str:
        """What a checkpoint must have in common with the run that resumes it: everything but the length of the run."""
        fields = asdict(self)
        for section, name in (("optimisation", "steps"), ("optimisation", "cooldown"), ("watch", "patience")):
            del fields[section][name]
        del fields["watch"]["tensorboard"]
        # A run of the time before there were methods, or runs that go on from another, goes on as one without any.
        if not self.mixing.passes_seen:
            del fields["mixing"]["passes_seen"]
        if self.methods == Methods():
            del fields["methods"]
        for name in ("version", "threads", "max_length"):
            del fields[name]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


_Section = TypeVar("_Section", bound="DataclassInstance")
_Run = TypeVar("_Run", bound=FineTuning)


def read_section(kind: type[_Section], values: Mapping[str, Any], place: str) -> _Section:
    """A ``kind`` of ``values`` and, where they are silent, its defaults; ``place`` is named where a value is wrong.

    Raises:
        ModelError: a setting is unknown or of the wrong kind.
    """
    defaults = kind()
    known = {one.name for one in dataclasses.fields(kind)}
    chosen: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise ModelError(f"{place}: unknown setting {name!r}", mend=f"the settings are {', '.join(sorted(known))}")
        usual = getattr(defaults, name)
        wanted: type | tuple[type, ...] = type(usual)
        if isinstance(usual, float):
            wanted = (int, float)
        elif isinstance(usual, tuple):
            wanted, value = tuple, tuple(value) if isinstance(value, list) else value
        if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(usual, bool):
            raise ModelError(f"{place}: {name} is {value!r}", mend=f"give a value like {usual!r}")
        chosen[name] = value
    return dataclasses.replace(defaults, **chosen)


def _table(raw: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    values = raw.pop(name, {})
    if not isinstance(values, dict):
        raise ModelError(f"{path.name}: {name} is no section", mend=f"write [{name}]")
    return values


def read_configuration(path: Path, *, steps: int | None = None, version: str | None = None) -> FineTuning:
    """:func:`read_run` of a fine-tuning run."""
    return read_run(path, FineTuning, steps=steps, version=version)


def read_run(path: Path, kind: type[_Run], *, steps: int | None = None, version: str | None = None) -> _Run:
    """Read a run's TOML file; the sections are ``[mixing]``, ``[optimisation]``, ``[watch]`` and ``[methods]``, all else stands at the top.

    ``steps`` and ``version`` take the place of the file's.

    Raises:
        ModelError: the file is absent or no TOML, a setting is unknown, of the wrong kind or impossible.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"cannot read {path}: {error}", mend="give a TOML file like models/configs/base.toml") from error
    sections: dict[str, Any] = {
        "mixing": read_section(Mixing, _table(raw, "mixing", path), f"{path.name} [mixing]"),
        "optimisation": read_section(Optimisation, _table(raw, "optimisation", path), f"{path.name} [optimisation]"),
        "watch": read_section(Watch, _table(raw, "watch", path), f"{path.name} [watch]"),
        "methods": read_section(Methods, _table(raw, "methods", path), f"{path.name} [methods]"),
    }
    sections["methods"].demand(f"{path.name} [methods]")
    if steps is not None:
        sections["optimisation"] = dataclasses.replace(sections["optimisation"], steps=steps)
    if version is not None:
        raw["version"] = version
    run = dataclasses.replace(read_section(kind, raw, path.name), **sections)
    if not run.feature_layers or min(run.feature_layers) < run.frozen:
        raise ModelError(f"{path.name}: feature_layers {run.feature_layers} lie below frozen = {run.frozen}", mend="name higher layers")
    if min(run.optimisation.steps, run.optimisation.batch, run.optimisation.accumulation, run.watch.every) < 1:
        raise ModelError(f"{path.name}: steps, batch, accumulation and every must be 1 or more", mend="leave them out for the usual values")
    return run
