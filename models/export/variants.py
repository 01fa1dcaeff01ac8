"""An artifact in another precision: fp32 or fp16 in standard operators for other runtimes and GPUs, int8 as it ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, get_args

from models.artifact import CALIBRATION, Artifact, load_artifact
from models.encoder.graph import EncoderGraph
from models.encoder.portable import PortableGraph
from models.encoder.pretrained import file_sha256
from models.encoder.restoration import Restored
from models.errors import ModelError
from models.export.writing import declare_heads, serving_graph

__all__ = ["ExportPrecision", "demand_own", "export_precision", "variant_graph", "write_variant"]

ExportPrecision = Literal["fp32", "fp16", "int8"]

#: All that an export writes.
_FILES: Final = frozenset(("model.onnx", "tokenizer.json", "config.json", CALIBRATION))


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


def demand_own(root: Path) -> None:
    """Refuse a folder that holds anything but an earlier export: nobody's files are written over.

    Raises:
        ModelError: it does, is no folder, or cannot be read.
    """
    try:
        found = {path.name for path in root.iterdir()} if root.exists() else set()
        ours = found <= _FILES and (not found or "precision" in _config(root))
    except OSError as error:
        raise _unwritable(root, error) from error
    if not ours:
        message = f"{root} is not empty and holds more than `bellwether models export` writes"
        raise ModelError(message, mend="name another folder with --out, or move that one away")


def _config(root: Path) -> dict[str, Any]:
    """``config.json`` of a folder that may be anybody's: nothing where it is none of ours."""
    try:
        found = json.loads((root / "config.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _unwritable(root: Path, error: OSError) -> ModelError:
    return ModelError(f"cannot write {root}: {error}", mend="name a folder that you may write to with --out")


def write_variant(artifact: Artifact, restored: Restored, precision: ExportPrecision, root: Path) -> Artifact:
    """Write ``artifact`` in ``precision`` to the folder ``root``: a model folder like any other. Its id ends in the precision.

    An earlier export there is replaced once the new one is whole.

    Raises:
        ModelError: ``root`` is the artifact itself, holds anything else than an earlier export, or cannot be written.
    """
    if root.resolve() == artifact.root.resolve():
        raise ModelError(f"{root} is the artifact that is exported", mend="name another folder with --out")
    demand_own(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".exporting-", dir=root) as place:
            digests = _write_files(artifact, restored, precision, Path(place))
            if CALIBRATION not in digests:
                (root / CALIBRATION).unlink(missing_ok=True)
            # The config is last: it names the digests of the others.
            for name in (*digests, "config.json"):
                (Path(place) / name).replace(root / name)
    except OSError as error:
        raise _unwritable(root, error) from error
    return load_artifact(root)


def _write_files(artifact: Artifact, restored: Restored, precision: ExportPrecision, folder: Path) -> dict[str, str]:
    """The files of the variant, and the digests of those that ``config.json`` names."""
    content = variant_graph(restored, precision).model().SerializeToString(deterministic=True)
    (folder / "model.onnx").write_bytes(content)
    config = json.loads((artifact.root / "config.json").read_text(encoding="utf-8"))
    name = artifact.model_id.partition("+")[0].removesuffix(f"-{config.get('precision', 'int8')}")
    model_id = f"{name}-{precision}+{file_sha256(folder / 'model.onnx')[:8]}"
    shutil.copyfile(artifact.tokenizer_path, folder / "tokenizer.json")
    if CALIBRATION in artifact.sha256:
        # Temperatures and thresholds were measured on the artifact; its variant answers alike, and says where they are from.
        record = json.loads(artifact.calibration_path.read_text(encoding="utf-8"))
        record |= {"model_id": model_id, "measured_on": record.get("measured_on", artifact.model_id)}
        (folder / CALIBRATION).write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    digests = {name: file_sha256(folder / name) for name in ("model.onnx", "tokenizer.json", CALIBRATION) if name in artifact.sha256}
    config |= {"model_id": model_id, "precision": precision, "sha256": digests}
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return digests
