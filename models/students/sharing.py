"""A student beside its teacher in one folder: weights that both have are stored once, in the teacher's file.

ONNX lets an initializer name a file, an offset and a length (*external data*). The frozen layers and the embedding of a student are to
the byte its teacher's, so they are read from the middle of ``model.onnx``.
"""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError, require

__all__ = ["SMALLEST", "share_weights"]

#: Bytes from which on an initializer is worth the reference.
SMALLEST = 1_024


def share_weights(student: Path, teacher: Path, target: Path) -> int:
    """Write the graph ``student`` to ``target``, beside ``teacher``, without the weights that ``teacher`` has; return its bytes.

    Raises:
        ModelError: the extra ``train`` is missing, the two share nothing, or ``target`` lies in another folder than ``teacher``.
    """
    if target.parent.resolve() != teacher.parent.resolve():
        raise ModelError(f"{target} does not lie beside {teacher}", mend="a student shares weights with a teacher in its own folder")
    onnx = require("onnx")
    content = teacher.read_bytes()
    theirs = {(one.data_type, *one.dims, one.raw_data) for one in onnx.load_from_string(content).graph.initializer}
    model = onnx.load(str(student))
    shared = 0
    for one in model.graph.initializer:
        raw = bytes(one.raw_data)
        if len(raw) < SMALLEST or (one.data_type, *one.dims, raw) not in theirs:
            continue
        place = {"location": teacher.name, "offset": str(content.index(raw)), "length": str(len(raw))}
        one.ClearField("raw_data")
        one.data_location = onnx.TensorProto.EXTERNAL
        for key, value in place.items():
            one.external_data.add(key=key, value=value)
        shared += 1
    if not shared:
        raise ModelError(f"{student} shares no weights with {teacher}", mend="give a student that was distilled from this very model")
    written = model.SerializeToString(deterministic=True)
    target.write_bytes(written)
    return len(written)
