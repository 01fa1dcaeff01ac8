"""docs/operations.md names every metric and every reason, and its programs run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from streams.metrics import Metrics

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_REASON = re.compile(r'"((?:document|source|enrich|score|index|watch|notify|search|webhook|broker|triton|filtered)\.[a-z_.0-9]+)"')


def documented(section: str) -> set[str]:
    """What stands in code at the begin of a table's rows, without labels."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return {name.split("{")[0] for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


def test_every_metric_is_in_the_table_and_no_other() -> None:
    found = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    assert documented("Metrics") == found


def test_every_label_is_in_the_table() -> None:
    for collector in vars(Metrics()).values():
        labels = getattr(collector, "_labelnames", ())
        if labels:
            assert f"{{{','.join(labels)}}}`" in PAGE


def test_every_reason_in_the_code_is_in_the_table() -> None:
    written = {
        reason
        for folder in ("stages", "agents", "enrich", "embedded", "sinks", "scoring", "sources", "delivery")
        for file in (ROOT / "streams" / folder).glob("*.py")
        for reason in _REASON.findall(file.read_text(encoding="utf-8"))
        if "reason" in file.read_text(encoding="utf-8")
    }
    assert written, "the pattern finds nothing"
    names = documented("Dead letters")
    # Written alike, but names of a file, of a log line, and of settings.
    assert written - {"triton.log", "source.not_idempotent", "webhook.secret", "webhook.urls"} <= names


def test_every_reason_of_an_unreadable_document_is_in_the_table() -> None:
    from streams.documents import parse_raw

    named = set(re.findall(r"``(document\.[a-z_.0-9]+)``", parse_raw.__doc__ or ""))
    assert len(named) > 10
    assert named <= documented("Dead letters")


@pytest.mark.parametrize("program", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_programs_are_python(program: str) -> None:
    ast.parse(program)
