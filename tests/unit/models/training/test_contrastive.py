from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.contrastive import contrastive_loss, translation_loss

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def slowly(features: np.ndarray, labels: list[int], languages: list[int], temperature: float) -> float:
    """The formula of Khosla et al. (2), text by text."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    total = 0.0
    for i, label in enumerate(labels):
        if label < 0:
            continue
        positives = [j for j in range(len(labels)) if labels[j] == label and languages[j] != languages[i]]
        others = [j for j in range(len(labels)) if labels[j] >= 0 and labels[j] != label]
        among = sum(np.exp(unit[i] @ unit[j] / temperature) for j in positives + others)
        terms = [-np.log(np.exp(unit[i] @ unit[j] / temperature) / among) for j in positives]
        total += sum(terms) / len(terms) if terms else 0.0
    return total


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 2)), min_size=1, max_size=9),
    temperature=st.floats(0.1, 2.0),
    seed=st.integers(0, 9),
)
def test_it_is_the_formula_of_the_paper(rows: list[tuple[int, int]], temperature: float, seed: int) -> None:
    labels, languages = [row[0] for row in rows], [row[1] for row in rows]
    features = np.random.default_rng(seed).normal(size=(len(rows), 4))
    found = contrastive_loss(torch.from_numpy(features), torch.tensor(labels), torch.tensor(languages), temperature)
    assert float(found) == pytest.approx(slowly(features, labels, languages, temperature), rel=1e-6, abs=1e-9)


def test_only_other_languages_draw_and_only_other_labels_push() -> None:
    features = torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, -1.0]], requires_grad=True)
    contrastive_loss(features, torch.tensor([0, 0, 0]), torch.tensor([1, 1, 1]), 0.1).backward()
    assert not features.grad.any(), "one language: nothing to learn that is not the language"
    labels, languages = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 1])
    before = contrastive_loss(features, labels, languages, 0.1)
    features.grad = None
    before.backward()
    after = contrastive_loss(features - 0.01 * features.grad, labels, languages, 0.1)
    assert after < before


def test_a_batch_without_labels_costs_nothing() -> None:
    features = torch.randn(3, 4, requires_grad=True)
    loss = contrastive_loss(features, torch.tensor([-1, -1, -1]), torch.tensor([0, 1, 2]), 0.1)
    loss.backward()
    assert float(loss) == 0
    assert not features.grad.any()


def test_translations_are_drawn_to_their_own_and_from_the_others() -> None:
    torch.manual_seed(3)
    right = torch.nn.functional.normalize(torch.randn(5, 16), dim=1)
    matched = translation_loss(right + 0.01, right, 0.1)
    crossed = translation_loss(right.roll(1, 0), right, 0.1)
    assert matched < 0.1 < crossed
    assert float(translation_loss(right[:1], right[:1], 0.1)) == pytest.approx(0)
