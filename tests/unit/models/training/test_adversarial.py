from __future__ import annotations

import pytest

from models.training.adversarial import adversarial_states

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def test_each_text_moves_by_its_share_along_its_own_gradient_and_padding_stays() -> None:
    torch.manual_seed(1)
    states, gradient = torch.randn(3, 5, 4), torch.randn(3, 5, 4) * 1e-6
    states[0, 3:], gradient[0, 3:] = 0, 0
    moved = adversarial_states(states, gradient, 0.1)
    step = moved - states
    assert step.flatten(1).norm(dim=1).numpy() == pytest.approx((0.1 * states.flatten(1).norm(dim=1)).numpy(), rel=1e-4)
    assert torch.nn.functional.cosine_similarity(step.flatten(1), gradient.flatten(1)).numpy() == pytest.approx(1.0, abs=1e-3)
    assert not step[0, 3:].any()
    assert not moved.requires_grad


def test_a_text_without_gradient_does_not_move() -> None:
    states = torch.randn(2, 3, 4)
    gradient = torch.zeros(2, 3, 4)
    gradient[1] = 1
    moved = adversarial_states(states, gradient, 0.5)
    assert torch.equal(moved[0], states[0])
    assert not torch.equal(moved[1], states[1])


def test_the_step_raises_the_loss() -> None:
    torch.manual_seed(2)
    states, weight = torch.randn(4, 3, 6, requires_grad=True), torch.randn(6)

    def loss(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.softplus(-(values.mean(1) @ weight)).sum()

    loss(states).backward()
    assert loss(adversarial_states(states, states.grad, 0.05)) > loss(states)
