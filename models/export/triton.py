"""Building a Triton model repository that holds the model, for a processor or for a GPU: the same tensors of ``bellwether`` in both.

On a processor ``bellwether`` is the Python backend with the int8 graph inside. On a GPU it only tokenises, on a processor, and calls a
second model, ``bellwether_graph``: the fp16 graph in standard operators under Triton's ONNX Runtime backend, by TensorRT where that can
and by CUDA for the rest.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

from google.protobuf import text_format  # type: ignore[import-untyped,unused-ignore]
from tritonclient.grpc import model_config_pb2

from models.adaptation.replay import REPLAY_FILE
from models.artifact import Artifact
from models.encoder.pretrained import PretrainedModel
from models.errors import ModelError
from models.export.accelerator import nvidia_gpus

__all__ = ["FRONT", "GRAPH", "Device", "build_repository", "chosen_device", "front_config", "graph_config", "read_config"]

Device = Literal["cpu", "gpu"]

FRONT: Final = "bellwether"
GRAPH: Final = "bellwether_graph"

#: Texts of one call of the graph. A GPU is far from full at what a processor takes.
GRAPH_BATCH: Final = 256
#: Texts are padded to a multiple of this, so that texts of like length share a call and TensorRT sees few shapes.
MULTIPLE: Final = 16
ARTIFACT: Final = "artifact"
#: Front instances: one tokenises while the others wait for the GPU.
FRONTS: Final = 4
WORKSPACE: Final = 2 << 30
#: The first line of every config that is written; a folder without it is not ours to replace.
WRITTEN: Final = "# Written by `bellwether models build`. What the tensors mean: README.md of triton_repo in the project.\n"

_BESIDE = Path(__file__).resolve().parents[2]
_PLACES = (_BESIDE / "triton_repo" / FRONT, _BESIDE / "streams" / "embedded" / "triton_repo" / FRONT)


def chosen_device(name: str) -> Device:
    """``cpu`` or ``gpu`` as ``name`` says; ``auto`` takes the GPU where the driver finds one.

    Raises:
        ModelError: ``name`` is none of the three.
    """
    if name == "auto":
        return "gpu" if nvidia_gpus() else "cpu"
    known: dict[str, Device] = {"cpu": "cpu", "gpu": "gpu"}
    if name not in known:
        raise ModelError(f"--device is {name!r}", mend="use cpu, gpu or auto")
    return known[name]


def read_config(path: Path) -> Any:
    """A ``config.pbtxt`` as a ``ModelConfig``.

    Raises:
        ModelError: it is absent, or Triton would not read it.
    """
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ModelError(f"cannot read {path}: {error}", mend="reinstall the package") from error


def _shipped() -> Path:
    found = next((place for place in _PLACES if (place / "config.pbtxt").is_file()), None)
    if found is None:
        raise ModelError("the model repository that comes with the package is not there", mend="reinstall the package")
    return found


def front_config(device: Device) -> Any:
    """The config of ``bellwether``: the shipped one with the artifact inside the repository, a warm-up, and for a GPU its graph."""
    config = read_config(_shipped() / "config.pbtxt")
    config.parameters["artifact"].string_value = f"{FRONT}/{ARTIFACT}" if device == "cpu" else f"{GRAPH}/1"
    if device == "gpu":
        config.parameters["graph"].string_value = GRAPH
        config.parameters["multiple"].string_value = str(MULTIPLE)
        del config.instance_group[:]
        config.instance_group.add(count=FRONTS, kind=model_config_pb2.ModelInstanceGroup.KIND_CPU)
        # No warm-up: while Triton starts, one model cannot call another. The graph has its own.
        return config
    warm = config.model_warmup.add(name="one text", batch_size=1)
    warm.inputs["TEXT"].CopyFrom(model_config_pb2.ModelWarmup.Input(data_type=model_config_pb2.TYPE_STRING, dims=[1], zero_data=True))
    return config


def _shapes(batch: int, tokens: int) -> str:
    return ",".join(f"{name}:{batch}x{tokens}" for name in ("input_ids", "attention_mask"))


def graph_config(outputs: Sequence[tuple[str, int]], max_length: int) -> Any:
    """The config of ``bellwether_graph``: ONNX Runtime on every GPU, TensorRT in fp16, then CUDA.

    Args:
        outputs: name and width of each of the graph's outputs.
        max_length: tokens of a text at most.
    """
    pb = model_config_pb2
    longest = -(-max_length // MULTIPLE) * MULTIPLE
    config = pb.ModelConfig(name=GRAPH, backend="onnxruntime", max_batch_size=GRAPH_BATCH, default_model_filename="model.onnx")
    for name in ("input_ids", "attention_mask"):
        config.input.add(name=name, data_type=pb.TYPE_INT64, dims=[-1])
    for name, width in outputs:
        config.output.add(name=name, data_type=pb.TYPE_FP32, dims=[width])
    config.instance_group.add(count=1, kind=pb.ModelInstanceGroup.KIND_GPU)
    # Triton's key of a cached response leaves out which outputs were asked for. The front asks for all, always; other clients of
    # `bellwether` do not, so that one must not be cached.
    config.response_cache.enable = True
    # Calls of several fronts that have the same padded length run together.
    config.dynamic_batching.max_queue_delay_microseconds = 500
    config.dynamic_batching.preferred_batch_size.extend((64, GRAPH_BATCH))
    tensorrt = config.optimization.execution_accelerators.gpu_execution_accelerator.add(name="tensorrt")
    tensorrt.parameters.update(
        {
            "precision_mode": "FP16",
            "max_workspace_size_bytes": str(WORKSPACE),
            # One engine for every shape there will be; kept beside the model, for it takes minutes to build.
            "trt_profile_min_shapes": _shapes(1, MULTIPLE),
            "trt_profile_opt_shapes": _shapes(64, min(2 * MULTIPLE, longest)),
            "trt_profile_max_shapes": _shapes(GRAPH_BATCH, longest),
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": f"/tmp/{GRAPH}",  # noqa: S108 - of the container, where the repository may be read-only
            "trt_timing_cache_enable": "1",
            "trt_layer_norm_fp32_fallback": "1",
        }
    )
    config.optimization.execution_accelerators.gpu_execution_accelerator.add(name="cuda")
    for number, (batch, tokens) in enumerate(((1, MULTIPLE), (64, min(2 * MULTIPLE, longest)), (64, longest))):
        warm = config.model_warmup.add(name=f"shape {number}", batch_size=batch)
        for name in ("input_ids", "attention_mask"):
            # Nothing attended would be 0 / 0 in the pooling; the numbers are thrown away.
            warm.inputs[name].CopyFrom(pb.ModelWarmup.Input(data_type=pb.TYPE_INT64, dims=[tokens], zero_data=True))
    return config


def _write(folder: Path, config: Any) -> None:
    (folder / "config.pbtxt").write_text(WRITTEN + text_format.MessageToString(config), encoding="utf-8")


def _demand_ours(folder: Path) -> None:
    """Refuse to replace what ``build`` did not write: a folder may well bear the model's name and hold anything.

    Raises:
        ModelError: it has no config of ours.
    """
    path = folder / "config.pbtxt"
    if not folder.exists() or (path.is_file() and path.read_bytes().startswith(WRITTEN.encode())):
        return
    message = f"{folder} is there and was not written by `bellwether models build`"
    raise ModelError(message, mend="name another folder with --out, or move that one away")


def build_repository(artifact: Artifact, out: Path, device: Device, weights: PretrainedModel | None = None) -> Path:
    """Write a repository that needs no other file to ``out``; models of other names there are left alone.

    What an earlier build wrote is replaced once the new one is whole; where it fails, the old one stays. Replay rows stay behind: the
    server has no use for them, and those of an adapted model are made from its user's texts.

    Args:
        weights: the unquantised encoder of the model, for the fp16 graph; by default what the int8 graph stands for.

    Raises:
        ModelError: the extra ``train`` is missing (GPU only), ``artifact`` cannot be restored, ``out`` cannot be written, or holds a
            folder of the same name that was made otherwise.
    """
    if weights is not None and device == "cpu":
        raise ModelError("--encoder is for the fp16 graph of a GPU", mend="leave it out: a processor runs the int8 graph as it is")
    config = front_config(device)
    try:
        for name in (FRONT, GRAPH):
            _demand_ours(out / name)
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=out) as place:
            made = Path(place)
            shutil.copytree(_shipped(), made / FRONT, ignore=shutil.ignore_patterns("__pycache__", "config.pbtxt"))
            if device == "gpu":
                _write_graph(artifact, made / GRAPH, weights)
            else:
                shutil.copytree(artifact.root, made / FRONT / ARTIFACT, ignore=shutil.ignore_patterns(REPLAY_FILE))
            _write(made / FRONT, config)
            for name in (FRONT, GRAPH):
                if (out / name).exists():
                    shutil.rmtree(out / name)
                if (made / name).exists():
                    (made / name).rename(out / name)
    except OSError as error:
        raise ModelError(f"cannot write {out}: {error}", mend="name a folder that you may write to with --out") from error
    return out


def _write_graph(artifact: Artifact, folder: Path, weights: PretrainedModel | None) -> None:
    """The fp16 artifact as version 1 of the model, and its config."""
    from models.encoder.restoration import restore, with_weights
    from models.export.variants import write_variant

    restored = restore(artifact)
    if weights is not None:
        restored = with_weights(restored, weights)
    made = write_variant(artifact, restored, "fp16", folder / "1")
    widths = [(task, int(head.bias.size)) for task, head in restored.heads.items()]
    _write(folder, graph_config([*widths, ("embedding", int(restored.encoder.config["hidden_size"]))], made.max_length))
