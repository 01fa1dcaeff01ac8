"""Conditions made into functions, and the facts that a document must have for one to match at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streams.alerts.rules.condition import Condition
from streams.alerts.rules.terms import Term, fold_term
from streams.alerts.sighting import Sighting

__all__ = ["Atom", "Terms", "Test", "admitted", "compile_condition", "gate", "numbers_of_terms"]

Words = Callable[[], frozenset[int]]
"""Numbers of the terms that the document holds; looked for when first asked."""

Test = Callable[[Sighting, Words], bool]


class Atom(NamedTuple):
    """A fact about a document: a field and one value of it; of ``terms`` the value is the term's number."""

    field: str
    value: str | int


class Terms(dict[Term, int]):
    """Every term that a condition has asked for, with its number."""

    def number(self, term: str) -> int:
        """The number of `term`."""
        return self.setdefault(fold_term(term), len(self))


def numbers_of_terms(condition: Condition, terms: Terms) -> frozenset[int]:
    """The numbers of the terms of `condition` itself."""
    return frozenset(terms.number(term) for term in condition.terms or ())


def compile_condition(condition: Condition, terms: Terms) -> Test:
    """A function that tells whether a document matches `condition`. Cheap comparisons come first, the text last."""
    tests = [_of_tuple(name, values) for name, values in _tuples(condition)]
    tests += [_of_text(name, values) for name, values in _texts(condition)]
    if condition.terms is not None:
        tests.append(_of_terms(numbers_of_terms(condition, terms)))
    tests += [compile_condition(child, terms) for child in condition.all]
    if condition.any:
        tests.append(_any([compile_condition(child, terms) for child in condition.any]))
    if condition.none:
        tests.append(_none([compile_condition(child, terms) for child in condition.none]))
    return tests[0] if len(tests) == 1 else _all(tests)


def _tuples(condition: Condition) -> list[tuple[str, frozenset[str]]]:
    found = []
    if condition.entity is not None:
        found.append(("entities", frozenset(condition.entity)))
    if condition.tag is not None:
        found.append(("tags", frozenset(tag.casefold() for tag in condition.tag)))
    return found


def _texts(condition: Condition) -> list[tuple[str, frozenset[str]]]:
    names = ("topic", "language", "source", "author")
    return [(name, frozenset(values)) for name in names if (values := getattr(condition, name)) is not None]


def _of_tuple(name: str, values: frozenset[str]) -> Test:
    disjoint = values.isdisjoint
    if name == "entities":
        return lambda sighting, words: not disjoint(sighting.entities)
    return lambda sighting, words: not disjoint(sighting.tags)


def _of_text(name: str, values: frozenset[str]) -> Test:
    tests: dict[str, Test] = {
        "topic": lambda sighting, words: sighting.topic in values,
        "language": lambda sighting, words: sighting.language in values,
        "source": lambda sighting, words: sighting.source in values,
        "author": lambda sighting, words: sighting.author in values,
    }
    return tests[name]


def _of_terms(numbers: frozenset[int]) -> Test:
    return lambda sighting, words: not numbers.isdisjoint(words())


def _all(tests: list[Test]) -> Test:
    return lambda sighting, words: all(test(sighting, words) for test in tests)


def _any(tests: list[Test]) -> Test:
    return lambda sighting, words: any(test(sighting, words) for test in tests)


def _none(tests: list[Test]) -> Test:
    return lambda sighting, words: not any(test(sighting, words) for test in tests)


def gate(condition: Condition, terms: Terms) -> tuple[frozenset[Atom] | None, bool]:
    """Facts of which a document must have at least one to match; None: there are no such facts.

    The second value tells whether having one of them is also enough.
    """
    own = [frozenset(Atom(name, value) for value in values) for name, values in _gates(condition)]
    if condition.terms is not None:
        own.append(frozenset(Atom("terms", number) for number in numbers_of_terms(condition, terms)))
    children = [gate(child, terms) for child in condition.all]
    if condition.any:
        branches = [gate(child, terms) for child in condition.any]
        if all(atoms is not None for atoms, _ in branches):
            union = frozenset[Atom]().union(*(atoms for atoms, _ in branches if atoms is not None))
            children.append((union, all(enough for _, enough in branches)))
        else:
            children.append((None, False))
    candidates = [(atoms, True) for atoms in own] + children
    if not candidates:
        return None, condition.empty
    known = [(atoms, enough) for atoms, enough in candidates if atoms is not None]
    if not known:
        return None, False
    # What needs the text last: it costs most to find out.
    best, enough = min(known, key=lambda found: (any(atom.field == "terms" for atom in found[0]), _breadth(found[0])))
    return best, enough and len(candidates) == 1 and not condition.none


_SELECTIVE = {"author": 0, "entities": 1, "tags": 1, "source": 2, "topic": 3, "language": 4, "terms": 5}


def _gates(condition: Condition) -> list[tuple[str, frozenset[str]]]:
    return [*_tuples(condition), *_texts(condition)]


def _breadth(atoms: frozenset[Atom]) -> int:
    return max(_SELECTIVE[atom.field] for atom in atoms)


Admission = Callable[[Sighting, Words], frozenset[str] | None]


def admitted(condition: Condition, dimension: str, terms: Terms) -> Admission | frozenset[str] | None:
    """Which values of `dimension` (``entity``, ``tag``) count as keys of a document that matches `condition`.

    None: all of the document's. A set where it is the same for every document. Of ``any`` only the branches that match
    have a say; a branch that does not name the dimension lets all values in, unless the condition itself names some.
    """
    if not _branches_on(condition, dimension):
        found = _named(condition, dimension)
        return found or None
    own = frozenset(_folded(dimension, getattr(condition, dimension) or ()))
    every = [admitted(child, dimension, terms) for child in condition.all]
    branches = [(compile_condition(child, terms), admitted(child, dimension, terms)) for child in condition.any]

    def admission(sighting: Sighting, words: Words) -> frozenset[str] | None:
        values = set(own)
        for child in every:
            values |= _ask(child, sighting, words) or frozenset()
        matched = [_ask(child, sighting, words) for test, child in branches if test(sighting, words)]
        if all(found is not None for found in matched):
            for found in matched:
                values |= found or frozenset()
        return frozenset(values) or None

    return admission


def _ask(admission: Admission | frozenset[str] | None, sighting: Sighting, words: Words) -> frozenset[str] | None:
    return admission(sighting, words) if callable(admission) else admission


def _branches_on(condition: Condition, dimension: str) -> bool:
    """Whether an ``any`` within names the dimension: then it depends on the document which values count."""
    if any(_named(child, dimension) or _branches_on(child, dimension) for child in condition.any):
        return True
    return any(_branches_on(child, dimension) for child in condition.all)


def _named(condition: Condition, dimension: str) -> frozenset[str]:
    """Values that `condition` and what it joins by ``all`` name."""
    own = frozenset(_folded(dimension, getattr(condition, dimension) or ()))
    return own.union(*(_named(child, dimension) for child in condition.all))


def _folded(dimension: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.casefold() for value in values) if dimension == "tag" else values
