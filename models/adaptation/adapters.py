"""The upper layers of a served model with adapters, computing with the very weights that its next int8 graph will hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.encoder.restoration import Restored
from models.training.lora import dithers, merged, rounded
from models.training.network import Network

__all__ = ["AdaptedNetwork"]


class AdaptedNetwork(Network):
    """Layers ``frozen`` and up of ``restored`` with adapters of ``rank``; see :mod:`models.training.lora`.

    Heads read the pooled states of the frozen layers too: these come with the states, see :class:`models.adaptation.lower_layers.Lower`.

    Args:
        heads: task -> number of classes.
        seed: of the adapters' first values and of the thresholds of rounding.
    """

    def __init__(self, restored: Restored, frozen: int, heads: Mapping[str, int], rank: int, *, seed: int) -> None:
        encoder = restored.encoder
        super().__init__(encoder.tensors, encoder.config, frozen=frozen, feature_layers=restored.layers, heads=heads, lora=rank)
        self.feature_layers = tuple(layer for layer in restored.layers if layer >= frozen)
        self._dithers = dithers(self.base, seed)

    def all_features(self, states: NDArray[np.float32], lengths: NDArray[np.int64], pooled: NDArray[np.float32]) -> Any:
        """Features ``[batch, width]`` of what the frozen layers made of texts."""
        torch = self._torch
        upper = self.features(torch.from_numpy(states), torch.from_numpy(lengths))
        return torch.cat([torch.from_numpy(pooled), upper], dim=1)

    def _served(self, name: str, values: Mapping[str, Any]) -> Any:
        return rounded(merged(self.base[name], values, name, self.lora_scale), self._dithers[name])

    def _linear(self, values: Any, name: str) -> Any:
        return self._torch.nn.functional.linear(values, self._served(f"{name}.weight", self.parameters), self.base[f"{name}.bias"])

    def tensors(self, values: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """The adapted matrices under their Hugging Face names, on the levels of the int8 graph: rounding them again changes nothing."""
        with self._torch.no_grad():
            return {name: self._served(name, values).numpy().copy() for name in self._dithers}
