"""The encoder in standard ONNX operators only, fp32 or fp16: what TensorRT and other runtimes read.

The graph that ships is written in operators of ONNX Runtime (``com.microsoft``), which run fastest on a processor and nowhere else.
In fp16 every sum over a whole text (pooling, heads, softmax of the heads) stays in fp32.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.encoder.graph import EncoderGraph

__all__ = ["OPSET", "PortableGraph", "PortablePrecision"]

#: Oldest version of the standard with LayerNormalization; TensorRT 8.6 and newer read it.
OPSET = 17

PortablePrecision = Literal["fp32", "fp16"]

#: Added to the attention scores of padding. Its exponential is nought in both precisions, and fp16 can hold it.
MASKED = -3.0e4


class PortableGraph(EncoderGraph):
    """An :class:`models.encoder.graph.EncoderGraph` without operators of one vendor.

    Args:
        tensors: Hugging Face ``BertModel`` tensors, the word embedding already trimmed.
        config: Hugging Face ``config.json`` fields.
        portable: precision of the weights and states; outputs are float32 in both.
    """

    def __init__(self, tensors: dict[str, NDArray[np.float32]], config: dict[str, Any], *, portable: PortablePrecision = "fp32") -> None:
        self.half = portable == "fp16"
        self._inside = True
        super().__init__(tensors, config, precision="float32")
        self._inside = False

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add an initializer; those of the encoder are stored in its precision."""
        narrow = self.half and self._inside and values.dtype == np.float32
        return super().constant(name, values.astype(np.float16) if narrow else values)

    def pooled(self, layer: int) -> str:
        """Mean of the states after ``layer`` layers over the attended tokens, float32 ``[batch, hidden]``."""
        if self.half and layer not in self._pooled:
            self._states[layer] = self.node("Cast", [self._states[layer]], f"wide_state{layer}", to=self._onnx.TensorProto.FLOAT)
        return super().pooled(layer)

    def _encoder(self) -> list[str]:
        heads = int(self.config["num_attention_heads"])
        self.constant("split_shape", np.array([0, 0, heads, self.hidden // heads], np.int64))
        self.constant("joined_shape", np.array([0, 0, self.hidden], np.int64))
        self.constant("attention_scale", np.array(1 / math.sqrt(self.hidden // heads), np.float32))
        self.constant("half", np.array(0.5, np.float32))
        self.constant("whole", np.array(1.0, np.float32))
        self.constant("root_half", np.array(math.sqrt(0.5), np.float32))
        tensor = self._onnx.TensorProto
        self.node("Cast", ["attention_mask"], "mask_typed", to=tensor.FLOAT16 if self.half else tensor.FLOAT)
        self.node("Sub", ["whole", "mask_typed"], "mask_outside")
        self.node("Mul", ["mask_outside", self.constant("masked", np.array(MASKED, np.float32))], "mask_low")
        self.node("Unsqueeze", ["mask_low", self.constant("mask_axes", np.array([1, 2], np.int64))], "mask_added")
        states = super()._encoder()
        self._nodes = [node for node in self._nodes if node.name != "mask32"]
        return states

    def _layer(self, index: int, state: str) -> str:
        prefix = f"encoder.layer.{index}."
        query, key, value = (self._part(state, f"{prefix}attention.self.{part}") for part in ("query", "key", "value"))
        turned = self.node("Transpose", [key], f"{key}.turned", perm=[0, 1, 3, 2])
        scores = self.node("MatMul", [query, turned], f"{prefix}scores")
        scaled = self.node("Mul", [scores, "attention_scale"], f"{prefix}scaled")
        inside = self.node("Add", [scaled, "mask_added"], f"{prefix}inside")
        shares = self.node("Softmax", [inside], f"{prefix}shares", axis=-1)
        heads = self.node("MatMul", [shares, value], f"{prefix}heads")
        beside = self.node("Transpose", [heads], f"{prefix}beside", perm=[0, 2, 1, 3])
        attended = self.node("Reshape", [beside, "joined_shape"], f"{prefix}attended")
        state = self._added(self._dense(attended, f"{prefix}attention.output.dense"), state, f"{prefix}attention.output.LayerNorm")
        wide = self._dense(state, f"{prefix}intermediate.dense")
        narrow = self._dense(self._gelu(wide), f"{prefix}output.dense")
        return self._added(narrow, state, f"{prefix}output.LayerNorm", f"state{index + 1}")

    def _dense(self, value: str, name: str) -> str:
        return self.node("Add", [self._matmul(value, self.tensors[f"{name}.weight"], name), self._bias(name)], f"{name}.added")

    def _part(self, state: str, name: str) -> str:
        """A projection as ``[batch, heads, sequence, width]``."""
        split = self.node("Reshape", [self._dense(state, name), "split_shape"], f"{name}.split")
        return self.node("Transpose", [split], f"{name}.apart", perm=[0, 2, 1, 3])

    def _gelu(self, value: str) -> str:
        """``value * (1 + erf(value / sqrt 2)) / 2`` in the nodes that ONNX Runtime and TensorRT know how to fuse."""
        scaled = self.node("Mul", [value, "root_half"], f"{value}.scaled")
        error = self.node("Erf", [scaled], f"{value}.erf")
        raised = self.node("Add", [error, "whole"], f"{value}.raised")
        weighed = self.node("Mul", [value, raised], f"{value}.weighed")
        return self.node("Mul", [weighed, "half"], f"{value}.active")

    def _added(self, value: str, skip: str, norm: str, output: str | None = None) -> str:
        total = self.node("Add", [value, skip], f"{norm}.total")
        return self.node("LayerNormalization", [total, *self._norm(norm)], output or norm, axis=-1, epsilon=self._epsilon)

    def model(self) -> Any:
        """The ``ModelProto``; call after the outputs are declared."""
        made = super().model()
        del made.opset_import[:]
        made.opset_import.append(self._onnx.helper.make_opsetid("", OPSET))
        made.ir_version = 8
        return made
