"""Device and precision of the trained layers, by the machine: mixed precision on a GPU (Micikevicius et al. 2018), fp32 on a processor."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from models.errors import ModelError, require

__all__ = ["MixedPrecision"]


class MixedPrecision:
    """Where and how a run computes. Weights and optimiser stay in fp32.

    Args:
        wanted: ``auto`` takes bf16 on a GPU that has it, fp16 on an older one and fp32 on a processor.

    Raises:
        ModelError: fp16 on a processor, which has no fast arithmetic for it.
    """

    def __init__(self, wanted: str = "auto") -> None:
        torch = self._torch = require("torch")
        gpu = torch.cuda.is_available()
        self.device = "cuda" if gpu else "cpu"
        if wanted == "auto":
            wanted = ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if gpu else "fp32"
        if wanted == "fp16" and not gpu:
            raise ModelError("precision fp16 needs a GPU, and there is none", mend="use precision = 'auto', which takes fp32 here")
        self.name = wanted
        # Gradients of fp16 underflow: the loss is scaled up, and steps with infinite gradients are left out.
        self._scaler = torch.amp.GradScaler("cuda") if wanted == "fp16" else None

    def forward(self) -> AbstractContextManager[Any]:
        """The context that the forward pass runs in."""
        if self.name == "fp32":
            return nullcontext()
        kind = self._torch.bfloat16 if self.name == "bf16" else self._torch.float16
        return self._torch.autocast(self.device, dtype=kind)  # type: ignore[no-any-return,unused-ignore]

    def place(self, values: Any) -> Any:
        """``values`` where the network is."""
        return values if self.device == "cpu" else values.to(self.device, non_blocking=True)

    def backward(self, loss: Any, *, retain_graph: bool = False) -> None:
        """Gradients of ``loss``."""
        (loss if self._scaler is None else self._scaler.scale(loss)).backward(retain_graph=retain_graph)

    def step(self, optimizer: Any, parameters: list[Any], clip: float) -> None:
        """Cut the gradients of ``parameters`` to the norm ``clip`` and let ``optimizer`` go a step."""
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)
        self._torch.nn.utils.clip_grad_norm_(parameters, clip)
        if self._scaler is None:
            optimizer.step()
        else:
            self._scaler.step(optimizer)
            self._scaler.update()

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep."""
        return {} if self._scaler is None else dict(self._scaler.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)
