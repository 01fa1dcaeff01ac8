"""Whether explanations are true of the model: taking out the words they name must cost more than taking out others.

The deletion test (DeYoung et al. 2020, ERASER: "comprehensiveness"), over texts that the model calls negative or positive.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.explanation.occlusion import Explanation, explain
from models.inference import Encoder

__all__ = ["SHARES", "Deletion", "deletion"]

#: Shares of the words that are taken out, at least one word.
SHARES = (0.1, 0.2, 0.3, 0.5)

#: Texts of fewer words say nothing about shares of words.
LEAST_WORDS = 5


@dataclass(frozen=True)
class Deletion:
    """What the score loses toward the model's answer, in the mean over ``rows`` texts, for each of :data:`SHARES`.

    Attributes:
        named: with the words that the explanations name taken out.
        chance: with as many words drawn at random.
        interval: of named - chance, 95 % bootstrap over texts, ``[shares, 2]``.
        turned: share of the texts for which words were found that turn the answer.
    """

    rows: int
    named: tuple[float, ...]
    chance: tuple[float, ...]
    interval: tuple[tuple[float, float], ...]
    turned: float


def _remaining(found: Explanation, places: Sequence[int]) -> str:
    gone = set(places)
    kept, at = [], 0
    for index, word in enumerate(found.words):
        kept.append(found.text[at : word.start])
        at = word.end
        if index not in gone:
            kept.append(word.text)
    return " ".join("".join([*kept, found.text[at : found.read]]).split())


def _scores(encoder: Encoder, texts: Sequence[str]) -> NDArray[np.float64]:
    labels, sentiment = encoder.artifact.sentiment_labels, encoder.score(texts).sentiment.astype(np.float64)
    return np.asarray(sentiment[:, labels.index("positive")] - sentiment[:, labels.index("negative")])


def deletion(encoder: Encoder, texts: Sequence[str], *, seed: int = 0) -> Deletion:
    """Run the test. Texts that the model calls neutral, or that have fewer than five words, are left out.

    Raises:
        ValueError: no text is left.
    """
    chance = random.Random(seed)  # noqa: S311 - drawn to be repeated, not to be secret
    named, drawn, turned = [], [], []
    for text in texts:
        found = explain(encoder, text)
        if found.label == "neutral" or len(found.words) < LEAST_WORDS:
            continue
        sign = 1 if found.label == "positive" else -1
        order = sorted(range(len(found.words)), key=lambda index: -sign * found.words[index].effect)
        other = chance.sample(order, len(order))
        counts = [max(1, round(share * len(order))) for share in SHARES]
        variants = [_remaining(found, places[:count]) for places in (order, other) for count in counts]
        lost = sign * (found.score - _scores(encoder, variants))
        named.append(lost[: len(SHARES)])
        drawn.append(lost[len(SHARES) :])
        turned.append(bool(found.turning))
    if not named:
        raise ValueError("none of the texts is negative or positive and of five words")
    difference = np.stack(named) - np.stack(drawn)
    rows = np.random.default_rng(seed).integers(0, len(named), (2_000, len(named)))
    low, high = np.quantile(difference[rows].mean(1), [0.025, 0.975], axis=0)
    return Deletion(
        rows=len(named),
        named=tuple(np.mean(named, 0).tolist()),
        chance=tuple(np.mean(drawn, 0).tolist()),
        interval=tuple(zip(low.tolist(), high.tolist(), strict=True)),
        turned=float(np.mean(turned)),
    )
