from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def test_soft_loss_is_the_divergence_at_the_temperature_by_hand() -> None:
    from models.students.distillation import soft_loss

    ours, theirs = np.array([[2.0, 0.0, -1.0], [0.3, 0.3, 0.3]]), np.array([[0.0, 1.0, 0.0], [0.3, 0.3, 0.3]])
    first, second = (np.exp(values / 2) / np.exp(values / 2).sum(1, keepdims=True) for values in (ours, theirs))
    expected = 4 * (second * np.log(second / first)).sum(1)
    got = soft_loss(torch.from_numpy(ours), torch.from_numpy(theirs), 2.0).numpy()
    assert got == pytest.approx(expected, abs=1e-9)
    assert got[1] == pytest.approx(0, abs=1e-9)


def test_gradients_keep_their_size_when_the_answers_are_softened() -> None:
    from models.students.distillation import soft_loss

    sizes = []
    for softness in (4.0, 16.0):
        logits = torch.zeros(1, 3, requires_grad=True)
        soft_loss(logits, torch.tensor([[0.3, 0.0, -0.3]]), softness).sum().backward()
        sizes.append(float(logits.grad.abs().sum()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
