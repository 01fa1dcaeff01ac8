"""An artifact in another precision: fp32 or fp16 in standard operators for other runtimes and GPUs, int8 as it ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal, get_args

from models.artifact import CALIBRATION, Artifact, load_artifact
from models.encoder.graph import EncoderGraph
from models.encoder.portable import PortableGraph
from models.encoder.pretrained import file_sha256
from models.encoder.restoration import Restored
from models.errors import ModelError
from models.export.writing import declare_heads, serving_graph

__all__ = ["ExportPrecision", "export_precision", "variant_graph", "write_variant"]

ExportPrecision = Literal["fp32", "fp16", "int8"]


def export_precision(name: str) -> ExportPrecision:
    """``name`` as a precision.

    Raises:
        ModelError: there is no such precision.
    """
    known: dict[str, ExportPrecision] = {one: one for one in get_args(ExportPrecision)}
    if name not in known:
        raise ModelError(f"--precision is {name!r}", mend=f"use one of {', '.join(known)}")
    return known[name]


def variant_graph(restored: Restored, precision: ExportPrecision) -> EncoderGraph:
    """One graph with all heads and the pooled embedding; outputs as of :func:`models.export.writing.serving_graph`, always float32."""
    if precision == "int8":
        return serving_graph(restored.encoder, restored.layers, restored.heads)
    graph = PortableGraph(restored.encoder.tensors, restored.encoder.config, portable=precision)
    return declare_heads(graph, restored.layers, restored.heads)


def write_variant(artifact: Artifact, restored: Restored, precision: ExportPrecision, root: Path) -> Artifact:
    """Write ``artifact`` in ``precision`` to the folder ``root``: a model folder like any other. Its id ends in the precision.

    Raises:
        ModelError: ``root`` is the artifact itself.
    """
    if root.resolve() == artifact.root.resolve():
        raise ModelError(f"{root} is the artifact that is exported", mend="name another folder with --out")
    root.mkdir(parents=True, exist_ok=True)
    content = variant_graph(restored, precision).model().SerializeToString(deterministic=True)
    (root / "model.onnx").write_bytes(content)
    config = json.loads((artifact.root / "config.json").read_text(encoding="utf-8"))
    name = artifact.model_id.partition("+")[0].removesuffix(f"-{config.get('precision', 'int8')}")
    model_id = f"{name}-{precision}+{file_sha256(root / 'model.onnx')[:8]}"
    shutil.copyfile(artifact.tokenizer_path, root / "tokenizer.json")
    if CALIBRATION in artifact.sha256:
        # Temperatures and thresholds were measured on the artifact; its variant answers alike, and says where they are from.
        record = json.loads(artifact.calibration_path.read_text(encoding="utf-8"))
        record |= {"model_id": model_id, "measured_on": record.get("measured_on", artifact.model_id)}
        (root / CALIBRATION).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    digests = {name: file_sha256(root / name) for name in ("model.onnx", "tokenizer.json", CALIBRATION) if name in artifact.sha256}
    config |= {"model_id": model_id, "precision": precision, "sha256": digests}
    (root / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return load_artifact(root)
