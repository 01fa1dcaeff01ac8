"""One network out of several runs: the mean of their weights (model soup, Wortsman et al. 2022, arXiv:2203.05482).

It costs nothing in service, unlike an ensemble of answers. The runs must begin from one encoder and train the same layers; step sizes,
seeds, methods and mixtures may differ. Heads are brought to one scale first: each run standardises its features by its own text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.errors import ModelError, require

__all__ = ["average_runs"]

_MEND = "give runs of one encoder and the same frozen layers, heads and methods"


def _rescaled(values: Mapping[str, Any], own: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with heads that give on the scale of ``first`` what they gave on their ``own``."""
    made = dict(values)
    shift = (first["mean"] - own["mean"]) / own["deviation"]
    for name in values:
        if name.startswith("heads.") and name.endswith(".weight"):
            bias = name.removesuffix("weight") + "bias"
            made[name] = values[name] * (first["deviation"] / own["deviation"])
            made[bias] = values[bias] + values[name] @ shift
    return made


def _read(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    torch = require("torch")
    try:
        return tuple(  # type: ignore[return-value]
            dict(torch.load(run / name, weights_only=True, map_location="cpu")) for name in ("best.pt", "checkpoint.pt")
        )
    except OSError as error:
        raise ModelError(f"{run} holds no run: {error.strerror}", mend="give folders of `bellwether models train`") from error


def average_runs(runs: Sequence[Path], out: Path) -> int:
    """Write the mean of the best weights of ``runs`` to the run folder ``out``; return how many tensors it has.

    ``out`` counts as a finished run of the first one's configuration: the same `train CONFIG --run OUT --steps N` that made the first
    exports it, N being the steps that it took.

    Raises:
        ModelError: fewer than two runs, one is absent, their networks differ, or ``out`` is there already.
    """
    if len(runs) < 2:
        raise ModelError("one run has no mean with others", mend="give two or more folders")
    if out.exists():
        raise ModelError(f"{out} is there already", mend="name a new folder with --out")
    torch = require("torch")
    read = [_read(run) for run in runs]
    first_values, first = read[0]
    total = {name: torch.zeros_like(value) for name, value in first_values.items()}
    for run, (values, own) in zip(runs, read, strict=True):
        if {name: value.shape for name, value in values.items()} != {name: value.shape for name, value in first_values.items()}:
            raise ModelError(f"{run} has another network than {runs[0]}", mend=_MEND)
        if any(name.endswith(".lora_a") for name in values):
            raise ModelError(
                f"{run} has adapters, and the mean of products is not the product of means", mend="train the layers themselves"
            )
        for name, value in _rescaled(values, own, first).items():
            total[name] += value / len(runs)
    out.mkdir(parents=True)
    torch.save(total, out / "best.pt")
    torch.save({**first, "parameters": total, "average": total}, out / "checkpoint.pt")
    (out / "averaged.json").write_text(json.dumps([run.name for run in runs]) + "\n", encoding="utf-8")
    return len(total)
