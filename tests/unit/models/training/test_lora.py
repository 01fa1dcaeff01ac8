from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.encoder.quantization import quantize_rows
from models.training.heads import Head
from models.training.lora import dithers, rounded
from models.training.network import Network

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def network(tensors: dict[str, np.ndarray], config: dict[str, Any], lora: int = 0) -> Network:
    return Network(tensors, config, frozen=1, feature_layers=(1, 3), heads={"sentiment": 3}, lora=lora, lora_scale=2.0)


def features(one: Network) -> Any:
    torch.manual_seed(5)
    return one.features(torch.randn(2, 6, 64), torch.tensor([6, 4]))


def test_adapters_begin_as_nothing_and_are_all_that_is_trained(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> None:
    plain, thin = network(small_tensors, small_config), network(small_tensors, small_config, lora=4)
    assert torch.equal(features(plain), features(thin))
    kinds = {name.rpartition(".")[2] for name in thin.parameters if not name.startswith("heads.")}
    assert kinds == {"lora_a", "lora_b"}
    assert sum(value.numel() for value in thin.parameters.values()) < sum(value.numel() for value in plain.parameters.values()) / 3
    thin.start_head("sentiment", Head(np.ones((128, 3), np.float32), np.zeros(3, np.float32)))
    thin.logits(features(thin))["sentiment"][:, 0].sum().backward()
    moved = {name for name, value in thin.parameters.items() if value.grad is not None and value.grad.abs().sum() > 0}
    assert moved >= {name for name in thin.parameters if name.endswith("lora_b") and "layer.2." in name}
    assert not any(value.requires_grad for value in thin.base.values())


def test_what_goes_out_is_the_layers_with_their_adapters(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> None:
    thin = network(small_tensors, small_config, lora=4)
    with torch.no_grad():
        for name, value in thin.parameters.items():
            if name.endswith("lora_b"):
                value.normal_(0, 0.1)
    merged = thin.tensors(thin.parameters)
    name = "encoder.layer.2.output.dense.weight"
    expected = small_tensors[name] + 2.0 * (thin.parameters[f"{name}.lora_b"] @ thin.parameters[f"{name}.lora_a"]).detach().numpy()
    assert merged[name] == pytest.approx(expected, abs=1e-6)
    whole = network({**small_tensors, **merged}, small_config)
    assert features(whole).detach().numpy() == pytest.approx(features(thin).detach().numpy(), abs=1e-4)


def test_the_same_run_begins_the_same(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> None:
    one, other = (network(small_tensors, small_config, lora=4) for _ in range(2))
    assert all(torch.equal(value, other.parameters[name]) for name, value in one.parameters.items())


def on_levels(seed: int) -> Any:
    """A matrix as it comes out of an int8 graph."""
    weights = np.random.default_rng(seed).normal(0, 0.1, (24, 200)).astype(np.float32)
    return torch.from_numpy(quantize_rows(weights).restored())


def thresholds(weight: Any, seed: int = 3) -> Any:
    return dithers({"matrix": weight, "bias": weight[:, 0]}, seed)["matrix"]


@pytest.mark.parametrize("seed", range(5))
def test_a_matrix_that_did_not_move_is_rounded_to_itself(seed: int) -> None:
    weight = on_levels(seed)
    assert torch.equal(rounded(weight, thresholds(weight)), weight)


def test_small_moves_survive_the_rounding_on_average() -> None:
    weight = on_levels(1)
    step = weight.abs().amax(1, keepdim=True) / 64
    moved = weight + 0.2 * step * torch.sign(torch.randn(24, 1, generator=torch.Generator().manual_seed(2)))
    nearest = torch.from_numpy(quantize_rows(moved.numpy()).restored())
    asked = (moved - weight).sum(1)
    got, lost = (rounded(moved, thresholds(weight)) - weight).sum(1), (nearest - weight).sum(1)
    assert (got - asked).abs().mean() < 0.25 * asked.abs().mean()
    assert (lost - asked).abs().mean() > 0.4 * asked.abs().mean(), "the nearest level takes most of the move back"


def test_what_was_rounded_goes_into_the_graph_as_it_is_and_gradients_pass() -> None:
    weight = on_levels(4) + 0.01 * torch.randn(24, 200, generator=torch.Generator().manual_seed(5))
    weight.requires_grad_(True)
    found = rounded(weight, thresholds(weight))
    np.testing.assert_allclose(quantize_rows(found.detach().numpy()).restored(), found.detach().numpy(), rtol=1e-6)
    found.sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))


def test_thresholds_are_the_same_for_the_same_seed_and_only_for_matrices() -> None:
    weight = on_levels(0)
    assert torch.equal(thresholds(weight), thresholds(weight))
    assert not torch.equal(thresholds(weight), thresholds(weight, 4))
    assert set(dithers({"matrix": weight, "bias": weight[:, 0]}, 1)) == {"matrix"}
