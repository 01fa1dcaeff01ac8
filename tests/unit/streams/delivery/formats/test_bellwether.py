"""Our own body, and its published schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streams.delivery.formats.bellwether import AlertMessage, alert_schema, body
from streams.documents import Alert, Explanation, Member, WordEffect

ROOT = Path(__file__).resolve().parents[5]
SCHEMA = ROOT / "docs" / "schemas" / "alert.json"


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_the_payload_of_the_specification(make_alert: Callable[..., Alert], status: str) -> None:
    alert = make_alert(1, status)
    payload = json.loads(body(alert))
    assert list(payload) == ["type", "timestamp", "data"]
    assert payload["type"] == f"alert.{status}"
    assert datetime.fromisoformat(payload["timestamp"]) == alert.observed.end
    assert Alert.model_validate(payload["data"]) == alert
    assert AlertMessage.model_validate(payload).data == alert
    assert body(alert) == body(Alert.model_validate_json(alert.model_dump_json())), "the same bytes for every try"
    assert "奥雷利亚银行" in body(alert)


def test_the_published_schema_is_not_stale() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == json.loads(json.dumps(alert_schema())), (
        "run: python -m streams.delivery.formats.bellwether docs/schemas/alert.json"
    )


def _properties(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]]["properties"] if reference else schema["properties"]


def test_the_schema_describes_what_is_sent(make_alert: Callable[..., Alert]) -> None:
    """Every field that is sent is there, and every field that must be is sent; also in a digest."""
    member = Member(id="m", fingerprint="f", rule="r", key=make_alert().key, severity="info", summary="s")
    payload = json.loads(body(make_alert(members=(member,))))
    schema = alert_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    definitions = schema["$defs"]
    assert set(payload) == set(schema["properties"]) == set(schema["required"])
    data = _properties(schema["properties"]["data"], definitions)
    assert set(payload["data"]) == set(data)
    assert set(payload["data"]["members"][0]) == set(_properties(data["members"]["items"], definitions))
    assert set(payload["data"]["evidence"][0]) == set(_properties(data["evidence"]["items"], definitions))


def _explained(alert: Alert) -> Alert:
    words = Explanation(
        words=(WordEffect(text="挤兑", effect=-0.31),), turning=("挤兑",), turned="neutral", score=-0.9, without=0.1, model_id="m"
    )
    return alert.model_copy(update={"evidence": (alert.evidence[0].model_copy(update={"explanation": words}),)})


def test_the_words_of_a_document_are_sent_with_it(make_alert: Callable[..., Alert]) -> None:
    [item] = json.loads(body(_explained(make_alert())))["data"]["evidence"]
    assert item["explanation"] == {
        "words": [{"text": "挤兑", "effect": -0.31, "together": 1}],
        "turning": ["挤兑"],
        "turned": "neutral",
        "score": -0.9,
        "without": 0.1,
        "model_id": "m",
        "reason": None,
    }


def test_the_schema_as_a_validator_sees_it(make_alert: Callable[..., Alert]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="pip install jsonschema")
    validator = jsonschema.Draft202012Validator(alert_schema())
    validator.check_schema(alert_schema())
    for status in ("firing", "resolved"):
        validator.validate(json.loads(body(make_alert(1, status))))
    validator.validate(json.loads(body(_explained(make_alert()))))
    broken = json.loads(body(make_alert()))
    del broken["data"]["id"]
    assert not validator.is_valid(broken)
