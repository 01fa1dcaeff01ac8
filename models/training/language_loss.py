"""Languages in training: an auxiliary head that names a text's language, and a language embedding that the other heads are told.

The auxiliary loss keeps what language a text is in readable from its features (multi-task learning, Caruana 1997). The embedding is
added to the standardised features of a share of the lessons: sets differ from language to language in how often each class occurs, and
a head that is told the language need not write that habit into the features. A text that is served comes without it, as the other
lessons did; neither head nor embedding goes into the artifact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.errors import require

__all__ = ["EMBEDDING", "HEAD_BIAS", "HEAD_WEIGHT", "PREFIX", "LanguageTable", "language_loss"]

PREFIX = "language."
HEAD_WEIGHT, HEAD_BIAS, EMBEDDING = f"{PREFIX}head.weight", f"{PREFIX}head.bias", f"{PREFIX}embedding"


class LanguageTable:
    """``languages`` in order, as numbers."""

    def __init__(self, languages: Sequence[str]) -> None:
        self.languages = tuple(sorted(set(languages)))
        self._numbers = {language: number for number, language in enumerate(self.languages)}

    def numbers(self, languages: Sequence[str]) -> Any:
        """int64 ``[n]``: -1 for a language that is not in the table."""
        return require("torch").tensor([self._numbers.get(language, -1) for language in languages])


def language_loss(logits: Any, languages: Any) -> Any:
    """Sum of the cross-entropy of ``logits`` ``[batch, languages]``; a language of -1 costs nothing."""
    return require("torch").nn.functional.cross_entropy(logits, languages, ignore_index=-1, reduction="sum")
