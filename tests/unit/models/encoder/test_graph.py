from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from models.encoder.graph import EncoderGraph

pytest.importorskip("onnx", reason="the extra 'train' is not installed")


def session(
    tensors: dict[str, np.ndarray], config: dict[str, Any], precision: str, outputs: dict[str, int]
) -> onnxruntime.InferenceSession:
    graph = EncoderGraph(tensors, config, precision=precision)  # type: ignore[arg-type]
    for name, layer in outputs.items():
        graph.node("Identity", [graph.pooled(layer)], name)
        graph.output(name, ["batch", graph.hidden])
    return onnxruntime.InferenceSession(graph.model().SerializeToString(), providers=["CPUExecutionProvider"])


def padded(rows: list[list[int]], width: int) -> dict[str, np.ndarray]:
    ids, mask = np.ones((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture(scope="module")
def rows() -> list[list[int]]:
    random = np.random.default_rng(4)
    return [[0, *random.integers(4, 90, length).tolist(), 2] for length in (1, 3, 9, 14, 22)]


def test_float_graph_is_the_bert_of_transformers(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], rows: list[list[int]]
) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra 'train' is not installed")
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    model = transformers.BertModel(transformers.BertConfig(**small_config), add_pooling_layer=False).eval()
    missing = model.load_state_dict({name: torch.from_numpy(values) for name, values in small_tensors.items()}, strict=False)
    assert not missing.unexpected_keys
    assert all("position_ids" in name for name in missing.missing_keys)
    feeds = padded(rows, 24)
    with torch.no_grad():
        states = model(**{name: torch.from_numpy(values) for name, values in feeds.items()}, output_hidden_states=True).hidden_states
    weights = feeds["attention_mask"][:, :, None] / feeds["attention_mask"].sum(1)[:, None, None]
    built = session(small_tensors, small_config, "float32", {"lower": 1, "top": 3})
    for name, layer in (("lower", 1), ("top", 3)):
        expected = (states[layer].numpy() * weights).sum(1)
        assert built.run([name], feeds)[0] == pytest.approx(expected, abs=2e-5)


def test_int8_graph_is_close_to_the_float_graph(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], rows: list[list[int]]
) -> None:
    feeds = padded(rows, 24)
    exact, small = (session(small_tensors, small_config, precision, {"top": 3}).run(None, feeds)[0] for precision in ("float32", "int8"))
    cosine = (exact * small).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(small, axis=1)
    assert cosine.min() > 0.98


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_neighbours_and_padding_do_not_matter(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], rows: list[list[int]], precision: str
) -> None:
    built = session(small_tensors, small_config, precision, {"top": 3})
    together = built.run(None, padded(rows, 30))[0]
    for index, row in enumerate(rows):
        alone = built.run(None, padded([row], len(row)))[0]
        assert alone[0] == pytest.approx(together[index], abs=1e-5)


def test_fewer_layers_give_the_states_of_the_whole(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], rows: list[list[int]]
) -> None:
    whole = session(small_tensors, small_config, "int8", {"second": 2}).run(None, padded(rows, 24))[0]
    graph = EncoderGraph(small_tensors, small_config, layers=2)
    graph.features((2,))
    graph.output("features", ["batch", graph.hidden])
    cut = onnxruntime.InferenceSession(graph.model().SerializeToString(), providers=["CPUExecutionProvider"])
    assert np.array_equal(cut.run(None, padded(rows, 24))[0], whole)


def test_features_stand_in_the_order_asked(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], rows: list[list[int]]
) -> None:
    graph = EncoderGraph(small_tensors, small_config)
    graph.features((3, 1))
    graph.output("features", ["batch", 2 * graph.hidden])
    both = onnxruntime.InferenceSession(graph.model().SerializeToString(), providers=["CPUExecutionProvider"]).run(None, padded(rows, 24))[
        0
    ]
    single = session(small_tensors, small_config, "int8", {"lower": 1, "top": 3}).run(["top", "lower"], padded(rows, 24))
    assert np.array_equal(both, np.concatenate(single, axis=1))
