"""Lessons seen with slips of the pen, other capitals, emoji and addresses (:mod:`models.texts.perturbations`), labels unchanged."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

from models.texts.mixture import Lesson
from models.texts.perturbations import PERTURBATIONS

__all__ = ["augmented"]


def augmented(lessons: Sequence[Lesson], share: float, seed: str) -> list[Lesson]:
    """``lessons`` with about ``share`` of them changed, each in one way; the same for the same ``seed``.

    At ``share`` 0 they are what they were.
    """
    if share <= 0:
        return list(lessons)
    chance = random.Random(seed)  # noqa: S311 - which text is changed is no secret
    ways = list(PERTURBATIONS.values())
    changed = []
    for lesson in lessons:
        if chance.random() >= share:
            changed.append(lesson)
            continue
        changed.append(dataclasses.replace(lesson, text=chance.choice(ways)(lesson.text, chance)))
    return changed
