"""Trying a rule on a document: every condition answers, and the keys are those of the engine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.alerts.rules.doubts import doubts, known_entities
from streams.alerts.rules.explaining import explain
from streams.alerts.rules.listing import describe_detector, describe_watch
from streams.alerts.rules.model import Rule
from streams.alerts.rules.schema import rule_file_schema
from streams.alerts.rules.trying import Attempt, Recogniser, attempts_of_file, try_rule
from streams.alerts.sighting import Sighting
from streams.enrich.entities import DEFAULT_GAZETTEER
from streams.errors import BellwetherError

Seen = Callable[..., Sighting]


def rule(watch: dict[str, Any], **fields: Any) -> Rule:
    return Rule.model_validate({"name": "r", "watch": watch, **fields})


def lines(watch: dict[str, Any], sighting: Sighting) -> list[str]:
    found = explain(rule(watch).watch, sighting)
    return [f"{'  ' * depth}{'+' if one.matched else '-'} {one.part} {one.detail}".rstrip() for depth, one in found.lines()]


def test_every_part_answers_even_where_the_whole_is_decided(seen: Seen) -> None:
    watch = {"language": ["de"], "terms": ["bank run", "queue"], "any": [{"entity": "acme"}, {"tag": "Banks"}], "not": [{"source": "wire"}]}
    document = seen(language="en", text="a queue", tags=("banks",), entities=("globex",))
    assert lines(watch, document) == [
        "- watch",
        "  - language wants de, the document has en",
        "  + terms found queue",
        "  + any",
        "    - condition",
        "      - entity wants acme, the document has globex",
        "    + condition",
        "      + tag is banks",
        "  - not",
        "    + condition",
        "      + source is wire",
    ]


def test_what_is_missing_is_said(seen: Seen) -> None:
    assert lines({"topic": "sport", "terms": [f"t{number}" for number in range(9)]}, seen())[1:] == [
        "  - topic wants sport, the document has none",
        "  - terms none of t0, t1, t2, t3, t4, t5, … (9 in all)",
    ]
    assert lines({}, seen()) == ["+ watch everything matches"]


def test_a_trial_says_why_it_counts_for_nothing(seen: Seen) -> None:
    assert try_rule(rule({"terms": "x"}), seen(text="y")).why_not == "it is not what the rule watches"
    assert try_rule(rule({}, group_by=["entity", "topic"]), seen()).why_not == "it has no entity × topic that the rule groups by"
    found = try_rule(rule({}, enabled=False), seen(entities=("acme",)))
    assert [str(key) for key in found.keys] == ["entity:acme"]
    assert found.why_not == ""


def test_entities_and_language_are_recognised_unless_given() -> None:
    recogniser = Recogniser(DEFAULT_GAZETTEER)
    found = recogniser.sighting(Attempt("Die Deutsche Bank verliert das Vertrauen ihrer Kunden und Anleger"))
    assert (found.entities, found.language) == (("deutsche-bank",), "de")
    given = recogniser.sighting(Attempt("Deutsche Bank", entities=("acme",), language="fr", tags=("A",)))
    assert (given.entities, given.names, given.language, given.tags) == (("acme",), ("acme",), "fr", ("a",))


SCORED = {
    "id": "1",
    "source": "wire",
    "title": "t",
    "text": "x",
    "published_at": "2026-03-01T00:00:00Z",
    "language": {"code": "de", "confidence": 1},
    "sentiment": {"negative": 0.8, "neutral": 0.1, "positive": 0.1},
    "entities": [{"id": "acme", "name": "Acme", "matched": "Acme"}],
    "model_id": "m",
    "timings": {"received_at": "2026-03-01T00:00:00Z", "scored_at": "2026-03-01T00:00:00Z"},
    "origin": "journal-0-1",
}


def test_files_hold_scored_documents_or_plain_ones(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl.gz"
    plain = {"title": "t", "text": "x", "tags": ["A", 1], "entities": ["acme"], "language_hint": "de", "source": "s", "author": None}
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps(SCORED) + "\n\n" + json.dumps(plain) + "\n")
    recogniser = Recogniser(DEFAULT_GAZETTEER)
    one, other = (recogniser.sighting(attempt) for attempt in attempts_of_file(path))
    assert (one.entities, one.language, one.negative) == (("acme",), "de", True)
    assert (other.entities, other.language, other.tags, other.source) == (("acme",), "de", ("a",), "s")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n", ":1: is no document"),
        (b'{"text": "a"}\n[1]\n', ":2: is no document"),
        (b"{\n", ":1: is not JSON"),
        (b'{"text": "a", "model_id": "m"}\n', ":1: is no scored document: id: "),
        (b"\xff\n", "cannot be read"),
    ],
)
def test_a_line_that_is_no_document_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes(content)
    with pytest.raises(BellwetherError, match=message) as caught:
        list(attempts_of_file(path))
    assert caught.value.mend


def test_doubts_are_raised_about_what_no_document_has() -> None:
    found = list(
        doubts(
            [rule({"entity": ["deutsche-bnak"], "not": [{"any": [{"topic": "sports"}, {"topic": "sport"}]}]})],
            known_entities(DEFAULT_GAZETTEER),
        )
    )
    assert found == [
        "rule r: the gazetteer (enrich.entities) knows no entity 'deutsche-bnak'; did you mean 'deutsche-bank'?",
        "rule r: the model knows no topic 'sports'; did you mean 'sport'?",
    ]


def test_a_rule_in_a_few_words() -> None:
    found = rule({"entity": "acme", "terms": list("abcde"), "not": [{"any": [{"source": "x"}, {"language": "de"}]}]}, **{"for": "15m"})
    assert describe_watch(found.watch) == "entity: acme; terms: a, b, c, … (5); not (any of (source: x | language: de))"
    assert describe_detector(found) == "negative_share by share, 3h against 7d, for 15m"
    parts = [{"detector": {"type": "threshold", "above": 0.5}}, {"detector": {"type": "breadth"}}]
    composite = rule({}, detector={"type": "composite", "parts": parts})
    assert describe_watch(composite.watch) == "everything"
    assert describe_detector(composite) == "negative_share by threshold + breadth, 3h"


def test_the_schema_takes_what_the_reader_takes() -> None:
    schema = rule_file_schema()
    assert schema["required"] == ["rules"]
    rule_schema = schema["$defs"]["Rule"]
    assert {"for", "watch", "detector"} <= set(rule_schema["properties"])
    assert "hold" not in rule_schema["properties"]
    assert rule_schema["required"] == ["name"]
    assert schema["properties"]["defaults"]["$ref"] == "#/$defs/RuleDefaults"
    assert "name" not in schema["$defs"]["RuleDefaults"]["properties"]
    assert "required" not in schema["$defs"]["RuleDefaults"]
    assert rule_schema["properties"]["window"]["type"] == "string"
    assert all(field.get("description") or "$ref" in field for field in rule_schema["properties"].values())
    assert set(schema["$defs"]["Condition"]["properties"]) >= {"not", "all", "any", "terms"}
