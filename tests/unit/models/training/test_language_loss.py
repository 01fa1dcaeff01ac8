from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.data import Example
from models.texts.mixture import Lesson
from models.training.auxiliary import Auxiliary
from models.training.language_loss import EMBEDDING, HEAD_WEIGHT, LanguageTable, language_loss
from models.training.methods import Methods
from models.training.network import Network

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")


def lessons(*languages: str) -> list[Lesson]:
    answer = Example("", "en", "umsab", "train", "sentiment", (0,), (0, 1, 2))
    return [Lesson(f"text {number}", language, "umsab", {"sentiment": answer}) for number, language in enumerate(languages)]


@pytest.fixture
def network(small_tensors: dict[str, np.ndarray], small_config: dict[str, Any]) -> Network:
    return Network(small_tensors, small_config, frozen=2, feature_layers=(3,), heads={"sentiment": 3}, languages=3)


def test_languages_have_numbers_and_unknown_ones_cost_nothing() -> None:
    table = LanguageTable(["sw", "en", "en", "de"])
    assert table.languages == ("de", "en", "sw")
    numbers = table.numbers(["en", "xx", "sw"])
    assert numbers.tolist() == [1, -1, 2]
    logits = torch.zeros(3, 3)
    assert float(language_loss(logits, numbers)) == pytest.approx(2 * np.log(3))


def test_the_embedding_is_told_for_a_share_and_not_for_languages_it_lacks(network: Network) -> None:
    with torch.no_grad():
        network.parameters[EMBEDDING][:] = torch.tensor([1.0, 2.0, 3.0])[:, None]
    table = LanguageTable(["de", "en", "sw"])
    assert Auxiliary(network, Methods(), table, [], 1).told(lessons("de")) is None
    always = Auxiliary(network, Methods(language_embedding=1.0), table, [], 1)
    assert always.told(lessons("sw", "xx", "de"))[:, 0].tolist() == [3.0, 0.0, 1.0]
    torch.manual_seed(4)
    half = Auxiliary(network, Methods(language_embedding=0.5), table, [], 1)
    heard = (half.told(lessons(*["de"] * 400))[:, 0] > 0).sum()
    assert 150 < heard < 250


def test_the_auxiliary_loss_moves_its_head_and_the_features_and_nothing_is_exported(network: Network) -> None:
    torch.manual_seed(6)
    states = torch.randn(4, 5, 64, requires_grad=True)
    some = lessons("de", "en", "sw", "en")
    auxiliary = Auxiliary(network, Methods(language_loss=0.5), LanguageTable(["de", "en", "sw"]), [], 1)
    with torch.no_grad():
        network.parameters[HEAD_WEIGHT].normal_()
    features = network.features(states, torch.tensor([5, 5, 4, 3]))
    (loss,) = auxiliary.losses(features, some, (0, 0), lambda texts: None)
    loss.backward()
    assert network.parameters[HEAD_WEIGHT].grad.abs().sum() > 0
    assert states.grad.abs().sum() > 0
    assert not any(name.startswith("language.") for name in network.tensors(network.parameters))


def test_translations_are_chosen_by_seed_and_step(network: Network) -> None:
    asked: list[tuple[str, ...]] = []

    def embed(texts: Any) -> Any:
        asked.append(tuple(texts))
        return torch.randn(len(texts), 64)

    pairs = [(f"left {number}", f"right {number}") for number in range(40)]
    auxiliary = Auxiliary(network, Methods(translations=1.0, translation_pairs=4), LanguageTable(["en"]), pairs, 1)
    for place in ((0, 0), (0, 0), (1, 0)):
        auxiliary.losses(torch.randn(2, 64), lessons("en", "en"), place, embed)
    assert asked[0] == asked[2] != asked[4]
    assert [text.replace("left", "right") for text in asked[0]] == list(asked[1])
    assert len(asked[0]) == 4
