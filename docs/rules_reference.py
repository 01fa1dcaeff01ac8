"""Writes docs/rules-reference.md from the models of the rule file. A test fails when it is stale.

python docs/rules_reference.py
"""

from __future__ import annotations

import sys
import typing
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from streams.alerts.rules import detectors
from streams.alerts.rules.condition import Condition
from streams.alerts.rules.duration import write_duration
from streams.alerts.rules.model import ActiveHours, Counting, Escalation, MinimumEvidence, Rule, RuleFile

__all__ = ["rules_page"]

HERE = Path(__file__).resolve().parent

_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", RuleFile),
    ("A rule", Rule),
    ("`watch`, and every condition in it", Condition),
    ("`evidence`", MinimumEvidence),
    ("`counting`", Counting),
    ("`active`", ActiveHours),
    ("`escalation`", Escalation),
)


def rules_page() -> str:
    """Every field of a rule file with what it takes, its default and what it is."""
    parts = [
        "# Fields of a rule file",
        "",
        "Made from the code by `python docs/rules_reference.py`. [How to write a rule](rules.md) has examples; `bellwether rules schema`",
        "prints the same as JSON Schema. Durations are written `90s`, `15m`, `3h`, `1h30m`, `2d`, `4w` or as ISO 8601 (`PT3H`).",
        "",
    ]
    for title, model in _PARTS:
        parts += [f"## {title}", "", _text(model), "", *_rows(model)]
    parts += ["## `detector`", "", "One of these, told apart by `type`.", ""]
    for model in _detectors():
        parts += [f"### `type: {_type_of(model)}`", "", _text(model), "", *_rows(model)]
    parts += ["### A part of a composite", "", _text(detectors.CompositePart), "", *_rows(detectors.CompositePart)]
    return "\n".join(parts).rstrip() + "\n"


def _detectors() -> list[type[BaseModel]]:
    union = typing.get_args(detectors.DetectorSpec)[0]
    return list(typing.get_args(union))


def _type_of(model: type[BaseModel]) -> str:
    return str(typing.get_args(model.model_fields["type"].annotation)[0])


def _text(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _rows(model: type[BaseModel]) -> list[str]:
    rows = ["| field | takes | default | what it is |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name != "type":
            cells = (f"`{field.alias or name}`", _takes(field), _default(field), " ".join((field.description or "").split()))
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [*rows, ""]


def _takes(field: FieldInfo) -> str:
    return " or ".join(dict.fromkeys(_kinds(field.annotation)))


def _kinds(annotation: Any) -> list[str]:
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false", timedelta: "duration"}
    if annotation in plain:
        return [plain[annotation]]
    if annotation is type(None):
        return []
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [_name(annotation)]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return [", ".join(f"`{value}`" for value in arguments)]
    if origin is tuple:
        return [f"list of {' or '.join(dict.fromkeys(_kinds(arguments[0])))}"]
    if origin is dict:
        return ["mapping"]
    if origin is typing.Annotated:
        return _kinds(arguments[0])
    return [kind for argument in arguments for kind in _kinds(argument)]


def _name(model: type[BaseModel]) -> str:
    if model.__name__.endswith("Spec"):
        return "a detector"
    return {"CompositePart": "parts", "Condition": "conditions", "Rule": "rules"}.get(model.__name__, "mapping, see below")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "needed"
    if isinstance(value, timedelta):
        return f"`{write_duration(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, BaseModel):
        kind = getattr(value, "type", None)
        return f"`{{type: {kind}}}`" if kind else "–"
    if isinstance(value, tuple) and value:
        return f"`[{', '.join(map(str, value))}]`"
    return "–" if value is None or value in ((), {}, "") else f"`{value}`"


def main() -> None:
    """Write the page."""
    (HERE / "rules-reference.md").write_text(rules_page(), encoding="utf-8")
    sys.stdout.write("wrote docs/rules-reference.md\n")


if __name__ == "__main__":
    main()
