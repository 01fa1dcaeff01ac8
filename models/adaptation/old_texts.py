"""Which old texts stand for what a model already does: labelled rows of every language, from a data folder or a user's own files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from models.data import Example, examples, read_rows, sources
from models.errors import ModelError
from models.json_lines import json_lines
from models.texts.mixture import normalised

__all__ = ["OldText", "Quotas", "choose_old", "read_old", "read_own"]

#: Folder under ``train/`` -> the heads that its labels teach.
_TASKS: Mapping[str, tuple[str, ...]] = {
    "sentiment_financial": ("sentiment",),
    "sentiment_general": ("sentiment",),
    "topic": ("topic", "event"),
}


#: One in so many of a user's own old texts is measured on; the others hold the head.
CHECKED = 4
OWN = 'one JSON object a line, {"text": …, "lang": …, "label": …}, in files called *.jsonl or *.jsonl.gz'

#: Sets of the same sentences in every language: a row more of one language tells little that the other languages' rows do not.
PARALLEL = frozenset({"sib200"})


@dataclass(frozen=True)
class Quotas:
    """Rows a language, sentiment and news counted apart: ``fit`` to hold the heads by, ``check`` to measure decay on.

    ``others``: the share of them that languages outside the model's list get. ``parallel``: the share that a set of :data:`PARALLEL` may
    give a language.
    """

    fit: int = 40
    check: int = 200
    others: float = 0.1
    parallel: float = 0.2


@dataclass(frozen=True)
class OldText:
    """``answers``: head -> class index, where the label is one class. ``check``: from the dev split."""

    text: str
    lang: str
    source: str
    check: bool
    answers: Mapping[str, int]


def read_old(data: Path, leave_out: Set[str] = frozenset()) -> Iterator[OldText]:
    """Every row of ``data/train`` whose label is one class, but for the sets in ``leave_out``.

    Raises:
        ModelError: there is no such text, a set in ``leave_out`` is unknown, or a set holds a label that the tables do not know.
    """
    unknown = sorted(leave_out - set(sources()))
    if unknown:
        raise ModelError(f"no set is called {', '.join(unknown)}", mend="use the names in models/sources.toml")
    paths = [path for folder in _TASKS for path in sorted((data / "train" / folder).glob("*.jsonl*"))]
    if not paths:
        raise ModelError(f"no labelled text under {data / 'train'}", mend="give the folder that holds train/ with --data")
    for path in paths:
        rows = [row for row in read_rows(path) if row.source not in leave_out]
        found: defaultdict[str, dict[str, Example]] = defaultdict(dict)
        for task in _TASKS[path.parent.name]:
            for example in examples(rows, task):
                if example.label is not None:
                    found[example.text][task] = example
        for text, by_task in found.items():
            one = next(iter(by_task.values()))
            if one.split in ("train", "dev"):
                yield OldText(text, one.lang, one.source, one.split == "dev", {task: each.targets[0] for task, each in by_task.items()})


def read_own(place: Path, heads: Mapping[str, Sequence[str]]) -> Iterator[OldText]:
    """Every row of a user's own ``.jsonl`` or ``.jsonl.gz`` file, or of all of a folder: ``text``, ``lang`` and, if known, ``label``.

    A label counts for every head of ``heads`` (head -> classes) that has a class of this name. One text in :data:`CHECKED` is to check on.

    Raises:
        ModelError: there is no such file, or a line is not an object with text and language.
    """
    paths = [place] if place.is_file() else sorted(place.glob("*.jsonl*"))
    if not paths:
        raise ModelError(f"no .jsonl files in {place}", mend=OWN)
    named = {task: {name.casefold(): place for place, name in enumerate(classes)} for task, classes in heads.items()}
    for path in paths:
        for number, record in json_lines(path, OWN):
            text, lang = record.get("text"), record.get("lang")
            if not (isinstance(text, str) and isinstance(lang, str) and text.strip()):
                raise ModelError(f"{path.name}, line {number}: text or lang is missing, empty or not text", mend=OWN)
            try:
                digest = hashlib.sha256(text.encode("utf-8")).digest()
            except UnicodeEncodeError as error:
                raise ModelError(f"{path.name}, line {number}: half a character (a lone surrogate) in the text", mend=OWN) from error
            key = str(record.get("label")).casefold()
            answers = {task: places[key] for task, places in named.items() if key in places}
            yield OldText(text, lang, path.name, digest[0] % CHECKED == 0, answers)


def choose_old(texts: Iterator[OldText], quotas: Quotas, languages: Set[str]) -> list[OldText]:
    """At most ``quotas`` rows a language and kind of label, its sets in turn; the same on every run. ``languages``: the model's list.

    A near-duplicate of a row to check on is never one to hold by.
    """
    groups: defaultdict[tuple[bool, str, str], defaultdict[str, list[OldText]]] = defaultdict(lambda: defaultdict(list))
    for one in texts:
        kind = "sentiment" if "sentiment" in one.answers else "news"
        groups[not one.check, kind, one.lang][one.source].append(one)
    chosen: list[OldText] = []
    seen: set[str] = set()
    for (to_fit, _, lang), by_source in sorted(groups.items()):
        most = quotas.fit if to_fit else quotas.check
        allowed = max(1, round(most * (1.0 if lang in languages else quotas.others)))
        for source in PARALLEL & set(by_source):
            by_source[source] = _by_digest(by_source[source])[: max(1, round(allowed * quotas.parallel))]
        for one in _in_turn([_by_digest(by_source[source]) for source in sorted(by_source)]):
            key = normalised(one.text)
            if key not in seen:
                seen.add(key)
                chosen.append(one)
                allowed -= 1
            if not allowed:
                break
    return chosen


def _by_digest(rows: Sequence[OldText]) -> list[OldText]:
    return sorted(rows, key=lambda one: hashlib.sha256(one.text.encode("utf-8", "surrogatepass")).digest())


def _in_turn(groups: Sequence[Sequence[OldText]]) -> Iterator[OldText]:
    """The first of every group, then the second of every group, and so on."""
    for place in range(max(map(len, groups))):
        yield from (group[place] for group in groups if place < len(group))
