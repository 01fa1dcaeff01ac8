"""One parameter of a rule, by its dotted name: what a sweep varies and tuning proposes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from streams.alerts.rules.model import Rule
from streams.alerts.rules.reading import RuleSet
from streams.errors import SettingsError

__all__ = ["Axis", "grid", "parse_axis", "with_parameters"]

_EXAMPLE = "for example detector.max_p_value=1e-3,1e-4,1e-5 or bank-run:window=1h,3h"


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter and the values to try: `path` within the rule, `rule` empty for all rules."""

    rule: str
    path: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """As it is written on the command line."""
        return f"{self.rule}:{'.'.join(self.path)}" if self.rule else ".".join(self.path)


def parse_axis(text: str) -> Axis:
    """Read ``path=value,value`` or ``rule:path=value,value``; the values are written as in the rule file.

    Raises:
        SettingsError: not of that form.
    """
    name, equals, given = text.partition("=")
    rule, colon, path = name.rpartition(":")
    values = tuple(_value(text, part) for part in given.split(",") if part.strip())
    if not equals or not values or not all(path.split(".")) or (colon and not rule):
        raise SettingsError(f"{text!r}: is no parameter with values", mend=_EXAMPLE)
    return Axis(rule, tuple(path.split(".")), values)


def _value(text: str, part: str) -> Any:
    try:
        value = yaml.safe_load(part)
    except yaml.YAMLError as error:
        raise SettingsError(f"{text!r}: cannot read the value {part!r}", mend=_EXAMPLE) from error
    if isinstance(value, str):
        try:
            return float(value)  # YAML 1.1 takes 1e-4, without a point, for a text
        except ValueError:
            return value
    return value


def grid(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    """All combinations, by the axes' names."""
    for values in itertools.product(*(axis.values for axis in axes)):
        yield {axis.name: value for axis, value in zip(axes, values, strict=True)}


def with_parameters(rules: RuleSet, chosen: Mapping[str, Any]) -> RuleSet:
    """`rules` with the parameters of `chosen` (as `Axis.name` gives them) in place of their own.

    A parameter that no rule is named for goes to every rule that has it.

    Raises:
        SettingsError: no rule has the parameter, or a value makes no sense there.
    """
    changed = list(rules.rules)
    for name, value in chosen.items():
        owner, _, path = name.rpartition(":")
        places = [i for i, rule in enumerate(changed) if (not owner or rule.name == owner) and _has(rule, path.split("."))]
        if not places:
            raise SettingsError(f"{name}: no rule has this parameter", mend=_EXAMPLE)
        for place in places:
            changed[place] = _replace(changed[place], name, path.split("."), value)
    return dataclasses.replace(rules, rules=tuple(changed))


def _has(rule: Rule, path: Sequence[str]) -> bool:
    place: Any = rule.model_dump(by_alias=True)
    for part in path:
        if not isinstance(place, dict) or part not in place:
            return False
        place = place[part]
    return True


def _replace(rule: Rule, name: str, path: Sequence[str], value: Any) -> Rule:
    data = rule.model_dump(by_alias=True, exclude_unset=True)
    place, whole = data, rule.model_dump(by_alias=True)
    for part in path[:-1]:
        whole = whole[part]
        place = place.setdefault(part, whole)
    place[path[-1]] = value
    try:
        return Rule.model_validate(data)
    except ValidationError as error:
        raise SettingsError(f"{name}={value}: rule {rule.name}: {error.errors()[0]['msg']}", mend=_EXAMPLE) from error
