"""Drawing texts of one meaning together across languages: supervised contrastive loss, and translation pairs.

The supervised contrastive loss is that of Khosla et al. 2020 (arXiv:2004.11362, their L_out); a positive of a text has its label and
another language, so that the language itself cannot be what makes them alike. Texts of the same label and language are neither drawn
nor pushed.
"""

from __future__ import annotations

from typing import Any

from models.errors import require

__all__ = ["contrastive_loss", "translation_loss"]


def contrastive_loss(features: Any, labels: Any, languages: Any, temperature: float) -> Any:
    """Sum over the texts that have a positive in the batch; 0 where none has.

    Args:
        features: ``[batch, width]``; only directions count.
        labels: int64 ``[batch]``, -1 for a text without a label, which takes no part.
        languages: int64 ``[batch]``.
    """
    torch = require("torch")
    inside = labels >= 0
    features, labels, languages = features[inside], labels[inside], languages[inside]
    same_label = labels[:, None] == labels[None, :]
    same_language = languages[:, None] == languages[None, :]
    positive = same_label & ~same_language
    anchors = positive.any(1)
    if not bool(anchors.any()):
        return features.sum() * 0.0
    directions = torch.nn.functional.normalize(features, dim=1)
    likeness = directions @ directions.T / temperature
    compared = positive | ~same_label
    among = likeness.masked_fill(~compared, float("-inf")).logsumexp(1, keepdim=True)
    losses = torch.where(positive, among - likeness, torch.zeros_like(likeness)).sum(1)[anchors] / positive.sum(1)[anchors]
    return losses.sum()


def translation_loss(features: Any, translated: Any, temperature: float) -> Any:
    """Sum over pairs: each row of ``features`` ``[pairs, width]`` must be nearer to its own row of ``translated`` than to the others,
    and the other way about (InfoNCE in both directions, van den Oord et al. 2018, arXiv:1807.03748).
    """
    torch = require("torch")
    normalize = torch.nn.functional.normalize
    likeness = normalize(features, dim=1) @ normalize(translated, dim=1).T / temperature
    own = torch.arange(len(likeness), device=likeness.device)
    entropy = torch.nn.functional.cross_entropy
    return (entropy(likeness, own, reduction="sum") + entropy(likeness.T, own, reduction="sum")) / 2
