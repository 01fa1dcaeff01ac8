"""Words that mean one of a model's classes (``synonyms.toml``): bullish, neg, sports, M&A, …"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

__all__ = ["class_named"]


def class_named(task: str, label: str, classes: Sequence[str]) -> str | None:
    """Which of ``classes`` of ``task`` the word ``label`` names or means, None for a word that nobody knows.

    Case, ``-`` and ``_`` do not count.
    """
    return _names(task, tuple(classes)).get(_folded(label))


@cache
def _names(task: str, classes: tuple[str, ...]) -> Mapping[str, str]:
    raw = tomllib.loads(resources.files("models.evaluation").joinpath("synonyms.toml").read_text(encoding="utf-8"))
    known = {_folded(label): label for label in classes}
    return {_folded(word): name for word, name in raw[task].items() if name in classes} | known


def _folded(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())
