from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import ModelError
from models.training.ensembling import average_runs
from models.training.network import Network

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def network(tensors: dict[str, np.ndarray], config: dict[str, Any], lora: int = 0) -> Network:
    return Network(tensors, config, frozen=2, feature_layers=(3,), heads={"sentiment": 3}, lora=lora)


def saved(one: Network, folder: Path, seed: int) -> Path:
    """A run folder whose network has heads and standardisation of its own."""
    random = np.random.default_rng(seed)
    one.standardise(random.normal(seed, 1 + seed, (50, 64)).astype(np.float32))
    with torch.no_grad():
        for value in one.parameters.values():
            value.add_(torch.from_numpy(random.normal(0, 0.1, tuple(value.shape)).astype(np.float32)))
    folder.mkdir()
    values = {name: value.detach().clone() for name, value in one.parameters.items()}
    torch.save(values, folder / "best.pt")
    torch.save({"mean": one.mean, "deviation": one.deviation, "step": 7, "parameters": values, "average": values}, folder / "checkpoint.pt")
    return folder


def loaded(one: Network, folder: Path) -> dict[str, Any]:
    content = torch.load(folder / "checkpoint.pt", weights_only=True)
    one.mean, one.deviation = content["mean"], content["deviation"]
    return dict(torch.load(folder / "best.pt", weights_only=True))


def test_heads_of_other_scales_are_averaged_as_what_they_answer(
    small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], tmp_path: Path
) -> None:
    nets = [network(small_tensors, small_config) for _ in range(2)]
    runs = [saved(one, tmp_path / f"run{number}", number) for number, one in enumerate(nets)]
    heads = [one.heads(one.parameters)["sentiment"] for one in nets]
    assert average_runs(runs, tmp_path / "soup") == len(nets[0].parameters)
    whole = network(small_tensors, small_config)
    values = loaded(whole, tmp_path / "soup")
    found = whole.heads(values)["sentiment"]
    assert found.weights == pytest.approx((heads[0].weights + heads[1].weights) / 2, abs=1e-5)
    assert found.bias == pytest.approx((heads[0].bias + heads[1].bias) / 2, abs=1e-4)
    name = "encoder.layer.2.output.dense.weight"
    both = [one.parameters[name].detach() for one in nets]
    assert torch.allclose(values[name], (both[0] + both[1]) / 2, atol=1e-6)
    assert torch.load(tmp_path / "soup" / "checkpoint.pt", weights_only=True)["step"] == 7


def test_what_cannot_be_averaged_is_refused(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any], tmp_path: Path) -> None:
    plain = saved(network(small_tensors, small_config), tmp_path / "plain", 1)
    thin = saved(network(small_tensors, small_config, lora=2), tmp_path / "thin", 2)
    cases: list[tuple[list[Path], Path, str]] = [
        ([plain], tmp_path / "a", "one run has no mean"),
        ([plain, thin], tmp_path / "a", "another network"),
        ([thin, thin], tmp_path / "a", "has adapters"),
        ([plain, tmp_path / "none"], tmp_path / "a", "holds no run"),
        ([plain, plain], plain, "is there already"),
    ]
    for runs, out, said in cases:
        with pytest.raises(ModelError, match=said) as raised:
            average_runs(runs, out)
        assert raised.value.mend
    assert not (tmp_path / "a").exists()
