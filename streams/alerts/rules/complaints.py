"""pydantic's errors as complaints about a rule file: where, what, and how to mend it. Values of channels are never shown."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from streams.alerts.rules.faults import FAULT
from streams.alerts.rules.model import RuleFile
from streams.alerts.rules.problems import Problem
from streams.alerts.rules.yaml_nodes import Located

__all__ = ["complaints"]

_KINDS = {
    "string_type": ("must be text", "put it in quotes"),
    "tuple_type": ("must be a list", "write [one, two], or one - item a line"),
    "list_type": ("must be a list", "write [one, two], or one - item a line"),
    "dict_type": ("must be a mapping", "write fields below it, name: value"),
    "model_type": ("must be a mapping", "write fields below it, name: value"),
    "model_attributes_type": ("must be a mapping", "write fields below it, name: value"),
    "int_type": ("must be a whole number", "for example 12"),
    "int_parsing": ("must be a whole number", "for example 12"),
    "int_from_float": ("must be a whole number", "for example 12"),
    "float_type": ("must be a number", "for example 0.5"),
    "float_parsing": ("must be a number", "for example 0.5"),
    "finite_number": ("must be a finite number", "for example 0.5"),
    "bool_type": ("must be true or false", "write true or false"),
    "bool_parsing": ("must be true or false", "write true or false"),
    "string_too_short": ("is empty", "write something, or leave it out"),
}


def complaints(error: ValidationError, values: dict[str, Any], places: Located) -> list[Problem]:
    """Every error of a validation of `RuleFile` as a problem with its place in the file; at least one."""
    details = error.errors(include_url=False)
    # A list whose items are wrong is also called too short, since none of them counts.
    wrong = {detail["loc"][:length] for detail in details for length in range(len(detail["loc"]))}
    kept = [detail for detail in details if detail["type"] != "too_short" or detail["loc"] not in wrong]
    kept = [detail for detail in kept if detail["type"] != "missing" or not _misspelt(detail["loc"], details)]
    return [_Complaint(detail, values, places).problem() for detail in kept]


def _misspelt(missing: tuple[int | str, ...], details: list[ErrorDetails]) -> bool:
    """Whether a field that should not be there looks like the `missing` one: one complaint is enough."""
    beside = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden" and detail["loc"][:-1] == missing[:-1]]
    return any(difflib.get_close_matches(str(location[-1]), [str(missing[-1])]) for location in beside)


class _Complaint:
    def __init__(self, detail: ErrorDetails, values: dict[str, Any], places: Located) -> None:
        self._detail = detail
        self._context: dict[str, Any] = detail.get("ctx", {})
        at = self._context.get("at", ()) if detail["type"] == FAULT else ()
        self._path = _in_file((*detail["loc"], *at), values)
        self._values = values
        self._places = places
        self._secret = bool(self._path) and self._path[0] == "channels"

    def problem(self) -> Problem:
        line, column = self._place()
        what, mend = self._words()
        where = self._field()
        return Problem(line, column, f"{where}: {what}" if where else what, mend)

    def _field(self) -> str:
        path = self._path
        if len(path) < 2 or path[0] != "rules" or not isinstance(path[1], int):
            return ".".join(str(part) for part in path)
        rule = self._values["rules"][path[1]]
        name = rule.get("name") if isinstance(rule, dict) else None
        field = ".".join(str(part) for part in path[2:])
        return f"rule {name[:63] if isinstance(name, str) else path[1] + 1}" + (f": {field}" if field else "")

    def _place(self) -> tuple[int, int]:
        """Of the value; of the key where the field should not be there; of the innermost thing around where it is missing."""
        here = self._places
        path = list(self._path)
        if len(path) > 2 and path[0] == "rules" and isinstance(path[1], int):
            defaults = here.children.get("defaults")
            rule = here.children["rules"].children.get(path[1])
            if rule is not None and path[2] not in rule.children and defaults is not None and path[2] in defaults.children:
                here, path = defaults, path[2:]
        for number, part in enumerate(path):
            child = here.children.get(part)
            if child is None:
                break
            if number == len(path) - 1 and self._detail["type"] == "extra_forbidden" and isinstance(part, str):
                return here.keys[part]
            here = child
        return here.line, here.column

    def _words(self) -> tuple[str, str]:
        kind = self._detail["type"]
        if kind == FAULT:
            return str(self._context["what"]), str(self._context["mend"])
        if kind == "missing":
            return "is missing", "write it; docs/rules.md lists every field"
        if kind == "extra_forbidden":
            return "there is no such field", self._similar(str(self._path[-1]), _fields(self._path[:-1], self._values))
        if kind == "union_tag_not_found":
            return "has no type", f"write type: and one of {_plain(_detectors())}"
        if kind == "union_tag_invalid":
            names = _literals(str(self._context["expected_tags"]))
            return f"there is no detector {self._shown(self._context.get('tag'))}", self._similar(str(self._context.get("tag")), names)
        if kind == "literal_error":
            names = _literals(str(self._context["expected"]))
            return f"{self._shown(self._detail['input'])} is not possible here", self._similar(str(self._detail["input"]), names)
        if kind == "string_pattern_mismatch":
            return (
                f"{self._shown(self._detail['input'])} is not a name",
                "lower-case letters, digits, hyphens; at most 63, like bank-run",
            )
        if kind == "too_short":
            return "is an empty list", f"at least {self._context['min_length']}"
        if kind == "too_long":
            return "is too long", f"at most {self._context['max_length']}"
        if kind in _KINDS:
            what, mend = _KINDS[kind]
            return f"{what}, not {self._shown(self._detail['input'])}", mend
        message = self._detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
        return message[:1].lower() + message[1:], f"now it is {self._shown(self._detail['input'])}"

    def _similar(self, name: str, names: Iterable[str]) -> str:
        known = list(names)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        if close:
            return f"did you mean {close[0]}?"
        return f"one of {_plain(known)}" if known else "leave it out"

    def _shown(self, value: object) -> str:
        if self._secret:
            return "this"
        if value is None:
            return "nothing"
        if isinstance(value, (dict, list, tuple)):
            return "a mapping" if isinstance(value, dict) else "a list"
        if isinstance(value, bool):
            return str(value).lower()
        text = str(value)
        return f"{text[:40] + '…' if len(text) > 40 else text!r}" if isinstance(value, str) else text[:40]


def _plain(names: Iterable[str]) -> str:
    return ", ".join(names)


def _literals(expected: str) -> list[str]:
    """The names in pydantic's ``'a', 'b' or 'c'``."""
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _in_file(location: tuple[int | str, ...], values: Any) -> tuple[int | str, ...]:
    """`location` without what pydantic adds to it: the type of a detector, which is no key of the file."""
    path: list[int | str] = []
    here = values
    for number, part in enumerate(location):
        if number and location[number - 1] == "detector" and isinstance(here, dict) and here.get("type") == part:
            continue
        path.append(part)
        if isinstance(here, dict) and isinstance(part, str):
            here = _inherited(values, path) if part not in here and len(path) == 3 and path[0] == "rules" else here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            here = None
    return tuple(path)


def _inherited(values: Any, path: list[int | str]) -> Any:
    defaults = values.get("defaults")
    return defaults.get(path[2]) if isinstance(defaults, dict) else None


def _fields(path: tuple[int | str, ...], values: dict[str, Any]) -> list[str]:
    """Names of the fields that are possible at `path`."""
    model: type[BaseModel] | None = RuleFile
    here: Any = values
    for number, part in enumerate(path):
        if isinstance(here, dict) and isinstance(part, str):
            here = _inherited(values, list(path[: number + 1])) if part not in here and number == 2 else here.get(part)
        elif isinstance(here, list) and isinstance(part, int):
            here = here[part]
        if isinstance(part, int) or model is None:
            continue
        field = next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)
        found = _models(field.annotation) if field is not None else []
        kind = here.get("type") if isinstance(here, dict) else None
        model = found[0] if len(found) == 1 else next((one for one in found if _type_of(one) == kind), None)
    return [field.alias or name for name, field in model.model_fields.items()] if model is not None else []


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def _type_of(model: type[BaseModel]) -> str:
    field = model.model_fields.get("type")
    return str(typing.get_args(field.annotation)[0]) if field is not None and typing.get_origin(field.annotation) is Literal else ""


def _detectors() -> list[str]:
    rule = _models(RuleFile.model_fields["rules"].annotation)[0]
    return [_type_of(model) for model in _models(rule.model_fields["detector"].annotation)]
