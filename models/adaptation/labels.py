"""A user's labels: JSON Lines (may be gzip) or CSV with ``text``, ``label`` and, if known, ``lang``."""

from __future__ import annotations

import csv
import difflib
import gzip
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.data import SENTIMENT_LABELS
from models.errors import ModelError
from models.evaluation.synonyms import class_named
from models.json_lines import UNREADABLE, json_lines

__all__ = ["LEAST", "Labelled", "Labels", "likely_task", "read_labels", "resolve_classes"]

#: Texts a class needs: with fewer, cross-validation cannot leave any out.
LEAST = 5
UNKNOWN = "und"
MEND = 'one JSON object a line, {"text": …, "label": …, "lang": …}, or a CSV file with a header that names these columns'


@dataclass(frozen=True)
class Labelled:
    """One text of the user. ``lang``: ISO 639-1, ``und`` where the file does not say."""

    text: str
    label: str
    lang: str


@dataclass(frozen=True)
class Labels:
    """``rows``: each text once. ``dropped``: texts that had two different labels. ``digest``: SHA-256 of the file."""

    rows: Sequence[Labelled]
    dropped: int
    digest: str


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line and fields of each row of a CSV file, plain or gzip."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as lines
        ):
            reader = csv.DictReader(lines)
            for record in reader:
                yield reader.line_num, dict(record)
    except (*UNREADABLE, csv.Error) as error:
        raise ModelError(f"cannot read {path}: {error}", mend=MEND) from error


def read_labels(path: Path) -> Labels:
    """Read ``path``, a ``.jsonl``, ``.csv`` or either with ``.gz``.

    Raises:
        ModelError: the file is absent or not of this kind, or a line lacks text or label.
    """
    if not path.is_file():
        raise ModelError(f"no labels file {path}", mend=MEND)
    found: defaultdict[str, list[Labelled]] = defaultdict(list)
    table = path.name.removesuffix(".gz").endswith(".csv")
    for number, record in _records(path) if table else json_lines(path, MEND):
        text, label, lang = record.get("text"), record.get("label"), record.get("lang") or UNKNOWN
        if not (isinstance(text, str) and isinstance(label, str) and isinstance(lang, str) and text.strip() and label.strip()):
            raise ModelError(f"{path.name}, line {number}: text or label is missing, empty or not text", mend=MEND)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ModelError(f"{path.name}, line {number}: half a character (a lone surrogate) in the text", mend=MEND) from error
        found[text].append(Labelled(text, label.strip(), lang.strip().lower()))
    rows = [same[0] for same in found.values() if len({one.label for one in same}) == 1]
    if not rows:
        raise ModelError(f"{path.name} holds no labelled text", mend=MEND)
    return Labels(rows, len(found) - len(rows), hashlib.sha256(path.read_bytes()).hexdigest())


def likely_task(rows: Sequence[Labelled]) -> str:
    """What the labels look like: sentiments if all of them are, or mean one (``bearish``); topics if none of them is.

    Raises:
        ModelError: some are sentiments and some are not, so nobody can tell.
    """
    tones = {label: class_named("sentiment", label, SENTIMENT_LABELS) for label in sorted({row.label for row in rows})}
    strange = [label for label, tone in tones.items() if tone is None]
    if strange and len(strange) < len(tones):
        seen = next(label for label, tone in tones.items() if tone)
        raise ModelError(
            f"the label {seen!r} looks like a sentiment, {strange[0]!r} does not", mend="say which they are with --task sentiment or topic"
        )
    return "topic" if strange else "sentiment"


def resolve_classes(rows: Sequence[Labelled], task: str, known: Sequence[str]) -> tuple[list[str], list[int]]:
    """The classes of the adapted head (``known``, then new ones by name) and each row's place among them. Case does not matter.

    A sentiment may also be named by a word that means it; what a user calls a topic may be another one than ours of a like name.

    Raises:
        ModelError: a sentiment is not one of the three, a class has fewer than :data:`LEAST` texts, or there is only one class.
    """
    by_folded = {name.casefold(): name for name in known}
    means = {row.label: class_named(task, row.label, known) if task == "sentiment" else None for row in rows}
    names = [means[row.label] or by_folded.get(row.label.casefold(), row.label) for row in rows]
    counts = Counter(names)
    new = sorted(set(counts) - set(known))
    if task == "sentiment" and new:
        raise ModelError(f"the label {new[0]!r} is no sentiment", mend=f"use {', '.join(SENTIMENT_LABELS)}")
    for name, count in sorted(counts.items(), key=lambda one: one[1]):
        if count < LEAST:
            near = difflib.get_close_matches(name, [other for other in {*known, *counts} if other != name], 1)
            meant = f" (or is it {near[0]!r}?)" if near and name in new else ""
            message = f"{count} texts with the label {name!r}{meant}: fewer than {LEAST} teach nothing that can be checked"
            raise ModelError(message, mend=f"label at least {LEAST} texts, better 20, or leave the class out")
    if len(counts) < 2 and not new:
        raise ModelError(f"every text has the label {names[0]!r}", mend="label texts of at least two classes")
    classes = [*known, *new]
    return classes, [classes.index(name) for name in names]
