"""Adversarial training by the fast gradient method (Miyato et al. 2017, arXiv:1605.07725), on the states of the frozen layers.

A text's states are moved a small step in the direction that raises its loss most, and the network learns from the moved text too. The
paper moves word embeddings; here the lowest states that are trained on take their place, for what lies below does not move.
"""

from __future__ import annotations

from typing import Any

from models.errors import require

__all__ = ["adversarial_states"]


def adversarial_states(states: Any, gradient: Any, share: float) -> Any:
    """``states`` ``[batch, sequence, hidden]`` moved along ``gradient``, each text by ``share`` of the length of its own states.

    Padding has states and gradient of nought and does not move; nor does a text without gradient.
    """
    torch = require("torch")
    with torch.no_grad():
        slope = gradient.flatten(1).norm(dim=1)
        length = states.flatten(1).norm(dim=1)
        step = torch.where(slope > 0, share * length / slope.clamp_min(torch.finfo(gradient.dtype).tiny), torch.zeros_like(slope))
        return states.detach() + step[:, None, None] * gradient
