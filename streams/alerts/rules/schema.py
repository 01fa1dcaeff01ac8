"""JSON Schema of a rule file, for editors."""

from __future__ import annotations

from typing import Any

from streams.alerts.rules.model import RuleFile

__all__ = ["rule_file_schema"]


def rule_file_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a rule file. ``defaults`` takes the fields of a rule, none of them needed."""
    schema = RuleFile.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    usual = {key: value for key, value in definitions["Rule"].items() if key not in ("required", "title")}
    usual["properties"] = {name: field for name, field in usual["properties"].items() if name != "name"}
    definitions["RuleDefaults"] = {**usual, "title": "RuleDefaults"}
    schema["properties"]["defaults"] = {"$ref": "#/$defs/RuleDefaults", "description": schema["properties"]["defaults"]["description"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Bellwether rule file"}
