"""Reader of the labelled JSONL sets, and what each label teaches.

The sets are gzip JSON Lines under ``train/sentiment_*``, ``train/topic`` and ``benchmark`` with the fields ``text``, ``label``,
``lang``, ``source``, ``split``. Which sets count, how much, and under which licence stands in ``sources.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.events import EVENT_LABELS, event_target
from models.json_lines import json_lines
from models.topics import TOPIC_LABELS, topic_table

__all__ = [
    "LABELS",
    "SENTIMENT_LABELS",
    "Example",
    "Row",
    "Source",
    "examples",
    "find_data",
    "read_rows",
    "sentiment_target",
    "sources",
    "topic_target",
]

SENTIMENT_LABELS: tuple[str, ...] = ("negative", "neutral", "positive")
SCHEMES = ("three", "two", "negative_or_not")
TASKS = ("sentiment", "topic")

#: Task -> its classes, in the order of the head's output.
LABELS: Mapping[str, tuple[str, ...]] = {"sentiment": SENTIMENT_LABELS, "topic": TOPIC_LABELS, "event": EVENT_LABELS}


@dataclass(frozen=True)
class Source:
    """One labelled set: its licence, its ``scheme`` (how labels count), ``domain`` ``weight`` against others of
    the domain, and ``share`` of the rows a language that other sets get."""

    name: str
    task: str
    origin: str
    licence: str
    scheme: str
    domain: str
    weight: float
    share: float
    left_out: str | None


@dataclass(frozen=True)
class Row:
    """One line of a set, as it stands."""

    text: str
    label: str
    lang: str
    source: str
    split: str


@dataclass(frozen=True)
class Example:
    """One text and what it teaches: the answer lies among ``targets``, given that it lies among ``universe`` (class indices)."""

    text: str
    lang: str
    source: str
    split: str
    task: str
    targets: tuple[int, ...]
    universe: tuple[int, ...]

    @property
    def label(self) -> int | None:
        """The class index where the label is one of all classes, else ``None``."""
        return self.targets[0] if len(self.targets) == 1 and len(self.universe) == len(LABELS[self.task]) else None


@cache
def sources() -> Mapping[str, Source]:
    """Every set that ``sources.toml`` knows, by name.

    Raises:
        ModelError: an entry has an unknown scheme.
    """
    raw = tomllib.loads(resources.files("models").joinpath("sources.toml").read_text(encoding="utf-8"))
    table: dict[str, Source] = {}
    for task in TASKS:
        for name, entry in raw[task].items():
            scheme = entry.get("scheme", "topic" if task == "topic" else "left out")
            if task == "sentiment" and "left_out" not in entry and scheme not in SCHEMES:
                raise ModelError(f"sources.toml: {name} has scheme {scheme!r}", mend=f"use one of {', '.join(SCHEMES)}")
            table[name] = Source(
                name=name,
                task=task,
                origin=entry["origin"],
                licence=entry["licence"],
                scheme=scheme,
                domain=entry.get("domain", "topic"),
                weight=float(entry.get("weight", 0.0)),
                share=float(entry.get("share", 1.0)),
                left_out=entry.get("left_out"),
            )
    return table


def find_data(explicit: Path | None = None) -> Path:
    """The folder with ``train/`` and ``benchmark/``: ``explicit``, else ``../shared/data`` beside the repository.

    Raises:
        ModelError: there is no such folder.
    """
    folder = explicit if explicit is not None else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "train").is_dir() and not (folder / "benchmark").is_dir():
        raise ModelError(f"no labelled text under {folder}", mend="give the folder that holds train/ and benchmark/ with --data")
    return folder


def _field(record: dict[str, Any], name: str, path: Path, number: int) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise ModelError(
            f"{path.name}, line {number}: field {name!r} is missing or empty", mend="every line needs text, label, lang, source, split"
        )
    return value


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of one ``.jsonl`` or ``.jsonl.gz`` file.

    Raises:
        ModelError: the file is absent, or a line is not a JSON object with the five text fields.
    """
    if not path.is_file():
        raise ModelError(f"no such set: {path}", mend="give the folder that holds train/ and benchmark/ with --data")
    for number, record in json_lines(path, "fetch the set again"):
        yield Row(*(_field(record, name, path, number) for name in ("text", "label", "lang", "source", "split")))


def sentiment_target(source: Source, label: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What ``label`` of ``source`` says: (classes it may be, classes among which that is said), as indices.

    Raises:
        ModelError: the label does not belong to the source's scheme.
    """
    negative, neutral, positive = range(3)
    if source.scheme == "negative_or_not" and label == "non_negative":
        return (neutral, positive), (negative, neutral, positive)
    if label in SENTIMENT_LABELS and not (source.scheme == "two" and label == "neutral"):
        universe = (negative, positive) if source.scheme == "two" else (negative, neutral, positive)
        return (SENTIMENT_LABELS.index(label),), universe
    raise ModelError(
        f"label {label!r} does not fit scheme {source.scheme!r} of {source.name}", mend="mend the scheme in models/sources.toml"
    )


def topic_target(source: str, label: str) -> int | None:
    """Index of the topic class for ``label`` of ``source``, ``None`` where the table leaves the label out."""
    name = topic_table().decide(source, label)
    return None if name is None else TOPIC_LABELS.index(name)


def _news_targets(task: str, row: Row) -> tuple[int, ...]:
    if task == "event":
        return event_target(row.source, row.label)
    index = topic_target(row.source, row.label)
    return () if index is None else (index,)


def examples(rows: Iterable[Row], task: str) -> Iterator[Example]:
    """Turn rows into examples of ``task`` (a key of :data:`LABELS`); sets and labels that the tables leave out yield nothing.

    Texts to which one source gives several answers (entity-level sets do) are dropped: a document has one tone here.

    Raises:
        ModelError: a row's source is not in ``sources.toml``.
    """
    known = sources()
    answers: dict[tuple[str, str], list[Example]] = {}
    for row in rows:
        source = known.get(row.source)
        if source is None:
            raise ModelError(f"source {row.source!r} is not in sources.toml", mend="add it with its origin, licence and scheme")
        if source.left_out is not None:
            continue
        if task == "sentiment":
            targets, universe = sentiment_target(source, row.label)
        else:
            targets, universe = _news_targets(task, row), tuple(range(len(LABELS[task])))
            if not targets:
                continue
        example = Example(row.text, row.lang, row.source, row.split, task, targets, universe)
        answers.setdefault((row.source, row.text), []).append(example)
    for same in answers.values():
        if len({example.targets for example in same}) == 1:
            yield same[0]
