"""What a step loses beside its tasks: contrast across languages, translations apart, languages not told; each only where it is on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.errors import require
from models.texts.mixture import Lesson
from models.texts.translations import Pair
from models.training.contrastive import contrastive_loss, translation_loss
from models.training.language_loss import EMBEDDING, HEAD_BIAS, HEAD_WEIGHT, LanguageTable, language_loss
from models.training.methods import Methods
from models.training.network import Network

__all__ = ["Auxiliary"]

#: Tasks whose labels make texts alike.
CONTRASTED = ("sentiment", "topic")

#: Features of texts, not standardised, with gradients.
Features = Callable[[Sequence[str]], Any]


class Auxiliary:
    """The losses of :class:`models.training.methods.Methods` that are added to those of the tasks.

    Args:
        languages: of the training text, where the network has a head for them.
        pairs: translations, where they are drawn together.
        seed: of the choice of pairs, step by step.
    """

    def __init__(self, network: Network, methods: Methods, languages: LanguageTable, pairs: Sequence[Pair], seed: int) -> None:
        self._torch = require("torch")
        self.network, self.methods, self.languages, self.pairs, self.seed = network, methods, languages, pairs, seed

    def told(self, lessons: Sequence[Lesson]) -> Any:
        """What is added to the standardised features: the language's embedding for a share of ``lessons``; None where it is off."""
        share = self.methods.language_embedding
        if share <= 0:
            return None
        table = self.network.parameters[EMBEDDING]
        numbers = self._numbers(lessons)
        heard = (self._torch.rand(len(lessons)).to(table.device) < share) & (numbers >= 0)
        return table[numbers.clamp_min(0)] * heard[:, None]

    def losses(self, features: Any, lessons: Sequence[Lesson], place: tuple[int, int], embed: Features) -> list[Any]:
        """Sums over ``lessons``, times their factors. ``place``: step and batch within it; ``embed``: features of other texts."""
        methods, found = self.methods, []
        if methods.contrastive > 0:
            scaled = self.network.standardised(features)
            numbers = self._numbers(lessons)
            for task in CONTRASTED:
                labels = [lesson.answers[task].label if task in lesson.answers else None for lesson in lessons]
                known = self._torch.tensor([-1 if label is None else label for label in labels]).to(features.device)
                found.append(methods.contrastive * contrastive_loss(scaled, known, numbers, methods.contrastive_temperature))
        if methods.language_loss > 0:
            parameters = self.network.parameters
            linear = self._torch.nn.functional.linear
            logits = linear(self.network.standardised(features), parameters[HEAD_WEIGHT], parameters[HEAD_BIAS])
            found.append(methods.language_loss * language_loss(logits, self._numbers(lessons)))
        if methods.translations > 0 and self.pairs:
            chosen = np.random.default_rng((self.seed, *place)).choice(
                len(self.pairs), min(methods.translation_pairs, len(self.pairs)), False
            )
            left, right = zip(*(self.pairs[index] for index in chosen), strict=True)
            ours, theirs = (self.network.standardised(embed(texts)) for texts in (left, right))
            near = translation_loss(ours, theirs, methods.contrastive_temperature)
            # As if each lesson had a pair, whatever their number.
            found.append(methods.translations * near * (len(lessons) / len(chosen)))
        return found

    def _numbers(self, lessons: Sequence[Lesson]) -> Any:
        return self.languages.numbers([lesson.lang for lesson in lessons]).to(self.network.mean.device)
