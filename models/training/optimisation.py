"""Step sizes by layer and by step, and the moving average of the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from models.errors import require
from models.training.configuration import Optimisation
from models.training.network import Network

__all__ = ["advance_average", "make_optimizer", "rate_factor", "set_rates"]

_LAYER = re.compile(r"encoder\.layer\.(\d+)\.")


def rate_factor(step: int, chosen: Optimisation) -> float:
    """Factor of every step size at ``step`` (from 0): linear warm-up, plateau, linear cool-down to zero at ``steps``.

    The plateau does not depend on ``steps``, so a run can be made longer after it was interrupted (Hu et al. 2024, arXiv:2404.06395).
    """
    if step < chosen.warmup:
        return (step + 1) / chosen.warmup
    cooling = max(1, round(chosen.cooldown * chosen.steps))
    return max(0.0, min(1.0, (chosen.steps - step) / cooling))


def make_optimizer(network: Network, chosen: Optimisation) -> Any:
    """AdamW with one group a tensor; weights decay, biases and norms do not. Step sizes fall by ``layer_decay`` a layer, top to bottom."""
    top = max(network.layers, default=0)
    groups = []
    for name, parameter in network.parameters.items():
        layer = _LAYER.match(name)
        rate = chosen.head_rate if layer is None else chosen.learning_rate * chosen.layer_decay ** (top - int(layer[1]))
        groups.append({"params": [parameter], "lr": rate, "base": rate, "weight_decay": chosen.weight_decay if parameter.ndim > 1 else 0.0})
    return require("torch").optim.AdamW(groups, fused=True)


def set_rates(optimizer: Any, factor: float) -> None:
    """Give every group ``factor`` times its own step size."""
    for group in optimizer.param_groups:
        group["lr"] = group["base"] * factor


def advance_average(average: Mapping[str, Any], parameters: Mapping[str, Any], step: int, decay: float) -> None:
    """Move ``average`` toward ``parameters`` after ``step`` steps; early on it follows faster, for it began at the start."""
    torch = require("torch")
    with torch.no_grad():
        torch._foreach_lerp_(list(average.values()), [parameters[name] for name in average], 1 - min(decay, (1 + step) / (10 + step)))
