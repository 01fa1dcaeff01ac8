"""Which rules a document counts for, and under which keys. One compiled matcher for all rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from streams.alerts.rules.compiling import Admission, Terms, Test, admitted, compile_condition, gate
from streams.alerts.rules.condition import Dimension
from streams.alerts.rules.model import Rule
from streams.alerts.rules.terms import TermFinder
from streams.alerts.sighting import Sighting
from streams.documents import Key

__all__ = ["EVERYTHING", "Matcher"]

EVERYTHING = Key(kind="all", value="all", name="everything")
"""The key of rules that group by nothing."""

_REMEMBERED_KEYS = 65_536
_ESCAPED = str.maketrans({"%": "%25", "|": "%7C"})

Value = tuple[str, str]
"""A value of a dimension, and what people call it."""


class _Matched:
    """The terms of one document, looked for when first asked."""

    __slots__ = ("_finder", "_found", "_sighting")

    def __init__(self, finder: TermFinder, sighting: Sighting) -> None:
        self._finder = finder
        self._sighting = sighting
        self._found: frozenset[int] | None = None

    def __call__(self) -> frozenset[int]:
        if self._found is None:
            self._found = self._finder.find(self._sighting.title, self._sighting.text)
        return self._found


class _Compiled:
    """A rule as the matcher uses it. `test` is None where the gate already tells."""

    __slots__ = ("admissions", "group_by", "kind", "test")

    def __init__(self, rule: Rule, test: Test | None, terms: Terms) -> None:
        self.test = test
        self.group_by = rule.group_by
        self.kind = "+".join(rule.group_by)
        found = {name: admitted(rule.watch, name, terms) for name in rule.group_by if name in ("entity", "tag")}
        self.admissions: dict[Dimension, Admission | frozenset[str]] = {
            name: admission for name, admission in found.items() if admission is not None
        }


class Matcher:
    """Matches documents against all rules at once.

    A rule is looked at only when the document has a fact without which it cannot match: dictionaries by entity, tag,
    source, author, topic and language lead to the rules. The text is searched at most once a document, by one automaton for
    the terms of all rules: always where a rule has nothing but terms to go by, else only where a rule that could still match
    asks for it. Not for several threads.

    Args:
        rules: those that are not `enabled` match nothing; an index is the rule's place here.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        terms = Terms()
        self._rules: dict[int, _Compiled] = {}
        self._always: list[int] = []
        indexes: dict[str, dict[str | int, list[int]]] = {
            name: {} for name in ("entities", "tags", "source", "author", "topic", "language", "terms")
        }
        for index, rule in enumerate(rules):
            if not rule.enabled:
                continue
            atoms, enough = gate(rule.watch, terms)
            self._rules[index] = _Compiled(rule, None if enough else compile_condition(rule.watch, terms), terms)
            if atoms is None:
                self._always.append(index)
            for atom in atoms or ():
                indexes[atom.field].setdefault(atom.value, []).append(index)
        self._entities, self._tags = indexes["entities"], indexes["tags"]
        single = ("source", "author", "topic", "language")
        self._single = [(name, indexes[name]) for name in single if indexes[name]]
        self._by_term = indexes["terms"]
        self._finder = TermFinder(terms)
        self._keys: dict[tuple[str, str, str], Key] = {}

    def match(self, sighting: Sighting) -> list[tuple[int, Key]]:
        """Indexes of the rules that `sighting` counts for, ascending, each with the key; a rule stands there once for each key.

        A document without a value of a dimension that a rule groups by (no entity, no topic, language ``und``) counts for
        none of its keys. Where a rule watches certain entities or tags, only those become keys.
        """
        candidates: set[int] = set()
        if self._entities:
            for entity in sighting.entities:
                if entity in self._entities:
                    candidates.update(self._entities[entity])
        if self._tags:
            for tag in sighting.tags:
                if tag in self._tags:
                    candidates.update(self._tags[tag])
        for name, rules in self._single:
            if (value := getattr(sighting, name)) in rules:
                candidates.update(rules[value])
        words = _Matched(self._finder, sighting)
        if self._by_term:
            for number in words():
                if number in self._by_term:
                    candidates.update(self._by_term[number])
        wanted = sorted(candidates.union(self._always)) if candidates else self._always
        found: list[tuple[int, Key]] = []
        shared: dict[str, list[Key]] = {}
        for number in wanted:
            rule = self._rules[number]
            if rule.test is not None and not rule.test(sighting, words):
                continue
            if rule.admissions:
                keys = self._keys_of(rule, sighting, words)
            elif (keys := shared.get(rule.kind, _NONE)) is _NONE:
                keys = shared[rule.kind] = self._keys_of(rule, sighting, words)
            found += [(number, key) for key in keys]
        return found

    def _keys_of(self, rule: _Compiled, sighting: Sighting, words: _Matched) -> list[Key]:
        if not rule.group_by:
            return [EVERYTHING]
        if len(rule.group_by) == 1 and not rule.admissions:
            return [self._key(rule.kind, value, name) for value, name in _values(sighting, rule.group_by[0]).items()]
        choices: list[Iterable[Value]] = []
        for dimension in rule.group_by:
            values = _values(sighting, dimension)
            admission = rule.admissions.get(dimension)
            if admission is not None:
                wanted = admission(sighting, words) if callable(admission) else admission
                if wanted is not None:
                    values = {value: name for value, name in values.items() if value in wanted}
            if not values:
                return []
            choices.append(values.items())
        if len(choices) == 1:
            return [self._key(rule.kind, value, name) for value, name in choices[0]]
        return [
            self._key(rule.kind, "|".join(value.translate(_ESCAPED) for value, _ in chosen), ", ".join(name for _, name in chosen))
            for chosen in product(*choices)
        ]

    def _key(self, kind: str, value: str, name: str) -> Key:
        # Making one costs as much as all the rest of a match.
        place = (kind, value, name)
        key = self._keys.get(place)
        if key is None:
            if len(self._keys) >= _REMEMBERED_KEYS:
                self._keys.clear()
            key = self._keys[place] = Key(kind=kind, value=value, name=name)
        return key


_NONE: list[Key] = []


def _values(sighting: Sighting, dimension: Dimension) -> dict[str, str]:
    """Values of `dimension` that `sighting` has, each once, with what people call them."""
    if dimension == "entity":
        return _each_once(sighting.entities, sighting.names)
    if dimension == "tag":
        return _each_once(sighting.tags, sighting.tag_names)
    value: str = getattr(sighting, dimension)
    return {value: value} if value and value != "und" else {}


def _each_once(values: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    if len(values) == 1:
        return {values[0]: names[0]} if values[0] else {}
    found: dict[str, str] = {}
    for value, name in zip(values, names, strict=True):
        if value:
            found.setdefault(value, name)
    return found
