"""The robustness report as Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.robustness.measuring import BOUND, Change, Interval, Robustness

__all__ = ["to_json", "to_markdown"]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def to_json(report: Robustness) -> str:
    """The report as JSON, figures to four places."""
    found = asdict(report)
    found["bound"] = BOUND
    found["names"] = [{**entry, "holds": name.holds} for entry, name in zip(found["names"], report.names, strict=True)]
    found["genders_hold"] = report.genders_hold
    return json.dumps(_rounded(found), indent=1, ensure_ascii=False) + "\n"


def _interval(one: Interval) -> str:
    return f"{one.mean:.3f} ({one.low:.3f} to {one.high:.3f})"


def _signed(one: Interval) -> str:
    return f"{one.mean:+.3f} ({one.low:+.3f} to {one.high:+.3f})"


def _share(one: Interval) -> str:
    return f"{100 * one.mean:.0f} ({100 * one.low:.0f} to {100 * one.high:.0f})"


def _changes(changes: Sequence[Change]) -> list[str]:
    labelled = any(change.f1 for change in changes)
    extra = (" macro-F1 before → after | change |", "---:|---:|") if labelled else ("", "")
    lines = [
        f"| change | texts | score moved by, mean | with its sign | farthest | label changed, % |{extra[0]}",
        f"|---|---:|---:|---:|---:|---:|{extra[1]}",
    ]
    for one in changes:
        f1 = ""
        if one.f1 is not None and one.f1_change is not None:
            change = one.f1_change
            f1 = f" {one.f1[0]:.1f} → {one.f1[1]:.1f} | {change.mean:+.1f} ({change.low:+.1f} to {change.high:+.1f}) |"
        cells = (one.name, one.rows, _interval(one.moved), _signed(one.drift), f"{one.largest:.2f}", _share(one.flips))
        lines.append("| " + " | ".join(map(str, cells)) + " |" + f1)
    return lines


def _languages(rows: Mapping[str, Mapping[str, float]], unit: str) -> list[str]:
    langs = sorted({lang for one in rows.values() for lang in one})
    lines = [f"| {unit} | " + " | ".join(langs) + " |", "|---|" + "---:|" * len(langs)]
    for name, one in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{one[lang]:.2f}" if lang in one else "–" for lang in langs) + " |")
    return lines


def _quoted(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def to_markdown(report: Robustness) -> str:
    """The report as Markdown. Brackets hold 95% bootstrap intervals over sentences."""
    beyond = [name for name in report.names if not name.holds]
    changes = {one.name: one.by_language for one in report.sentences}
    lines = [
        f"Model `{report.model_id}`. The score is positive - negative, from -1 to 1. Brackets: 95% bootstrap interval over sentences.",
        "",
        "### Changes that leave the meaning alone",
        "",
        *_changes(report.sentences),
        "",
        "Mean move by language:",
        "",
        *_languages(changes, "change"),
        "",
        "Farthest moves:",
        "",
        *[f"- {one.name}: {_quoted(one.worst)}" for one in report.sentences],
        "",
    ]
    if report.real:
        lines += ["### The same changes on labelled text", "", *_changes(report.real), ""]
    lines += [
        "### Negation",
        "",
        "| tone affirmed | pairs | score moves the right way, % | affirmed labelled rightly | of these, negated leaves the label, % |",
        "|---|---:|---:|---:|---:|",
        *[f"| {one.tone} | {one.rows} | {_share(one.turned)} | {one.right} | {_share(one.left)} |" for one in report.negations],
        "",
        "Share of negated sentences that leave the label, by language:",
        "",
        *_languages({one.tone: one.by_language for one in report.negations}, "tone"),
        "",
        "### Names that must not count",
        "",
        f"Bound: no name moves the score by more than {BOUND} in the mean over sentences and languages, nor does a gender. "
        + (f"{len(beyond)} of {len(report.names)} names do." if beyond else f"None of {len(report.names)} names does."),
        "",
        "| group | sentences × names | moved from the sentence's mean by, mean | farthest | other label than usual, % |",
        "|---|---:|---:|---:|---:|",
        *[f"| {one.group} | {one.rows} | {_interval(one.moved)} | {one.largest:.2f} | {100 * one.flips:.1f} |" for one in report.spreads],
        "",
        *_languages({one.group: one.by_language for one in report.spreads}, "group"),
        "",
        *[f"- farthest of {one.group}: {_quoted(one.worst)}" for one in report.spreads],
        "",
        "| group | name | moves the score by | within the bound |",
        "|---|---|---:|---|",
    ]
    for name in sorted(report.names, key=lambda one: (one.group, one.moved.mean)):
        lines.append(f"| {name.group} | {name.name} | {_signed(name.moved)} | {'yes' if name.holds else '**no**'} |")
    genders, verdict = report.genders, "within" if report.genders_hold else "**beyond**"
    lines += [
        "",
        f"A woman in a man's place, {genders.rows} pairs: moves the score by {_signed(genders.drift)}, "
        f"{_interval(genders.moved)} without the sign, label changed in {_share(genders.flips)} %; {verdict} the bound. "
        f"Farthest: {_quoted(genders.worst)}",
        "",
    ]
    return "\n".join(lines)
