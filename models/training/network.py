"""The trainable part of the encoder and its heads in PyTorch: from the states of a frozen lower layer to the logits of every task.

Parameters bear their Hugging Face ``BertModel`` names, so what was trained goes back into the exporter's tensors as it is. There is no
dropout inside the layers: a run passes over its text about once, and random masks cost a fifth of the time on a processor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import require
from models.training.heads import Head
from models.training.language_loss import EMBEDDING, HEAD_BIAS, HEAD_WEIGHT, PREFIX
from models.training.lora import adapters, merged

__all__ = ["Network", "masked_loss"]

PARTS = ("query", "key", "value")


def _layer_names(layer: int) -> Iterator[str]:
    prefix = f"encoder.layer.{layer}."
    for module in (*(f"attention.self.{part}" for part in PARTS), "attention.output.dense", "intermediate.dense", "output.dense"):
        yield from (f"{prefix}{module}.weight", f"{prefix}{module}.bias")
    for module in ("attention.output.LayerNorm", "output.LayerNorm"):
        yield from (f"{prefix}{module}.weight", f"{prefix}{module}.bias")


class Network:
    """Layers ``frozen`` and up of a BERT encoder, mean pooling of ``feature_layers``, and one linear head a task.

    Args:
        tensors: Hugging Face ``BertModel`` tensors, float32.
        config: Hugging Face ``config.json`` fields.
        frozen: how many lower layers are not part of this network; their states are its input.
        feature_layers: whose pooled states the heads see, each from ``frozen`` to the number of layers.
        heads: task -> number of classes.
        lora: rank of the adapters that are trained in place of the layers; 0 trains the layers. ``lora_scale``: their factor.
        languages: how many languages the auxiliary head and the embedding of :mod:`models.training.language_loss` have; 0 for neither.
    """

    def __init__(
        self,
        tensors: Mapping[str, NDArray[np.float32]],
        config: Mapping[str, Any],
        *,
        frozen: int,
        feature_layers: tuple[int, ...],
        heads: Mapping[str, int],
        lora: int = 0,
        lora_scale: float = 2.0,
        languages: int = 0,
    ) -> None:
        self._torch = require("torch")
        self.layers = range(frozen, int(config["num_hidden_layers"]))
        self.feature_layers = feature_layers
        self.attention_heads = int(config["num_attention_heads"])
        self.hidden = int(config["hidden_size"])
        self.epsilon = float(config["layer_norm_eps"])
        self.tasks = tuple(heads)
        width = self.hidden * len(feature_layers)
        # Features are standardised by a fixed affine map, so that one step size suits every head; see standardise().
        self.mean = self._torch.zeros(width)
        self.deviation = self._torch.ones(width)
        self.parameters: dict[str, Any] = {}
        self.lora_scale = lora_scale
        layers = {name: self._torch.from_numpy(tensors[name].copy()) for layer in self.layers for name in _layer_names(layer)}
        #: What adapters are added to; empty where the layers themselves are trained.
        self.base: dict[str, Any] = layers if lora else {}
        for name, values in (adapters(layers, lora) if lora else layers).items():
            self._add(name, values)
        for task, classes in heads.items():
            self._add(f"heads.{task}.weight", self._torch.zeros(classes, width))
            self._add(f"heads.{task}.bias", self._torch.zeros(classes))
        if languages:
            self._add(HEAD_WEIGHT, self._torch.zeros(languages, width))
            self._add(HEAD_BIAS, self._torch.zeros(languages))
            self._add(EMBEDDING, self._torch.zeros(languages, width))

    def _add(self, name: str, values: Any) -> None:
        self.parameters[name] = values.requires_grad_(True)

    def move(self, device: str) -> None:
        """Put every tensor on ``device``, a name of PyTorch's; before there is an optimiser."""
        self.parameters = {name: value.detach().to(device).requires_grad_(True) for name, value in self.parameters.items()}
        self.base = {name: value.to(device) for name, value in self.base.items()}
        self.mean, self.deviation = self.mean.to(device), self.deviation.to(device)

    # -- forward ------------------------------------------------------------------------------------------------------

    def features(self, states: Any, lengths: Any) -> Any:
        """Unstandardised features ``[batch, len(feature_layers) * hidden]`` of ``states`` ``[batch, sequence, hidden]``, padded at the end.

        ``lengths`` int64 ``[batch]``: tokens of each row.
        """
        torch = self._torch
        inside = torch.arange(states.shape[1], device=states.device)[None, :] < lengths[:, None]
        mask = None if bool(inside.all()) else inside[:, None, None, :]
        share = (inside / lengths[:, None])[:, None, :].to(states.dtype)
        pooled = {}
        if self.layers.start in self.feature_layers:
            pooled[self.layers.start] = torch.bmm(share, states)[:, 0]
        for layer in self.layers:
            states = self._layer(layer, states, mask)
            if layer + 1 in self.feature_layers:
                pooled[layer + 1] = torch.bmm(share, states)[:, 0]
        # Under mixed precision pooled states may be narrow; what follows is computed in fp32.
        return torch.cat([pooled[layer] for layer in self.feature_layers], dim=1).float()

    def standardised(self, features: Any) -> Any:
        """``features`` on the scale that the heads read them at."""
        return (features - self.mean) / self.deviation

    def logits(self, features: Any, *, dropout: float = 0.0, samples: int = 1, told: Any = None) -> dict[str, Any]:
        """Logits ``[batch, classes]`` of every task; ``told`` ``[batch, width]`` is added to the standardised features.

        With ``dropout`` the features are masked ``samples`` times and the logits averaged (multi-sample dropout, Inoue 2019,
        arXiv:1905.09788).
        """
        torch = self._torch
        scaled = self.standardised(features)
        if told is not None:
            scaled = scaled + told
        if dropout > 0:
            masks = torch.nn.functional.dropout(torch.ones(samples, *scaled.shape, device=scaled.device), dropout)
            scaled = (scaled * masks).mean(0)
        linear = torch.nn.functional.linear
        return {task: linear(scaled, self.parameters[f"heads.{task}.weight"], self.parameters[f"heads.{task}.bias"]) for task in self.tasks}

    def _layer(self, layer: int, states: Any, mask: Any) -> Any:
        functional = self._torch.nn.functional
        prefix = f"encoder.layer.{layer}."
        batch, sequence, _ = states.shape
        shape = (batch, sequence, self.attention_heads, self.hidden // self.attention_heads)
        projected = (self._linear(states, f"{prefix}attention.self.{part}").view(shape).transpose(1, 2) for part in PARTS)
        attended = functional.scaled_dot_product_attention(*projected, attn_mask=mask)
        attended = attended.transpose(1, 2).reshape(batch, sequence, self.hidden)
        states = self._norm(self._linear(attended, f"{prefix}attention.output.dense") + states, f"{prefix}attention.output.LayerNorm")
        wide = functional.gelu(self._linear(states, f"{prefix}intermediate.dense"))
        return self._norm(self._linear(wide, f"{prefix}output.dense") + states, f"{prefix}output.LayerNorm")

    def _linear(self, values: Any, name: str) -> Any:
        if self.base:
            weight = merged(self.base[f"{name}.weight"], self.parameters, f"{name}.weight", self.lora_scale)
            return self._torch.nn.functional.linear(values, weight, self.base[f"{name}.bias"])
        return self._torch.nn.functional.linear(values, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"])

    def _norm(self, values: Any, name: str) -> Any:
        held = self.base or self.parameters
        weight, bias = held[f"{name}.weight"], held[f"{name}.bias"]
        return self._torch.nn.functional.layer_norm(values, (self.hidden,), weight, bias, self.epsilon)

    # -- in and out ---------------------------------------------------------------------------------------------------

    def standardise(self, features: NDArray[np.float32]) -> None:
        """Take mean and deviation of ``features`` ``[n, width]`` as the fixed map before the heads."""
        self.mean = self._torch.from_numpy(features.mean(axis=0)).to(self.mean.device)
        self.deviation = self._torch.from_numpy(features.std(axis=0) + np.float32(1e-6)).to(self.mean.device)

    def start_head(self, task: str, head: Head) -> None:
        """Let the head of ``task`` begin as ``head``, which reads unstandardised features."""
        mean, deviation = self.mean.cpu().numpy(), self.deviation.cpu().numpy()
        with self._torch.no_grad():
            self.parameters[f"heads.{task}.weight"].copy_(self._torch.from_numpy((head.weights * deviation[:, None]).T.copy()))
            self.parameters[f"heads.{task}.bias"].copy_(self._torch.from_numpy(head.bias + mean @ head.weights))

    def heads(self, values: Mapping[str, Any]) -> dict[str, Head]:
        """The heads on unstandardised features; ``values``: parameters of this network, or an average of them."""
        mean, deviation = self.mean.cpu().numpy(), self.deviation.cpu().numpy()
        made = {}
        for task in self.tasks:
            weights = values[f"heads.{task}.weight"].detach().cpu().numpy().T / deviation[:, None]
            bias = values[f"heads.{task}.bias"].detach().cpu().numpy() - mean @ weights
            made[task] = Head(weights.astype(np.float32), bias.astype(np.float32))
        return made

    def tensors(self, values: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
        """The encoder's trained tensors under their Hugging Face names, adapters merged into them."""
        if self.base:
            whole = {name: value for name, value in self.base.items() if value.ndim == 2}
            values = {
                name: merged(value, {key: one.to(value.device) for key, one in values.items()}, name, self.lora_scale)
                for name, value in whole.items()
            }
        return {name: value.detach().cpu().numpy().copy() for name, value in values.items() if not name.startswith(("heads.", PREFIX))}


def masked_loss(logits: Any, targets: Any, universe: Any, *, smoothing: float = 0.0) -> Any:
    """``-log P(targets | universe)`` of each row ``[batch]``; rows with an empty universe lose nothing.

    ``targets`` and ``universe``: boolean ``[batch, classes]``. A two-class row shapes negative against positive and says nothing of
    neutral (partial labels, Cour et al. 2011). ``smoothing`` spreads that share of the target over the universe (Szegedy et al. 2016).
    """
    torch = require("torch")
    labelled = universe.any(1)
    # A row without label would give inf - inf, and its gradient nan: let it be certain of everything instead.
    inside = universe | ~labelled[:, None]
    right = targets | ~labelled[:, None]
    low = torch.finfo(logits.dtype).min
    among = torch.where(inside, logits, low).logsumexp(1)
    loss = among - torch.where(right, logits, low).logsumexp(1)
    if smoothing > 0:
        even = among - torch.where(inside, logits, 0.0).sum(1) / inside.sum(1)
        loss = (1 - smoothing) * loss + smoothing * even
    return torch.where(labelled, loss, 0.0)
