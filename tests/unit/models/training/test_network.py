from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

from models.encoder.graph import EncoderGraph
from models.training.heads import Head
from models.training.network import Network, masked_loss

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
pytest.importorskip("onnx", reason="the extra 'train' is not installed")


@pytest.fixture
def network(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> Network:
    return Network(small_tensors, small_config, frozen=1, feature_layers=(1, 2, 3), heads={"sentiment": 3, "topic": 2})


def padded() -> dict[str, np.ndarray]:
    ids, mask = np.ones((3, 14), np.int64), np.zeros((3, 14), np.int64)
    random = np.random.default_rng(5)
    for row, length in enumerate((14, 9, 3)):
        ids[row, :length], mask[row, :length] = random.integers(4, 90, length), 1
    return {"input_ids": ids, "attention_mask": mask}


def test_features_are_those_of_the_exported_float_graph(
    network: Network, small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]
) -> None:
    graph = EncoderGraph(small_tensors, small_config, precision="float32")
    graph.node("Identity", [graph.state(1)], "states")
    graph.output("states", ["batch", "sequence", 64])
    graph.features((1, 2, 3))
    graph.output("features", ["batch", 192])
    session = onnxruntime.InferenceSession(graph.model().SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = padded()
    states, expected = session.run(["states", "features"], feeds)
    with torch.no_grad():
        features = network.features(torch.from_numpy(states), torch.from_numpy(feeds["attention_mask"].sum(1)))
    assert features.numpy() == pytest.approx(expected, abs=3e-5)


def test_padding_changes_nothing(network: Network) -> None:
    torch.manual_seed(2)
    states = torch.randn(2, 7, 64)
    alone = network.features(states[:1, :4], torch.tensor([4]))
    together = network.features(states, torch.tensor([4, 7]))
    assert together[0].detach().numpy() == pytest.approx(alone[0].detach().numpy(), abs=1e-5)


def test_a_head_goes_in_and_comes_out_as_it_was(network: Network) -> None:
    random = np.random.default_rng(3)
    features = random.normal(2, 3, (50, 192)).astype(np.float32)
    head = Head(random.normal(0, 1, (192, 3)).astype(np.float32), random.normal(0, 1, 3).astype(np.float32))
    network.standardise(features)
    network.start_head("sentiment", head)
    inside = network.logits(torch.from_numpy(features))["sentiment"].detach().numpy()
    assert inside == pytest.approx(head.logits(features), rel=1e-3, abs=1e-2)
    back = network.heads(network.parameters)["sentiment"]
    assert back.weights == pytest.approx(head.weights, rel=1e-3, abs=1e-4)
    assert back.bias == pytest.approx(head.bias, rel=1e-3, abs=1e-2)


def test_trained_tensors_bear_the_encoders_names_and_are_copies(network: Network, small_tensors: dict[str, np.ndarray]) -> None:
    tensors = network.tensors(network.parameters)
    assert set(tensors) == {name for name in small_tensors if name.startswith(("encoder.layer.1.", "encoder.layer.2."))}
    for name, values in tensors.items():
        assert np.array_equal(values, small_tensors[name])
        values += 1
    assert np.array_equal(
        network.parameters["encoder.layer.1.output.dense.bias"].detach().numpy(), small_tensors["encoder.layer.1.output.dense.bias"]
    )


def test_multi_sample_dropout_is_off_at_nought_and_averages_otherwise(network: Network) -> None:
    torch.manual_seed(1)
    features = torch.randn(4, 192)
    network.start_head("topic", Head(np.ones((192, 2), np.float32), np.zeros(2, np.float32)))
    plain = network.logits(features)["topic"]
    few = network.logits(features, dropout=0.3, samples=1)["topic"]
    many = network.logits(features, dropout=0.3, samples=600)["topic"]
    assert not torch.allclose(plain, few)
    assert (many - plain).abs().mean() < (few - plain).abs().mean() / 5


def test_masked_loss_by_hand() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 5.0, 1.0], [1.0, 1.0, 1.0], [0.3, 0.2, 9.0]])
    right = torch.tensor([[True, False, False], [False, False, True], [False, True, True], [False, False, False]])
    universe = torch.tensor([[True, True, True], [True, False, True], [True, True, True], [False, False, False]])
    expected = [np.log(1 + np.e**-1 + np.e**-2), np.log(1 + np.e**-1), np.log(3 / 2), 0.0]
    assert masked_loss(logits, right, universe).numpy() == pytest.approx(expected, abs=1e-6)


def test_two_classes_say_nothing_of_the_third_and_no_label_says_nothing() -> None:
    logits = torch.tensor([[0.5, 3.0, -1.0], [1.0, 2.0, 3.0]], requires_grad=True)
    right = torch.tensor([[True, False, False], [False, False, False]])
    universe = torch.tensor([[True, False, True], [False, False, False]])
    masked_loss(logits, right, universe, smoothing=0.1).sum().backward()
    assert logits.grad[0, 1] == 0
    assert logits.grad[0, 0] < 0 < logits.grad[0, 2]
    assert torch.equal(logits.grad[1], torch.zeros(3))


def test_smoothing_is_that_of_torch_where_every_class_counts() -> None:
    torch.manual_seed(4)
    logits, labels = torch.randn(6, 5), torch.randint(5, (6,))
    right = torch.nn.functional.one_hot(labels, 5).bool()
    ours = masked_loss(logits, right, torch.ones_like(right), smoothing=0.2)
    theirs = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.2, reduction="none")
    assert ours.numpy() == pytest.approx(theirs.numpy(), abs=1e-6)
