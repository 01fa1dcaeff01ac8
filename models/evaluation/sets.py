"""What can be measured: the benchmark sets, or any folder of JSON Lines with the fields text, label, and where known lang, source, target.

A label is read by the table of its source where the source is one of ours, else as one of our classes' names or a synonym
(``synonyms.toml``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.data import LABELS, SENTIMENT_LABELS, Example, sentiment_target, sources, topic_target
from models.errors import ModelError
from models.evaluation.synonyms import class_named
from models.events import event_target
from models.json_lines import json_lines
from models.targets import clause_of

__all__ = ["TASKS", "UNKNOWN", "Line", "TextSet", "class_of", "read_sets"]

TASKS = tuple(LABELS)
UNKNOWN = "und"
FIELDS = "give JSON Lines in UTF-8, plain or gzip; every line needs text and label, and where known lang, source and target"


@dataclass(frozen=True)
class Line:
    """One line of a file, as it stands; ``place`` names file and line."""

    text: str
    label: str
    lang: str
    source: str
    split: str
    target: str
    place: str


@dataclass(frozen=True)
class TextSet:
    """Texts that are measured together.

    Attributes:
        examples: the texts, each with one class.
        classes: indices of the classes that the set's labels can name; answers are sought among them only.
        left_out: lines that are not measured, by reason.
        note: how the set is treated, where that is not plain.
    """

    name: str
    task: str
    examples: Sequence[Example]
    classes: tuple[int, ...]
    left_out: Mapping[str, int]
    note: str


def class_of(task: str, source: str, label: str, classes: Sequence[str] | None = None) -> int | None:
    """Index of the class of ``task`` that ``label`` of ``source`` means; None where our tables leave that label out.

    Args:
        classes: those of the task; None: ours. A model that was adapted has more, after ours.

    Raises:
        ModelError: it is no class, no synonym, and no label that the tables know.
    """
    entry = sources().get(source)
    known = LABELS[task] if classes is None else tuple(classes)
    name = class_named(task, label, known)
    if entry is not None and entry.left_out is None and entry.task == ("sentiment" if task == "sentiment" else "topic"):
        try:
            return _of_table(task, source, label)
        except ModelError:
            if name is None:
                raise
    if name is None:
        mend = f"use {', '.join(known)}, or a synonym of models/evaluation/synonyms.toml"
        raise ModelError(f"label {label!r} is no {task}", mend=mend)
    return known.index(name)


def _of_table(task: str, source: str, label: str) -> int | None:
    if task == "topic":
        return topic_target(source, label)
    found = event_target(source, label) if task == "event" else sentiment_target(sources()[source], label)[0]
    return found[0] if len(found) == 1 else None


def _text(record: Mapping[str, Any], name: str, place: str) -> str:
    value = record.get(name)
    if value is None and name not in {"text", "label"}:
        return ""
    if not isinstance(value, str) or (not value and name in {"text", "label"}):
        said = "missing or empty" if value in (None, "") else f"{value!r}, not text"
        raise ModelError(f"{place}: field {name!r} is {said}", mend=FIELDS)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ModelError(f"{place}: half a character (a lone surrogate) in the field {name!r}", mend=FIELDS) from error
    return value


def _lines(path: Path) -> Iterator[Line]:
    for number, record in json_lines(path, FIELDS):
        place = f"{path.name}, line {number}"
        text, label, lang, source, split, target = (
            _text(record, name, place) for name in ("text", "label", "lang", "source", "split", "target")
        )
        yield Line(text, label, lang or UNKNOWN, source or path.name.split(".")[0], split, target, place)


def _files(data: Path) -> list[Path]:
    if data.is_file():
        return [data]
    folder = data / "benchmark" if (data / "benchmark").is_dir() else data
    found = sorted(folder.glob("*.jsonl*")) or sorted(folder.rglob("*.jsonl*"))
    paths = [path for path in found if path.name.endswith((".jsonl", ".jsonl.gz"))]
    if not paths:
        raise ModelError(f"no .jsonl or .jsonl.gz under {data}", mend="give a folder of JSON Lines, or one with benchmark/, with --data")
    return paths


def _task(lines: Sequence[Line], classes: Mapping[str, Sequence[str]]) -> str:
    """The first task whose classes every label of the set can be."""
    source = sources().get(lines[0].source)
    tasks = TASKS if source is None else (source.task, *(task for task in TASKS if task != source.task))
    labels: dict[str, Line] = {}
    for line in lines:
        labels.setdefault(line.label, line)
    faults: dict[str, Line] = {}
    for task in tasks:
        for label, line in labels.items():
            try:
                class_of(task, line.source, label, classes[task])
            except ModelError:
                faults[task] = line
                break
        else:
            return task
    # The task that goes furthest before it meets a stranger is the one that was meant.
    order = list(labels.values())
    meant = max(faults, key=lambda task: order.index(faults[task]))
    line = faults[meant]
    mend = f"use the classes of one task ({'; '.join(f'{task}: {_few(task)}' for task in TASKS)}), or name it with --task"
    raise ModelError(f"{line.place}: label {line.label!r} is no {meant}, and the labels of {line.source} fit no other task", mend=mend)


def _few(task: str) -> str:
    return ", ".join(LABELS[task][:3]) + (", …" if len(LABELS[task]) > 3 else "")


def _text_sets(name: str, lines: Sequence[Line], task: str, targets: str, known: Sequence[str]) -> Iterator[TextSet]:
    """The texts of one source: those whose label is the document's, and those whose label is toward a target."""
    every = tuple(range(len(known)))
    for toward in (False, True):
        chosen = [line for line in lines if bool(line.target) == toward]
        if not chosen:
            continue
        left_out: defaultdict[str, int] = defaultdict(int)
        answers: defaultdict[tuple[str, str], dict[int, Line]] = defaultdict(dict)
        for line in chosen:
            if line.split == "train":
                left_out["of the train split"] += 1
                continue
            try:
                index = class_of(task, line.source, line.label, known)
            except ModelError as error:
                raise ModelError(f"{line.place}: {error}", mend=error.mend) from error
            if index is None:
                left_out["label left out by our tables"] += 1
            else:
                answers[line.text, line.target].setdefault(index, line)
        left_out["several answers to one text"] = sum(len(by_class) for by_class in answers.values() if len(by_class) > 1)
        single = [(index, line) for by_class in answers.values() if len(by_class) == 1 for index, line in by_class.items()]
        several = {text for text, count in _counts(answers).items() if count > 1}
        two = task == "sentiment" and bool(single) and SENTIMENT_LABELS.index("neutral") not in {index for index, _ in single}
        classes = (0, 2) if two else every
        examples = [Example(_read(line, several, targets), line.lang, name, line.split, task, (index,), every) for index, line in single]
        notes = ["no neutral labels: the answer is the more probable of negative and positive"] if two else []
        if toward:
            how = "the clause that names the target, where a text has several" if targets == "clause" else "the whole text"
            notes.append(f"labels toward a target: {how} is scored")
        title = f"{name}, toward a target" if toward else name
        yield TextSet(title, task, examples, classes, {why: count for why, count in left_out.items() if count}, "; ".join(notes))


def _counts(answers: Mapping[tuple[str, str], object]) -> Mapping[str, int]:
    counts: defaultdict[str, int] = defaultdict(int)
    for text, _ in answers:
        counts[text] += 1
    return counts


def _read(line: Line, several: set[str], targets: str) -> str:
    return clause_of(line.text, line.target) if targets == "clause" and line.text in several else line.text


def _may_be(source: str, task: str) -> bool:
    """Whether a source may hold ``task``: of ours we know it."""
    entry = sources().get(source)
    return entry is None or (entry.task == "sentiment") == (task == "sentiment")


def read_sets(
    data: Path, *, task: str | None = None, targets: str = "text", classes: Mapping[str, Sequence[str]] = LABELS
) -> list[TextSet]:
    """Read every set of ``data``: a folder with ``benchmark/``, any folder of ``.jsonl`` or ``.jsonl.gz``, or one such file.

    A line's set is its field ``source``, or its file's name. Lines of the split ``train`` are left out.

    Args:
        task: which is measured; None: for each set the task that its labels fit.
        targets: how a text with several targets is read: ``text`` or ``clause``.
        classes: task -> its classes, ours first.

    Raises:
        ModelError: nothing to measure, or a line that cannot be read, with its file, its number and the mend.
    """
    if task is not None and task not in TASKS:
        raise ModelError(f"--task is {task!r}", mend=f"use {', '.join(TASKS)}")
    if targets not in {"text", "clause"}:
        raise ModelError(f"--targets is {targets!r}", mend="use text or clause")
    by_source: defaultdict[str, list[Line]] = defaultdict(list)
    for path in _files(data):
        for line in _lines(path):
            if task is None or _may_be(line.source, task):
                by_source[line.source].append(line)
    found: list[TextSet] = []
    for name, lines in by_source.items():
        wanted = task or _task(lines, classes)
        found += _text_sets(name, lines, wanted, targets, classes[wanted])
    if not any(one.examples for one in found):
        why = sorted({why for one in found for why in one.left_out})
        raise ModelError(
            f"nothing to measure under {data}: {', '.join(why) or 'no lines'}", mend="give labelled text that is not for training"
        )
    return [one for one in found if one.examples]
