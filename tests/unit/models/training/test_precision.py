from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.errors import ModelError
from models.training.network import Network
from models.training.precision import MixedPrecision

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
if torch.cuda.is_available():
    pytest.skip("these are the answers of a machine without a GPU", allow_module_level=True)


def test_a_processor_computes_in_fp32_and_has_no_fp16() -> None:
    mixed = MixedPrecision("auto")
    assert (mixed.device, mixed.name, mixed.state()) == ("cpu", "fp32", {})
    values = torch.ones(2)
    assert mixed.place(values) is values
    with pytest.raises(ModelError, match="fp16 needs a GPU"):
        MixedPrecision("fp16")


def test_bf16_is_near_and_features_and_gradients_stay_wide(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> None:
    network = Network(small_tensors, small_config, frozen=1, feature_layers=(3,), heads={"sentiment": 3})
    torch.manual_seed(1)
    states, lengths = torch.randn(3, 6, 64), torch.tensor([6, 5, 2])
    exact = network.features(states, lengths)
    mixed = MixedPrecision("bf16")
    with mixed.forward():
        narrow = network.features(states, lengths)
    assert narrow.dtype == torch.float32
    assert 0 < (narrow - exact).abs().max() < 0.2
    mixed.backward(narrow.square().mean())
    name = "encoder.layer.2.output.dense.weight"
    assert network.parameters[name].grad.dtype == torch.float32


def test_a_step_cuts_the_gradient_to_its_norm() -> None:
    weight = torch.ones(4, requires_grad=True)
    mixed = MixedPrecision("fp32")
    mixed.backward((weight * 100).sum())
    mixed.step(torch.optim.SGD([weight], lr=1.0), [weight], 1.0)
    assert (1 - weight).norm().item() == pytest.approx(1.0, rel=1e-4)
