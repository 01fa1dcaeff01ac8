from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.adaptation.tuning import Tuning, batches, kept_loss, milestones


@given(st.integers(10, 5_000), st.integers(1, 64))
def test_a_run_is_looked_at_on_its_way_and_is_never_too_long(texts: int, batch: int) -> None:
    stops = milestones(texts, batch)
    assert list(stops) == sorted(set(stops))
    assert stops[0] >= 12
    assert 48 <= stops[-1] <= 192


@given(st.integers(1, 400), st.integers(1, 40), st.integers(0, 9))
def test_every_row_comes_once_before_any_comes_again(rows: int, size: int, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(3, 90, rows)
    endless = batches(lengths, size, np.random.default_rng(seed))
    seen: list[int] = []
    while len(seen) < rows:
        seen += next(endless).tolist()
    assert sorted(seen) == list(range(rows))
    again = batches(lengths, size, np.random.default_rng(seed))
    assert [part.tolist() for part in islice(again, 3)] == [
        part.tolist() for part in islice(batches(lengths, size, np.random.default_rng(seed)), 3)
    ]


def test_rows_of_a_batch_are_of_like_length() -> None:
    lengths = np.random.default_rng(1).integers(3, 90, 2_000)
    spread = [np.ptp(lengths[part]) for part in islice(batches(lengths, 16, np.random.default_rng(2)), 100)]
    assert np.mean(spread) < 0.35 * np.mean(
        [np.ptp(lengths[np.random.default_rng(number).permutation(2_000)[:16]]) for number in range(100)]
    )


def test_the_step_size_stays_up() -> None:
    chosen = Tuning(rate=0.5, head_rate=0.25).optimisation(40)
    assert (chosen.steps, chosen.learning_rate, chosen.head_rate, chosen.cooldown) == (40, 0.5, 0.25, 0.0)


def test_what_was_answered_before_costs_nothing_to_answer_again() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    loss = kept_loss(logits, logits.softmax(1), torch.eye(3), 1.0)
    assert loss.abs().max() < 1e-6
    assert kept_loss(logits.flip(1), logits.softmax(1), torch.eye(3), 1.0).min() > -1e-6
    assert kept_loss(logits.flip(1), logits.softmax(1), torch.eye(3), 1.0).mean() > 0.1


def test_a_class_within_an_old_one_may_take_its_place_at_little_cost() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    answers = torch.tensor([[0.9, 0.1]])
    # All of the first old class has gone to a new one.
    logits = torch.tensor([[-20.0, 0.0, np.log(9.0)]], requires_grad=True)
    inside, apart = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    assert float(kept_loss(logits, answers, inside, 0.0).detach()) == pytest.approx(0.0, abs=1e-4)
    assert float(kept_loss(logits, answers, inside, 0.1).detach()) > 1.0
    lost = kept_loss(logits, answers, apart, 0.0)
    assert float(lost.detach()) > 10
    lost.backward()
    assert torch.isfinite(logits.grad).all()
