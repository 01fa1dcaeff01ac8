"""Linear heads on frozen features: weighted multinomial logistic regression that also learns from incomplete labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.data import Example
from models.errors import require

__all__ = ["Head", "fit_head", "label_masks"]

MAX_STEPS = 120


@dataclass(frozen=True)
class Head:
    """``logits = features @ weights + bias``: ``weights`` float32 ``[features, classes]``, ``bias`` float32 ``[classes]``."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Logits ``[n, classes]`` of features ``[n, width]``."""
        result: NDArray[np.float32] = features.astype(np.float32) @ self.weights + self.bias
        return result

    def at_temperature(self, temperature: float) -> Head:
        """The head whose softmax is this one's at ``temperature``."""
        scale = np.float32(1.0 / temperature)
        return Head(self.weights * scale, self.bias * scale)


def label_masks(examples: Sequence[Example], classes: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """``targets`` and ``universe`` of each example as boolean ``[n, classes]``."""
    targets = np.zeros((len(examples), classes), np.bool_)
    universe = np.zeros((len(examples), classes), np.bool_)
    for row, example in enumerate(examples):
        targets[row, list(example.targets)] = True
        universe[row, list(example.universe)] = True
    return targets, universe


def fit_head(
    features: NDArray[np.floating[Any]],
    targets: NDArray[np.bool_],
    universe: NDArray[np.bool_],
    weights: NDArray[np.float32],
    *,
    decay: float,
) -> Head:
    """Fit by full-batch L-BFGS on standardised features.

    The loss of a row is ``-log P(targets | universe)``, so a two-class row shapes negative against positive and says nothing of
    neutral (learning from partial labels, Cour et al. 2011). ``decay`` multiplies the squared norm of the weights.

    Raises:
        ModelError: the extra ``train`` is not installed.
    """
    torch = require("torch")
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = features.astype(np.float32).std(axis=0) + np.float32(1e-6)
    inputs = torch.from_numpy((features.astype(np.float32) - mean) / deviation)
    minus_infinity = torch.tensor(float("-inf"))
    in_targets, in_universe = torch.from_numpy(targets), torch.from_numpy(universe)
    importance = torch.from_numpy(weights / weights.sum())
    matrix = torch.zeros(inputs.shape[1], targets.shape[1], requires_grad=True)
    bias = torch.zeros(targets.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([matrix, bias], max_iter=MAX_STEPS, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> object:
        optimizer.zero_grad()
        logits = inputs @ matrix + bias
        among = torch.where(in_universe, logits, minus_infinity).logsumexp(1)
        right = torch.where(in_targets, logits, minus_infinity).logsumexp(1)
        value = ((among - right) * importance).sum() + decay * matrix.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    unscaled = matrix.detach().numpy() / deviation[:, None]
    return Head(unscaled.astype(np.float32), (bias.detach().numpy() - mean @ unscaled).astype(np.float32))
