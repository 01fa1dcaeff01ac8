"""Measuring an artifact on the benchmark sets: accuracy, macro-F1 and calibration error by set and language."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.data import Example, examples, read_rows, sources
from models.errors import ModelError
from models.inference import Encoder
from models.languages import ENCODER_LANGUAGES, REPORTED_LANGUAGES
from models.metrics import Figures, measure
from models.progress import Progress
from models.sampling import Limit, choose

__all__ = ["Evaluation", "ScoredSet", "evaluate", "score_sets", "summarise"]

STEP = 512


@dataclass(frozen=True)
class ScoredSet:
    """One set's answers: ``langs`` and ``labels`` ``[n]``, ``probabilities`` ``[n, classes]``, row by row."""

    task: str
    langs: Sequence[str]
    labels: NDArray[np.integer[Any]]
    probabilities: NDArray[np.float32]

    def figures(self, rows: Sequence[int]) -> Figures:
        """Figures over the rows at these positions."""
        return measure(self.probabilities[rows], self.labels[rows])


@dataclass(frozen=True)
class Evaluation:
    """``sets``: set -> language (``all`` for the whole set) -> figures, on the languages the encoder was pretrained on.

    ``unseen``: the same sets over all other languages together. ``limit``: rows a set and language, ``None`` for every row; see
    :func:`score_sets` for what is measured whole.
    """

    model_id: str
    limit: int | None
    sets: Mapping[str, Mapping[str, Figures]]
    unseen: Mapping[str, Figures]

    def umsab_macro_f1(self) -> float | None:
        """Mean macro-F1 over the eight languages of UMSAB."""
        return self._mean("umsab", tuple(lang for lang in self.sets.get("umsab", {}) if lang != "all"), "macro_f1")

    def sib200_accuracy(self) -> float | None:
        """Mean accuracy over :data:`REPORTED_LANGUAGES` on SIB-200 (its seven classes mapped as in ``topics.toml``)."""
        return self._mean("sib200", REPORTED_LANGUAGES, "accuracy")

    def _mean(self, name: str, languages: tuple[str, ...], field: str) -> float | None:
        table = self.sets.get(name, {})
        values = [float(getattr(table[lang], field)) for lang in languages if lang in table]
        return float(np.mean(values)) if values and len(values) == len(languages) else None

    def to_json(self) -> str:
        """The report as JSON."""
        headline = {"umsab_macro_f1_mean_over_languages": self.umsab_macro_f1(), "sib200_accuracy_mean_of_eleven": self.sib200_accuracy()}
        report = {
            "model_id": self.model_id,
            "rows_a_set_and_language": self.limit if self.limit is not None else "all",
            "headline": {name: None if value is None else round(value, 2) for name, value in headline.items()},
            "sets": {name: {lang: one.rounded() for lang, one in table.items()} for name, table in self.sets.items()},
            "languages_the_encoder_never_saw": {name: one.rounded() for name, one in self.unseen.items()},
        }
        return json.dumps(report, indent=1, ensure_ascii=False) + "\n"

    def to_markdown(self) -> str:
        """The report as Markdown tables."""
        lines = ["| set | language | rows | accuracy % | macro-F1 % | ECE |", "|---|---|---:|---:|---:|---:|"]
        for name, table in self.sets.items():
            order = sorted(table, key=lambda lang: (lang != "all", lang))
            shown = [lang for lang in order if lang == "all" or len(table) <= 20 or lang in REPORTED_LANGUAGES]
            lines += [_row(name, lang, table[lang]) for lang in shown]
        lines += [_row(name, "never seen by the encoder", one) for name, one in self.unseen.items()]
        return "\n".join(lines) + "\n"


def _row(name: str, lang: str, one: Figures) -> str:
    return f"| {name} | {lang} | {one.rows} | {one.accuracy:.1f} | {one.macro_f1:.1f} | {one.ece:.3f} |"


def _task(path: Path) -> str:
    name = path.name.split(".")[0]
    source = sources().get(name)
    if source is None:
        raise ModelError(f"the benchmark set {name} is not in sources.toml", mend="add it with its origin, licence and scheme")
    return source.task


def _allowed(limit: int) -> Limit:
    """``limit`` rows a set and language, a tenth for languages the encoder never saw; headline and financial sets are measured whole."""
    table = sources()

    def allowed(source: str, lang: str) -> int:
        headline = source == "umsab" or (source == "sib200" and lang in REPORTED_LANGUAGES)
        if headline or table[source].domain == "finance" or source == "twitter_financial_topic":
            return sys.maxsize
        return limit if lang in ENCODER_LANGUAGES else max(1, limit // 10)

    return allowed


def score_sets(artifact: Artifact, data: Path, *, limit: int | None, progress: Progress) -> dict[str, ScoredSet]:
    """Score every set under ``data/benchmark`` with ``artifact``, through ONNX Runtime only.

    Args:
        limit: rows a set and language at most, ``None`` for all. UMSAB, the eleven reported languages of SIB-200
            and the financial sets are always measured whole; languages the encoder never saw get a tenth.
        progress: called with (set, texts done, texts in all).

    Raises:
        ModelError: there is no benchmark folder, or it holds a set or label that the tables do not know.
    """
    paths = sorted((data / "benchmark").glob("*.jsonl*"))
    if not paths:
        raise ModelError(f"no benchmark sets under {data}", mend="give the folder that holds benchmark/ with --data")
    chosen: dict[str, list[Example]] = {}
    for path in paths:
        task = _task(path)
        rows = [example for example in examples(read_rows(path), task) if example.label is not None]
        chosen[path.name.split(".")[0]] = rows if limit is None else choose(rows, _allowed(limit))
    total, done = sum(map(len, chosen.values())), 0
    scored: dict[str, ScoredSet] = {}
    with Encoder(artifact) as encoder:
        for name, rows in chosen.items():
            task = sources()[name].task
            rows.sort(key=lambda example: len(example.text))
            parts = []
            for start in range(0, len(rows), STEP):
                scores = encoder.score([example.text for example in rows[start : start + STEP]])
                parts.append(scores.sentiment if task == "sentiment" else scores.topic)
                done += len(parts[-1])
                progress(name, done, total)
            labels = np.array([example.targets[0] for example in rows])
            scored[name] = ScoredSet(task, [example.lang for example in rows], labels, np.concatenate(parts))
    return scored


def summarise(model_id: str, scored: Mapping[str, ScoredSet], limit: int | None) -> Evaluation:
    """Figures of what :func:`score_sets` gave, by set and language."""
    sets: dict[str, dict[str, Figures]] = {}
    unseen: dict[str, Figures] = {}
    for name, one in scored.items():
        groups: dict[str, list[int]] = defaultdict(list)
        for index, lang in enumerate(one.langs):
            groups[lang].append(index)
        known = sorted(set(groups) & ENCODER_LANGUAGES)
        if known:
            sets[name] = {"all": one.figures([index for lang in known for index in groups[lang]])}
            sets[name] |= {lang: one.figures(groups[lang]) for lang in known}
        rest = [index for lang in sorted(set(groups) - ENCODER_LANGUAGES) for index in groups[lang]]
        if rest:
            unseen[name] = one.figures(rest)
    return Evaluation(model_id, limit, sets, unseen)


def evaluate(artifact: Artifact, data: Path, *, limit: int | None, progress: Progress) -> Evaluation:
    """:func:`score_sets` and :func:`summarise` in one."""
    return summarise(artifact.model_id, score_sets(artifact, data, limit=limit, progress=progress), limit)
