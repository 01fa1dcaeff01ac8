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

from models.encoder.quantization import ROW_LIMIT
from models.errors import require

__all__ = ["DOWN", "UP", "adapters", "dithers", "merged", "rounded"]

DOWN, UP = ".lora_a", ".lora_b"
#: How near to 0 and 1 a threshold of rounding may come: a weight that lies on a level, but for the last bit, stays there.
MARGIN = 0.01


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


def dithers(weights: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A threshold of rounding for every element of the matrices in ``weights``, even between 0 and 1: the same for the same ``seed``."""
    torch = require("torch")
    chance = torch.Generator().manual_seed(seed)
    matrices = {name: weight for name, weight in weights.items() if weight.ndim == 2}
    return {name: torch.rand(weight.shape, generator=chance) * (1 - 2 * MARGIN) + MARGIN for name, weight in matrices.items()}


def rounded(weight: Any, dither: Any) -> Any:
    """``weight`` ``[out, in]`` on the levels of :func:`models.encoder.quantization.quantize_rows`, with ``dither`` for its threshold.

    Weights that were read back from an int8 graph lie on these levels already. An adapter moves most of them by a part of a step, and
    rounding to the nearest level would take the whole adapter back. Dithered (Roberts 1962), a weight that moved by a fifth of a step
    changes its level in one place of five, and sums over a row are kept. Gradients pass as if nothing had been rounded (Bengio et al.
    2013, arXiv:1308.3432), so what is trained is what is served.
    """
    torch = require("torch")
    with torch.no_grad():
        scale = weight.abs().amax(1, keepdim=True) / ROW_LIMIT
        scale = torch.where(scale == 0, 1.0, scale)
        error = torch.floor(weight / scale + dither).clamp(-ROW_LIMIT, ROW_LIMIT) * scale - weight
    return weight + error
