"""Which labelled texts a fine-tuning run sees, in which pass, and what each teaches which head."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.data import LABELS, Example, examples, read_rows, sources
from models.languages import ENCODER_LANGUAGES
from models.mislabelled import trusted
from models.texts.sampling import choose, training_limit
from models.training.configuration import Mixing

__all__ = ["Lesson", "Lessons", "Mixture", "Targets", "class_factors", "normalised", "read_lessons", "targets"]

_LINK = re.compile(r"https?://\S+|www\.\S+|@\w+")
_LETTERS = re.compile(r"[\W\d_]+")


def normalised(text: str) -> str:
    """``text`` without case, links, mentions, digits, punctuation and spaces: equal for near-duplicates of a wire story or a retweet.

    A text of nothing else is returned as it is.
    """
    return _LETTERS.sub("", _LINK.sub("", text.casefold())) or text


@dataclass(frozen=True)
class Lesson:
    """One text with what it teaches each head: task -> :class:`models.data.Example`."""

    text: str
    lang: str
    source: str
    answers: Mapping[str, Example]


@dataclass(frozen=True)
class Lessons:
    """``train``: (set, language) -> its lessons, in the stable order of their texts' digests. ``dev``: one list."""

    train: Mapping[tuple[str, str], Sequence[Lesson]]
    dev: Sequence[Lesson]

    def dev_examples(self, task: str) -> tuple[list[int], list[Example]]:
        """Positions in ``dev`` of the lessons for ``task`` whose answer is one class, and the answers."""
        found = [(row, lesson.answers[task]) for row, lesson in enumerate(self.dev) if task in lesson.answers]
        certain = [(row, example) for row, example in found if example.label is not None]
        return [row for row, _ in certain], [example for _, example in certain]


@dataclass(frozen=True)
class Targets:
    """Boolean ``right`` and ``universe`` ``[n, classes]`` of one task; a row without label has an empty universe."""

    right: NDArray[np.bool_]
    universe: NDArray[np.bool_]


def targets(lessons: Sequence[Lesson], task: str) -> Targets:
    """What ``lessons`` teach the head of ``task``."""
    right = np.zeros((len(lessons), len(LABELS[task])), np.bool_)
    universe = np.zeros_like(right)
    for row, lesson in enumerate(lessons):
        if task in lesson.answers:
            right[row, list(lesson.answers[task].targets)] = True
            universe[row, list(lesson.answers[task].universe)] = True
    return Targets(right, universe)


def class_factors(taught: Targets) -> NDArray[np.float32]:
    """Weight of each class ``[classes]``, by the square root of its rarity among rows of one class, between 0.5 and 2."""
    single = taught.right[taught.right.sum(1) == 1].sum(0)
    factors = np.sqrt(single.mean() / np.maximum(single, 1))
    weights: NDArray[np.float32] = np.clip(factors, 0.5, 2.0).astype(np.float32)
    return weights


def _read_set(path: Path) -> Iterator[tuple[str, Lesson]]:
    """(split, lesson) of every text of one set that teaches something."""
    rows = list(read_rows(path))
    answers: defaultdict[str, dict[str, Example]] = defaultdict(dict)
    tasks = ("topic", "event") if path.parent.name == "topic" else ("sentiment",)
    for task in tasks:
        for example in filter(trusted, examples(rows, task)):
            answers[example.text][task] = example
    for text, by_task in answers.items():
        one = next(iter(by_task.values()))
        yield one.split, Lesson(text, one.lang, one.source, by_task)


def read_lessons(data: Path, mixing: Mixing, dev_rows: int) -> Lessons:
    """Read every set under ``data/train``.

    Rows of the train split that are near-duplicates of a dev row of any set, or of a train row read before, are left out.

    Raises:
        ModelError: a set holds a label or source that the tables do not know.
    """
    everything = [one for path in sorted((data / "train").glob("*/*.jsonl*")) for one in _read_set(path)]
    seen = {normalised(lesson.text) for split, lesson in everything if split == "dev"}
    groups: defaultdict[tuple[str, str], list[Lesson]] = defaultdict(list)
    for split, lesson in everything:
        if split == "train" and (key := normalised(lesson.text)) not in seen:
            seen.add(key)
            groups[lesson.source, lesson.lang].append(lesson)
    table = sources()
    for (source, lang), group in groups.items():
        most = mixing.limit * table[source].share * (1.0 if lang in ENCODER_LANGUAGES else mixing.unseen)
        group.sort(key=lambda lesson: hashlib.sha256(lesson.text.encode("utf-8", "surrogatepass")).digest())
        del group[max(1, round(most)) :]
    by_text = {lesson.text: lesson for split, lesson in everything if split == "dev"}
    first = (next(iter(lesson.answers.values())) for lesson in by_text.values())
    dev = [by_text[example.text] for example in choose(first, training_limit(dev_rows))]
    return Lessons(dict(sorted(groups.items())), dev)


class Mixture:
    """The order of lessons, pass after pass, the same on every run.

    Within a domain (financial sentiment, general sentiment, topic) a set and language of ``n`` rows gets a quota in proportion to
    ``n ** temperature`` times the set's weight and emphasis (temperature sampling, Conneau et al. 2020, arXiv:1911.02116). Each pass
    goes on in a group where the last one stopped.
    """

    def __init__(self, lessons: Lessons, mixing: Mixing, seed: int) -> None:
        self.lessons, self.mixing, self.seed = lessons, mixing, seed
        self.quotas = self._quotas()
        self.rows = sum(self.quotas.values())

    def _quotas(self) -> dict[tuple[str, str], int]:
        mixing, table = self.mixing, sources()
        sizes = {group: len(rows) for group, rows in self.lessons.train.items()}
        shares = {
            (source, lang): table[source].weight * mixing.emphasis.get(source, 1.0) * size**mixing.temperature
            for (source, lang), size in sizes.items()
        }
        domains = {group: table[group[0]].domain for group in sizes}
        totals: Counter[str] = Counter()
        for group, share in shares.items():
            totals[domains[group]] += share
        parts = {
            "finance": (1 - mixing.topic) * mixing.finance,
            "general": (1 - mixing.topic) * (1 - mixing.finance),
            "topic": mixing.topic,
        }
        quotas = {}
        for group, share in shares.items():
            wanted = mixing.rows * parts[domains[group]] * share / totals[domains[group]]
            quotas[group] = max(1, min(round(wanted), round(mixing.repeats * sizes[group])))
        return quotas

    def of_pass(self, number: int) -> list[Lesson]:
        """The lessons of pass ``number`` (from 0), shuffled."""
        chosen: list[Lesson] = []
        for group, quota in self.quotas.items():
            rows = self.lessons.train[group]
            begin = (self.mixing.passes_seen + number) * quota
            chosen.extend(rows[(begin + offset) % len(rows)] for offset in range(quota))
        order = np.random.default_rng((self.seed, number)).permutation(len(chosen))
        return [chosen[index] for index in order]
