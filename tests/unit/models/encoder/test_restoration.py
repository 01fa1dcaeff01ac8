from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from models.artifact import Artifact, load_artifact
from models.calibration.record import load_calibration
from models.encoder.portable import OPSET, PortableGraph
from models.encoder.pretrained import file_sha256
from models.encoder.quantization import quantize_blocks, quantize_rows
from models.encoder.restoration import restore, with_weights
from models.encoder.trimmed import Encoder
from models.encoder.vocabulary import Vocabulary
from models.errors import ModelError
from models.export.variants import export_precision, variant_graph, write_variant
from models.export.writing import write_artifact
from models.training.heads import Head

pytest.importorskip("onnx", reason="the extra 'train' is not installed")

LAYERS = (1, 3)


@pytest.fixture
def encoder(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], small_tokenizer: Path) -> Encoder:
    pieces = len(json.loads(small_tokenizer.read_text(encoding="utf-8"))["model"]["vocab"])
    words = small_tensors["embeddings.word_embeddings.weight"][:pieces]
    tensors = {**small_tensors, "embeddings.word_embeddings.weight": words}
    return Encoder(tensors, {**small_config, "vocab_size": pieces}, Vocabulary(np.arange(pieces), 0.9), small_tokenizer)


@pytest.fixture
def artifact(encoder: Encoder, tmp_path: Path) -> Artifact:
    random = np.random.default_rng(11)
    heads = {
        task: Head(random.normal(0, 0.3, (128, classes)).astype(np.float32), random.normal(0, 1, classes).astype(np.float32))
        for task, classes in {"sentiment": 3, "topic": 12, "event": 13}.items()
    }
    return write_artifact(
        tmp_path / "small",
        encoder,
        LAYERS,
        heads,
        version="1.0",
        temperatures=dict.fromkeys(heads, 1.5),
        max_length=20,
        prefix="",
        languages=["en"],
        provenance={"model": "small"},
    )


def feeds() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    ids, mask = np.ones((3, 12), np.int64), np.zeros((3, 12), np.int64)
    for row, length in enumerate((12, 7, 2)):
        ids[row, :length], mask[row, :length] = random.integers(4, 40, length), 1
    return {"input_ids": ids, "attention_mask": mask}


def answers(content: bytes) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds()), strict=True))


def test_the_weights_that_come_back_are_those_the_graph_computes_with(artifact: Artifact, encoder: Encoder) -> None:
    restored = restore(artifact)
    found = restored.encoder.tensors
    name = "encoder.layer.2.intermediate.dense.weight"
    assert np.array_equal(found[name], quantize_rows(encoder.tensors[name]).restored())
    words = "embeddings.word_embeddings.weight"
    assert np.array_equal(found[words], quantize_blocks(encoder.tensors[words]).restored())
    query = "encoder.layer.1.attention.self.query.bias"
    assert np.array_equal(found[query], encoder.tensors[query])
    assert restored.layers == LAYERS
    assert restored.heads["event"].weights.shape == (128, 13)
    assert restored.encoder.config["num_attention_heads"] == 4


def test_int8_made_anew_is_the_int8_that_was_read(artifact: Artifact) -> None:
    before = answers(artifact.onnx_path.read_bytes())
    after = answers(variant_graph(restore(artifact), "int8").model().SerializeToString())
    assert before.keys() == after.keys() == {"sentiment", "topic", "event", "embedding"}
    for name, values in before.items():
        assert after[name] == pytest.approx(values, abs=2e-6), name


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-5), ("fp16", 5e-3)])
def test_a_portable_graph_answers_as_the_float_graph_and_padding_changes_nothing(artifact: Artifact, precision: Any, bound: float) -> None:
    restored = restore(artifact)
    graph = restored.encoder.graph("float32")
    graph.features(LAYERS)
    graph.output("features", ["batch", 128])
    expected = onnxruntime.InferenceSession(graph.model().SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds())[0]
    portable = PortableGraph(restored.encoder.tensors, restored.encoder.config, portable=precision)
    portable.features(LAYERS)
    portable.output("features", ["batch", 128])
    found = onnxruntime.InferenceSession(portable.model().SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds())[0]
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < bound


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_portable_graph_has_no_operator_of_one_vendor(artifact: Artifact, precision: Any) -> None:
    import onnx

    model = variant_graph(restore(artifact), precision).model()
    onnx.checker.check_model(model, full_check=True)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} == {""}
    kinds = {one.data_type for one in model.graph.initializer if one.name.startswith("encoder.")}
    assert kinds == {onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.FLOAT}


def test_a_variant_is_a_model_folder_of_its_own(artifact: Artifact, tmp_path: Path) -> None:
    made = write_variant(artifact, restore(artifact), "fp16", tmp_path / "half")
    made.verify()
    assert made.model_id.startswith("small/1.0-fp16+")
    assert made.event_labels == artifact.event_labels
    assert json.loads((made.root / "config.json").read_text(encoding="utf-8"))["precision"] == "fp16"
    with pytest.raises(ModelError, match="is the artifact that is exported"):
        write_variant(artifact, restore(artifact), "fp16", artifact.root)


def test_a_variant_keeps_its_calibration_and_says_where_it_is_from(artifact: Artifact, tmp_path: Path) -> None:
    config = json.loads((artifact.root / "config.json").read_text(encoding="utf-8"))
    record = {"model_id": artifact.model_id, "sureness": 0.9, "least_coverage": 0.2, "heads": {}}
    artifact.calibration_path.write_text(json.dumps(record), encoding="utf-8")
    config["sha256"]["calibration.json"] = file_sha256(artifact.calibration_path)
    (artifact.root / "config.json").write_text(json.dumps(config), encoding="utf-8")
    made = write_variant(load_artifact(artifact.root), restore(artifact), "fp32", tmp_path / "float")
    made.verify()
    calibration = load_calibration(made)
    assert calibration is not None
    assert calibration.model_id == made.model_id
    assert json.loads(made.calibration_path.read_text(encoding="utf-8"))["measured_on"] == artifact.model_id


def test_unquantised_weights_take_the_place_of_the_restored(artifact: Artifact, encoder: Encoder) -> None:
    class Folder:
        """A Hugging Face folder with another order of the same pieces."""

        label, tokenizer_path = "tuned", encoder.tokenizer_path

        def tensors(self) -> dict[str, np.ndarray]:
            return dict(encoder.tensors)

    given: Any = Folder()
    full = with_weights(restore(artifact), given)
    for name, values in encoder.tensors.items():
        assert np.array_equal(full.encoder.tensors[name], values), name
    smaller = dataclasses.replace(encoder, tensors={**encoder.tensors, "embeddings.LayerNorm.bias": np.zeros(3, np.float32)})
    given.tensors = lambda: dict(smaller.tensors)
    with pytest.raises(ModelError, match=r"has no embeddings\.LayerNorm\.bias of shape"):
        with_weights(restore(artifact), given)


def test_a_foreign_graph_is_refused(artifact: Artifact, tmp_path: Path) -> None:
    half = write_variant(artifact, restore(artifact), "fp16", tmp_path / "half")
    with pytest.raises(ModelError, match="is not an int8 graph of this package"):
        restore(half)


def test_precisions_are_three() -> None:
    assert [export_precision(name) for name in ("fp32", "fp16", "int8")] == ["fp32", "fp16", "int8"]
    with pytest.raises(ModelError, match="'fp8'"):
        export_precision("fp8")
