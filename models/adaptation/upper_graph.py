"""The upper part of an int8 graph, cut off the frozen layers, so that a candidate answers thousands of old texts in a fraction of the time.

The nodes and weights are those of the whole graph; what comes in are the stored states of :mod:`models.adaptation.lower_layers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from models.adaptation.graph import FEATURES
from models.adaptation.lower_layers import LowerLayers
from models.encoder.trimmed import Encoder
from models.errors import require
from models.inference import TOKEN_BUDGET, processors
from models.progress import Progress

__all__ = ["UpperGraph"]

#: Batches whose states are in memory at the same time.
WINDOW = 64


def _cut(model: Any, given: Sequence[str], asked: str) -> Any:
    """The part of ``model`` between the tensors ``given`` and ``asked``, without declared inputs and outputs."""
    onnx = require("onnx")
    wanted, nodes = {asked}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output) - set(given):
            nodes.append(node)
            wanted |= set(node.input)
    constants = [one for one in model.graph.initializer if one.name in wanted]
    return onnx.helper.make_graph(nodes[::-1], "upper", [], [], constants)


class UpperGraph:
    """The int8 graph of ``encoder`` above the layers of ``lower``, up to the features that the heads read.

    Args:
        layers: of the features.
        lower: has the states of every text that will be asked about.
    """

    def __init__(self, encoder: Encoder, layers: tuple[int, ...], lower: LowerLayers) -> None:
        onnx = require("onnx")
        self._lower = lower
        graph = encoder.graph()
        graph.features(layers)
        self.width, self._hidden = len(layers) * graph.hidden, graph.hidden
        whole = graph.model()
        self._pooled = [f"pooled{layer}" for layer in lower.pooled]
        self._states = f"state{lower.frozen}"
        upper = _cut(whole, [self._states, *self._pooled], FEATURES)
        declared = onnx.helper.make_tensor_value_info
        kinds = onnx.TensorProto
        upper.input.append(declared(self._states, kinds.FLOAT, ["batch", "sequence", graph.hidden]))
        upper.input.append(declared("attention_mask", kinds.INT64, ["batch", "sequence"]))
        upper.input.extend(declared(name, kinds.FLOAT, ["batch", graph.hidden]) for name in self._pooled)
        upper.output.append(declared(FEATURES, kinds.FLOAT, ["batch", self.width]))
        made = onnx.helper.make_model(upper, opset_imports=whole.opset_import, ir_version=whole.ir_version)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_mem_pattern = False
        self._session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def _run(self, feeds: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._session.run([FEATURES], feeds)[0]
        return found

    def _feeds(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        states, lengths, pooled = self._lower.get(texts)
        parts = {name: pooled[:, place * self._hidden :][:, : self._hidden] for place, name in enumerate(self._pooled)}
        return {self._states: states, "attention_mask": np.ones((len(texts), int(lengths[0])), np.int64), **parts}

    def features(self, texts: Sequence[str], name: str, progress: Progress) -> NDArray[np.float16]:
        """Features ``[n, width]`` of ``texts``; as in :class:`models.inference.Runner` nothing is padded."""
        lengths = self._lower.lengths(texts)
        batches: list[NDArray[np.int64]] = []
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            size = max(1, TOKEN_BUDGET // int(length))
            batches += [rows[start : start + size] for start in range(0, len(rows), size)]
        features = np.zeros((len(texts), self.width), np.float16)
        done = 0
        with ThreadPoolExecutor(processors(), thread_name_prefix="onnx") as pool:
            for start in range(0, len(batches), WINDOW):
                part = batches[start : start + WINDOW]
                fed = [self._feeds([texts[row] for row in rows]) for rows in part]
                for rows, found in zip(part, pool.map(self._run, fed), strict=True):
                    features[rows] = found
                    done += len(rows)
                progress(name, done, len(texts))
        return features
