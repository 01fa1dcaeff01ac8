"""Gates: the facts without which a rule cannot match, chosen so that the text is searched last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.alerts.rules.compiling import Atom, Terms, admitted, gate
from streams.alerts.rules.condition import Condition
from streams.alerts.rules.matching import Matcher
from streams.alerts.rules.model import Rule
from streams.alerts.rules.terms import TermFinder
from streams.alerts.sighting import Sighting

Seen = Callable[..., Sighting]


def gated(watch: dict[str, Any]) -> tuple[set[tuple[str, str | int]] | None, bool]:
    atoms, enough = gate(Condition.model_validate(watch), Terms())
    return None if atoms is None else {(atom.field, atom.value) for atom in atoms}, enough


@pytest.mark.parametrize(
    ("watch", "atoms", "enough"),
    [
        ({}, None, True),
        ({"entity": ["a", "b"]}, {("entities", "a"), ("entities", "b")}, True),
        ({"tag": "A"}, {("tags", "a")}, True),
        ({"entity": "a", "language": "de"}, {("entities", "a")}, False),
        ({"language": "de", "source": "x"}, {("source", "x")}, False),
        ({"terms": ["x", "y"], "language": "de"}, {("language", "de")}, False),
        ({"terms": ["x", "X"]}, {("terms", 0)}, True),
        ({"entity": "a", "not": [{"language": "de"}]}, {("entities", "a")}, False),
        ({"not": [{"language": "de"}]}, None, False),
        ({"all": [{"terms": "x"}, {"topic": "sport"}]}, {("topic", "sport")}, False),
        ({"any": [{"entity": "a"}, {"source": "x"}]}, {("entities", "a"), ("source", "x")}, True),
        ({"any": [{"entity": "a"}, {"source": "x", "language": "de"}]}, {("entities", "a"), ("source", "x")}, False),
        ({"any": [{"entity": "a"}, {"not": [{"source": "x"}]}]}, None, False),
        ({"any": [{"entity": "a"}, {"not": [{"source": "x"}]}], "language": "de"}, {("language", "de")}, False),
        ({"any": [{"entity": "a"}, {"terms": "x"}], "language": "de"}, {("language", "de")}, False),
    ],
)
def test_a_gate_is_the_rarest_fact_that_is_needed(watch: dict[str, Any], atoms: set[tuple[str, str | int]] | None, enough: bool) -> None:
    assert gated(watch) == (atoms, enough)


def test_an_atom_tells_fields_apart() -> None:
    assert Atom("source", "x") != Atom("topic", "x")


@pytest.mark.parametrize(
    ("watch", "expected"),
    [
        ({}, None),
        ({"terms": "x"}, None),
        ({"entity": ["a", "b"]}, {"a", "b"}),
        ({"all": [{"entity": "a"}, {"entity": "b"}]}, {"a", "b"}),
        ({"not": [{"entity": "a"}]}, None),
        ({"any": [{"source": "x"}, {"terms": "y"}]}, None),
    ],
)
def test_which_entities_count_is_known_beforehand_where_no_branch_names_one(watch: dict[str, Any], expected: set[str] | None) -> None:
    assert admitted(Condition.model_validate(watch), "entity", Terms()) == expected


@pytest.mark.parametrize(
    ("watch", "fields", "searches"),
    [
        ({"entity": "acme", "terms": "run"}, {"entities": ("globex",)}, 0),
        ({"entity": "acme", "terms": "run"}, {"entities": ("acme",)}, 1),
        ({"entity": "acme", "language": "de", "terms": "run"}, {"entities": ("acme",), "language": "en"}, 0),
        ({"terms": "run"}, {}, 1),
        ({"entity": "acme"}, {"entities": ("acme",)}, 0),
        ({"entity": "acme", "any": [{"terms": "run"}, {"terms": "walk"}], "not": [{"terms": "sit"}]}, {"entities": ("acme",)}, 1),
    ],
)
def test_the_text_is_searched_at_most_once_and_only_where_it_matters(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, watch: dict[str, Any], fields: dict[str, Any], searches: int
) -> None:
    calls: list[str] = []
    find = TermFinder.find

    def counting(self: TermFinder, title: str, text: str) -> frozenset[int]:
        calls.append(text)
        return find(self, title, text)

    monkeypatch.setattr(TermFinder, "find", counting)
    rules = [Rule.model_validate({"name": f"r{number}", "watch": watch}) for number in range(3)]
    Matcher(rules).match(seen(text="they run", **fields))
    assert len(calls) == searches
