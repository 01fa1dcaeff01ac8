"""An evaluation as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from models.evaluation.measuring import COVERAGES, Detail, Evaluation
from models.evaluation.metrics import Figures
from models.languages import ENCODER_LANGUAGES, REPORTED_LANGUAGES

__all__ = ["headline", "to_json", "to_markdown"]

#: Sets with more languages than this show only the reported ones in Markdown; JSON has them all.
FEW = 20
#: Figures that a set is known by: name in the report -> set, figure.
KNOWN_BY = {
    "twitter_financial_news_accuracy": ("twitter_financial_news", "accuracy"),
    "finfe_zh_accuracy": ("finfe_zh", "accuracy"),
    "economy_watchers_ja_macro_f1": ("economy_watchers_ja", "macro_f1"),
    "masakhanews_weighted_f1": ("masakhanews", "weighted_f1"),
}


def headline(evaluation: Evaluation) -> dict[str, float | None]:
    """The figures a model is known by, in percent, calibration errors from 0 to 1; None for what was not measured."""
    found: dict[str, float | None] = {
        "umsab_macro_f1_mean_over_languages": evaluation.umsab_macro_f1(),
        "sib200_accuracy_mean_of_eleven": evaluation.sib200_accuracy(),
    }
    for name, (of, figure) in KNOWN_BY.items():
        found[name] = float(getattr(evaluation.whole[of], figure)) if of in evaluation.whole else None
    rounded = {name: None if value is None else round(value, 2) for name, value in found.items()}
    pooled, mean = evaluation.calibration.get("sentiment", (None, None))
    rounded["sentiment_ece_all_rows"] = None if pooled is None else round(pooled, 4)
    rounded["sentiment_ece_mean_of_sets"] = None if mean is None else round(mean, 4)
    return rounded


def _detail(one: Detail) -> dict[str, Any]:
    return {
        "task": one.task,
        "classes": list(one.classes),
        "confusion": [list(row) for row in one.confusion],
        "reliability": [
            {"low": round(b.low, 4), "rows": b.rows, "confidence": round(b.confidence, 4), "accuracy": round(b.accuracy, 4)}
            for b in one.reliability
        ],
        "risk_at_coverage": {f"{coverage:.0%}": round(risk, 4) for coverage, risk in zip(COVERAGES, one.risk, strict=True)},
        "left_out": dict(one.left_out),
        "note": one.note,
    }


def to_json(evaluation: Evaluation) -> str:
    """The whole report."""
    report = {
        "model_id": evaluation.model_id,
        "rows_a_set_and_language": evaluation.limit if evaluation.limit is not None else "all",
        "headline": headline(evaluation),
        "calibration_error": {
            task: {"all_rows": round(pooled, 4), "mean_of_sets": round(mean, 4)} for task, (pooled, mean) in evaluation.calibration.items()
        },
        "sets": {name: {lang: one.rounded() for lang, one in table.items()} for name, table in evaluation.sets.items()},
        "languages_the_encoder_never_saw": {name: one.rounded() for name, one in evaluation.unseen.items()},
        "whole": {name: one.rounded() for name, one in evaluation.whole.items()},
        "details": {name: _detail(one) for name, one in evaluation.details.items()},
    }
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def _row(name: str, lang: str, one: Figures) -> str:
    shares = f"{one.accuracy:.1f} | {one.macro_f1:.1f} | {one.weighted_f1:.1f}"
    return f"| {name} | {lang} | {one.rows} | {shares} | {one.ece:.3f} | {one.nll:.3f} | {one.brier:.3f} | {one.aurc:.3f} |"


def _figures(evaluation: Evaluation) -> Iterator[str]:
    yield "| set | language | rows | accuracy % | macro-F1 % | weighted F1 % | ECE | NLL | Brier | AURC |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for name, table in evaluation.sets.items():
        order = sorted(table, key=lambda lang: (lang != "all", lang))
        yield from (_row(name, lang, table[lang]) for lang in order if lang == "all" or len(table) <= FEW or lang in REPORTED_LANGUAGES)
        if name in evaluation.unseen:
            yield _row(name, "never seen by the encoder", evaluation.unseen[name])
            if set(table) & ENCODER_LANGUAGES:
                yield _row(name, "every language", evaluation.whole[name])


def _confusions(evaluation: Evaluation) -> Iterator[str]:
    for name, one in evaluation.details.items():
        yield from ("", f"### {name} ({one.task})", "")
        if one.note:
            yield from (f"{one.note[0].upper()}{one.note[1:]}.", "")
        if one.left_out:
            yield from ("Left out: " + ", ".join(f"{count} {why}" for why, count in one.left_out.items()) + ".", "")
        yield "| is \\ answered | " + " | ".join(one.classes) + " |"
        yield "|---|" + "---:|" * len(one.classes)
        yield from (f"| {label} | " + " | ".join(map(str, counts)) + " |" for label, counts in zip(one.classes, one.confusion, strict=True))


def _risks(evaluation: Evaluation) -> Iterator[str]:
    yield "| set | " + " | ".join(f"{coverage:.0%}" for coverage in COVERAGES) + " |"
    yield "|---|" + "---:|" * len(COVERAGES)
    for name, one in evaluation.details.items():
        yield f"| {name} | " + " | ".join(f"{100 * risk:.1f}" for risk in one.risk) + " |"


def to_markdown(evaluation: Evaluation) -> str:
    """Tables of figures, calibration error, risk and confusion."""
    lines = [*_figures(evaluation), "", "## Calibration error", "", "| task | all rows | mean of sets |", "|---|---:|---:|"]
    lines += [f"| {task} | {pooled:.3f} | {mean:.3f} |" for task, (pooled, mean) in evaluation.calibration.items()]
    lines += ["", "## Wrong answers, in percent, when only the surest share of the texts is answered", "", *_risks(evaluation)]
    lines += ["", "## Confusion", *_confusions(evaluation)]
    return "\n".join(lines) + "\n"
