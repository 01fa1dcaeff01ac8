"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685): the layers stay as they are, and small products are learnt on top.

A matrix ``W`` ``[out, in]`` acts as ``W + scale * B @ A`` with ``A`` ``[rank, in]`` and ``B`` ``[out, rank]``. ``B`` begins at nought, so
a run begins with the encoder as it is. Every matrix of a layer gets an adapter (Dettmers et al. 2023, arXiv:2305.14314, found that it is
the choice that reaches full fine-tuning). The library ``peft`` wraps ``torch.nn.Module`` trees; the network here is functions of a
dictionary of tensors under the exporter's names, so that nothing is translated on the way out, and has no modules to wrap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from models.errors import require

__all__ = ["DOWN", "UP", "adapters", "merged"]

DOWN, UP = ".lora_a", ".lora_b"


def adapters(weights: Mapping[str, Any], rank: int, seed: int = 17) -> dict[str, Any]:
    """Adapters of every matrix in ``weights`` (names that end in ``.weight``, two dimensions): name -> tensor, to be trained.

    ``seed``: of the first values, so that the same run begins the same.
    """
    torch = require("torch")
    made: dict[str, Any] = {}
    chance = torch.Generator().manual_seed(seed)
    for name, weight in weights.items():
        if name.endswith(".weight") and weight.ndim == 2:
            out, inside = weight.shape
            made[name + DOWN] = torch.nn.init.kaiming_uniform_(torch.empty(rank, inside), a=math.sqrt(5), generator=chance)
            made[name + UP] = torch.zeros(out, rank)
    return made


def merged(weight: Any, values: Mapping[str, Any], name: str, scale: float) -> Any:
    """``weight`` with the adapter that ``values`` hold for ``name``."""
    return weight + scale * (values[name + UP] @ values[name + DOWN])
