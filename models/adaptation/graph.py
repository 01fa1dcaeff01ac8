"""Reading and replacing the heads in the graph of an artifact, and cutting the graph before them, with the runtime install alone.

The package ``onnx`` comes with the extra ``train`` only. An ONNX file is a Protocol Buffers message, and ``protobuf`` is there wherever
onnxruntime is; the few fields that are touched are declared here by their numbers in onnx.proto (ONNX IR 10), and protobuf carries
every other field along as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped,unused-ignore]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
from numpy.typing import NDArray

from models.artifact import REINSTALL
from models.errors import ModelError
from models.training.heads import Head

__all__ = ["FEATURES", "ServedModel"]

#: The tensor that every head multiplies: ``[batch, width]``, the mean-pooled states of the artifact's ``feature_layers`` side by side.
FEATURES = "features"

FLOAT = 1
PACKAGE = "bellwether.onnx"

_INT64, _INT32, _STRING, _BYTES, _MESSAGE = 3, 5, 9, 12, 11
_OPTIONAL, _REPEATED = 1, 3

#: Message -> field -> (number, kind or message, repeated).
_FIELDS: Mapping[str, Mapping[str, tuple[int, int | str, bool]]] = {
    "Model": {"graph": (7, "Graph", False)},
    "Graph": {"node": (1, "Node", True), "initializer": (5, "Tensor", True), "output": (12, "ValueInfo", True)},
    "Node": {"output": (2, _STRING, True)},
    "Tensor": {"dims": (1, _INT64, True), "data_type": (2, _INT32, False), "name": (8, _STRING, False), "raw_data": (9, _BYTES, False)},
    "ValueInfo": {"name": (1, _STRING, False), "type": (2, "Type", False)},
    "Type": {"tensor_type": (1, "TensorType", False)},
    "TensorType": {"elem_type": (1, _INT32, False), "shape": (2, "Shape", False)},
    "Shape": {"dim": (1, "Dimension", True)},
    "Dimension": {"dim_value": (1, _INT64, False), "dim_param": (2, _STRING, False)},
}


@cache
def _model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="bellwether_onnx.proto", package=PACKAGE, syntax="proto2")
    for message, fields in _FIELDS.items():
        declared = file.message_type.add(name=message)
        for name, (number, kind, repeated) in fields.items():
            field = declared.field.add(name=name, number=number, label=_REPEATED if repeated else _OPTIONAL)
            if isinstance(kind, str):
                field.type, field.type_name = _MESSAGE, f".{PACKAGE}.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Model"))


def _shape(output: Any, width: int) -> None:
    dims = output.type.tensor_type.shape.dim
    del dims[:]
    dims.add(dim_param="batch")
    dims.add(dim_value=width)


class ServedModel:
    """The graph of ``path``.

    Attributes:
        heads: task -> its head as it stands in the graph, the temperature folded in; in the order of the graph's outputs.
        width: of the features.

    Raises:
        ModelError: the file is not an ONNX graph of this package.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._model = _model_class()()
        try:
            self._model.ParseFromString(path.read_bytes())
        except (OSError, DecodeError) as error:
            raise ModelError(f"{path} cannot be read as an ONNX graph: {error}", mend=REINSTALL) from error
        graph = self._model.graph
        self._tensors = {one.name: one for one in graph.initializer}
        names = [one.name for one in graph.output]
        self.heads = {name: self._head(name) for name in names if self._names(name)[0] in self._tensors}
        if not self.heads or not any(FEATURES in node.output for node in graph.node):
            raise ModelError(f"{path} has no heads on a tensor {FEATURES!r}", mend=REINSTALL)
        self.width = len(next(iter(self.heads.values())).weights)

    @staticmethod
    def _names(task: str) -> tuple[str, str]:
        return f"{task}.head.weight", f"{task}.head.bias"

    def _array(self, name: str) -> NDArray[np.float32]:
        tensor = self._tensors.get(name)
        if tensor is None or tensor.data_type != FLOAT or not tensor.raw_data:
            raise ModelError(f"{self._path}: {name} is missing or not float32", mend=REINSTALL)
        return np.frombuffer(tensor.raw_data, np.dtype("<f4")).reshape(list(tensor.dims)).astype(np.float32)

    def _head(self, task: str) -> Head:
        weights, bias = self._names(task)
        return Head(self._array(weights), self._array(bias))

    def features_only(self) -> bytes:
        """The graph whose only output is ``features``, float32 ``[batch, width]``; ONNX Runtime skips what no output needs."""
        cut = _model_class()()
        cut.CopyFrom(self._model)
        del cut.graph.output[:]
        output = cut.graph.output.add(name=FEATURES)
        output.type.tensor_type.elem_type = FLOAT
        _shape(output, self.width)
        content: bytes = cut.SerializeToString(deterministic=True)
        return content

    def with_heads(self, heads: Mapping[str, Head]) -> bytes:
        """The graph with these tasks' heads replaced, of as many classes as they have.

        Raises:
            ValueError: a task is not in the graph, or its head does not fit the features.
        """
        changed = _model_class()()
        changed.CopyFrom(self._model)
        tensors = {one.name: one for one in changed.graph.initializer}
        outputs = {one.name: one for one in changed.graph.output}
        for task, head in heads.items():
            if task not in self.heads or head.weights.shape != (self.width, len(head.bias)):
                raise ValueError(f"no place for a head {task!r} of shape {head.weights.shape} in {self._path.name}")
            for name, values in zip(self._names(task), (head.weights, head.bias), strict=True):
                tensors[name].dims[:] = values.shape
                tensors[name].raw_data = np.ascontiguousarray(values, np.dtype("<f4")).tobytes()
            _shape(outputs[task], len(head.bias))
        content: bytes = changed.SerializeToString(deterministic=True)
        return content
