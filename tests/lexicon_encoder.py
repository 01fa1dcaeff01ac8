"""An encoder that knows what it answers: it adds up words. For what must be exact, where the real model can only be plausible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from models.artifact import Artifact
from models.inference import Scores

__all__ = ["LexiconEncoder"]

TOPICS = ("health", "sport")


class LexiconEncoder:
    """Log-odds of positive against negative are twice the sum of ``weights`` of the words; of no words it is neutral.

    ``sporty`` words make the topic sport.

    ``asked``: texts scored so far, in order.
    """

    prefix = ""

    def __init__(self, weights: Mapping[str, float], *, sporty: Sequence[str] = ("match",), max_length: int = 60) -> None:
        self.weights, self.sporty = dict(weights), frozenset(sporty)
        self.asked: list[str] = []
        self.tokenizer = Tokenizer(models.WordLevel({"?": 0}, "?"))
        self.tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        self.tokenizer.enable_truncation(max_length)
        empty: Mapping[str, str] = MappingProxyType({})
        self.artifact = Artifact(
            Path("nowhere"), "lexicon/1+00000000", ("negative", "neutral", "positive"), TOPICS, max_length, "", empty, {}, ("en",)
        )

    def _row(self, text: str) -> tuple[list[float], list[float]]:
        words = [word.strip(".,:;!").casefold() for word in text.split()]
        total = sum(self.weights.get(word, 0.0) for word in words)
        parts = [math.exp(-total), 1.2, math.exp(total)]
        sport = 0.9 if self.sporty & set(words) else 0.2
        return [part / sum(parts) for part in parts], [1 - sport, sport]

    def score(self, texts: Sequence[str]) -> Scores:
        self.asked += texts
        rows = [self._row(text) for text in texts]
        sentiment = np.array([row[0] for row in rows], np.float32).reshape(-1, 3)
        topic = np.array([row[1] for row in rows], np.float32).reshape(-1, 2)
        return Scores(sentiment, topic, np.ones((len(texts), 1), np.float32))
