from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tritonclient.grpc import model_config_pb2 as pb
from typer.testing import CliRunner

from models.adaptation.replay import REPLAY_FILE
from models.artifact import Artifact, load_artifact
from models.cli import app
from models.errors import ModelError
from models.export.accelerator import nvidia_gpus
from models.export.triton import FRONT, GRAPH, build_repository, chosen_device, front_config, graph_config, read_config

GPU, CPU = pb.ModelInstanceGroup.KIND_GPU, pb.ModelInstanceGroup.KIND_CPU


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    try:
        return load_artifact()
    except ModelError as error:
        pytest.skip(str(error))


def tensors(config: Any) -> dict[str, tuple[int, list[int]]]:
    return {one.name: (one.data_type, list(one.dims)) for one in (*config.input, *config.output)}


def test_a_driver_that_is_not_there_means_no_gpu() -> None:
    assert nvidia_gpus(("libno-such-driver.so.1",)) == 0


@pytest.mark.parametrize(("found", "device"), [(0, "cpu"), (2, "gpu")])
def test_auto_goes_by_the_machine(monkeypatch: pytest.MonkeyPatch, found: int, device: str) -> None:
    monkeypatch.setattr("models.export.triton.nvidia_gpus", lambda: found)
    assert chosen_device("auto") == device
    assert (chosen_device("cpu"), chosen_device("gpu")) == ("cpu", "gpu")
    with pytest.raises(ModelError, match="'tpu'"):
        chosen_device("tpu")


def test_text_in_and_scores_out_are_the_same_on_both_devices() -> None:
    cpu, gpu = front_config("cpu"), front_config("gpu")
    assert tensors(cpu) == tensors(gpu)
    assert set(tensors(gpu)) == {"TEXT", "SENTIMENT", "TOPIC", "EVENT", "EMBEDDING", "MODEL", "LABELS"}
    assert cpu.dynamic_batching == gpu.dynamic_batching
    assert cpu.max_batch_size == gpu.max_batch_size == 64
    assert [one.name for one in cpu.model_warmup] == ["one text"]
    assert not gpu.model_warmup, "while a server starts, one model cannot call another"
    assert "graph" not in cpu.parameters
    assert gpu.parameters["graph"].string_value == GRAPH
    assert {group.kind for group in gpu.instance_group} == {CPU}, "tokenising is work for a processor"


def test_the_graph_runs_on_the_gpu_by_tensorrt_in_fp16_and_else_by_cuda() -> None:
    config = graph_config([("sentiment", 3), ("event", 13), ("embedding", 384)], 100)
    assert (config.name, config.backend) == (GRAPH, "onnxruntime")
    assert [group.kind for group in config.instance_group] == [GPU]
    tensorrt, cuda = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert (tensorrt.name, cuda.name) == ("tensorrt", "cuda")
    assert tensorrt.parameters["precision_mode"] == "FP16"
    assert tensorrt.parameters["trt_profile_min_shapes"] == "input_ids:1x16,attention_mask:1x16"
    assert tensorrt.parameters["trt_profile_max_shapes"] == "input_ids:256x112,attention_mask:256x112", (
        "100 tokens padded to a multiple of 16"
    )
    assert tensors(config) == {
        "input_ids": (pb.TYPE_INT64, [-1]),
        "attention_mask": (pb.TYPE_INT64, [-1]),
        "sentiment": (pb.TYPE_FP32, [3]),
        "event": (pb.TYPE_FP32, [13]),
        "embedding": (pb.TYPE_FP32, [384]),
    }
    assert config.HasField("dynamic_batching")
    assert config.response_cache.enable
    assert not front_config("gpu").response_cache.enable, "a cached answer holds only the outputs that were asked for first"
    longest = max(one.inputs["input_ids"].dims[0] for one in config.model_warmup)
    assert longest == 112, "the engine is built before the first text comes"


def test_a_repository_for_a_processor_needs_no_other_file(artifact: Artifact, tmp_path: Path) -> None:
    other = tmp_path / "repository" / "other"
    other.mkdir(parents=True)
    for _ in range(2):
        made = build_repository(artifact, tmp_path / "repository", "cpu")
    config = read_config(made / FRONT / "config.pbtxt")
    assert config == front_config("cpu")
    assert load_artifact(made / config.parameters["artifact"].string_value).model_id == artifact.model_id
    assert {path.name for path in made.iterdir()} == {FRONT, "other"}
    assert {path.name for path in (made / FRONT).iterdir()} == {"1", "artifact", "config.pbtxt", "sentiment_labels.txt"}


def test_a_repository_for_a_gpu_has_the_graph_in_fp16_once(artifact: Artifact, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra 'train' is not installed")
    import onnxruntime

    made = build_repository(artifact, tmp_path, "gpu")
    graph = load_artifact(made / read_config(made / FRONT / "config.pbtxt").parameters["artifact"].string_value)
    graph.verify()
    assert graph.onnx_path == tmp_path / GRAPH / "1" / "model.onnx"
    assert "-fp16+" in graph.model_id
    assert not list((made / FRONT).rglob("*.onnx"))
    config = read_config(made / GRAPH / "config.pbtxt")
    session = onnxruntime.InferenceSession(str(graph.onnx_path), providers=["CPUExecutionProvider"])
    assert {one.name: list(one.dims)[-1] for one in config.output} == {one.name: one.shape[-1] for one in session.get_outputs()}
    assert [one.name for one in config.input] == [one.name for one in session.get_inputs()]
    build_repository(artifact, tmp_path, "cpu")
    assert not (tmp_path / GRAPH).exists(), "a graph that nobody calls is not left behind"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [FRONT, GRAPH])
def test_a_folder_that_another_hand_made_is_left_alone(artifact: Artifact, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name / "thesis.txt"
    theirs.parent.mkdir()
    theirs.write_text("years of work", encoding="utf-8")
    before = files(tmp_path)
    with pytest.raises(ModelError, match="was not written by") as caught:
        build_repository(artifact, tmp_path, "cpu")
    assert "--out" in caught.value.mend
    assert files(tmp_path) == before


def test_the_repository_that_ships_is_not_built_over(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / FRONT
    shutil.copytree(Path("triton_repo") / FRONT, shipped)
    monkeypatch.setattr("models.export.triton._PLACES", (shipped,))
    before = files(tmp_path)
    with pytest.raises(ModelError, match="was not written by"):
        build_repository(artifact, tmp_path, "cpu")
    assert files(tmp_path) == before


def test_a_build_that_fails_leaves_the_repository_as_it_was(artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_repository(artifact, tmp_path, "cpu")
    before = files(tmp_path)

    def absent(name: str) -> Any:
        raise ModelError(f"{name} is not installed", mend="pip")

    monkeypatch.setattr("models.encoder.restoration.require", absent)
    with pytest.raises(ModelError, match="is not installed"):
        build_repository(artifact, tmp_path, "gpu")
    assert files(tmp_path) == before
    assert {path.name for path in tmp_path.iterdir()} == {FRONT}


def test_a_model_can_be_built_from_the_very_repository_that_is_written_anew(artifact: Artifact, tmp_path: Path) -> None:
    build_repository(artifact, tmp_path, "cpu")
    inside = load_artifact(tmp_path / FRONT / "artifact")
    before = files(tmp_path)
    build_repository(inside, tmp_path, "cpu")
    assert files(tmp_path) == before


def test_old_texts_do_not_go_out_with_the_server(artifact: Artifact, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(artifact.root, model)
    (model / REPLAY_FILE).write_bytes(b"features of somebody's texts")
    made = build_repository(load_artifact(model), tmp_path / "repository", "cpu")
    assert REPLAY_FILE not in {path.name for path in made.rglob("*")}


def test_what_cannot_be_built_is_one_line_and_the_mend(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for arguments, said in (
        (["--device", "tpu"], "--device is 'tpu'"),
        (["--device", "cpu", "--out", str(tmp_path / "file")], "cannot write"),
        (["--device", "cpu", "--encoder", str(tmp_path)], "has no config.json"),
    ):
        done = CliRunner().invoke(app, ["build", str(artifact.root), *arguments])
        assert done.exit_code == 1, done.output
        assert said in done.output
        assert "mend:" in done.output


def test_a_broken_config_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.pbtxt"
    path.write_text('nmae: "bellwether"', encoding="utf-8")
    with pytest.raises(ModelError, match=r"cannot read .*config\.pbtxt"):
        read_config(path)
