"""The texts that training reads: labelled examples by set, and the raw text that decides the vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.data import Example, examples, read_rows
from models.json_lines import json_lines
from models.languages import ENCODER_LANGUAGES
from models.mislabelled import trusted
from models.texts.sampling import choose, training_limit

__all__ = ["Corpus", "Limits", "read_corpus", "vocabulary_texts"]


@dataclass(frozen=True)
class Limits:
    """Rows a set and language: of the train split, and of the dev split."""

    train: int = 1_200
    dev: int = 150


@dataclass(frozen=True)
class Corpus:
    """Chosen examples by ``(task, set, split)``."""

    sets: dict[tuple[str, str, str], list[Example]]

    def of(self, task: str, split: str) -> list[Example]:
        """Every chosen example of one task and split, in a stable order."""
        return [example for key in sorted(self.sets) if key[0] == task and key[2] == split for example in self.sets[key]]


def _set_name(path: Path) -> str:
    return path.name.split(".")[0]


def read_corpus(data: Path, limits: Limits) -> Corpus:
    """Read and choose from every set under ``data/train``.

    Raises:
        ModelError: a set holds a label or source that the tables do not know.
    """
    sets: dict[tuple[str, str, str], list[Example]] = {}
    for task in ("sentiment", "topic"):
        for path in sorted((data / "train").glob(f"{task}*/*.jsonl*")):
            everything = list(filter(trusted, examples(read_rows(path), task)))
            for split, limit in (("train", limits.train), ("dev", limits.dev)):
                chosen = choose((example for example in everything if example.split == split), training_limit(limit))
                if chosen:
                    sets[task, _set_name(path), split] = chosen
    return Corpus(sets)


def vocabulary_texts(data: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of the train texts in the encoder's languages, and of every stream, whose file's name stands for its language."""
    for path in sorted((data / "train").glob("*/*.jsonl*")):
        for row in read_rows(path):
            if row.split == "train" and row.lang in ENCODER_LANGUAGES:
                yield row.lang, row.text
    for path in sorted((data / "streams").glob("*.jsonl*")):
        for _, record in json_lines(path, "fetch the stream again"):
            text = record.get("text")
            if isinstance(text, str):
                yield _set_name(path), text
