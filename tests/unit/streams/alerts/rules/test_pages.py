"""docs/rules.md and docs/rules-reference.md are those of this code."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from streams.alerts.rules.model import Rule
from streams.alerts.rules.reading import parse_rules

DOCS = Path(__file__).resolve().parents[5] / "docs"


def _made() -> str:
    spec = importlib.util.spec_from_file_location("rules_reference", DOCS / "rules_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.rules_page())


def test_the_reference_is_not_stale() -> None:
    assert (DOCS / "rules-reference.md").read_text(encoding="utf-8") == _made(), "run: python docs/rules_reference.py"


def test_every_field_and_every_detector_is_described() -> None:
    page = _made()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(not line.endswith("|  |") for line in rows), [line for line in rows if line.endswith("|  |")]
    for name, field in Rule.model_fields.items():
        assert f"| `{field.alias or name}` |" in page
    guide = (DOCS / "rules.md").read_text(encoding="utf-8")
    for detector in re.findall(r"### `type: (\w+)`", page):
        assert f"| `{detector}` |" in guide, detector


def test_the_examples_of_the_guide_are_rules() -> None:
    guide = (DOCS / "rules.md").read_text(encoding="utf-8")
    whole, watch = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert parse_rules(whole, "guide").rules[0].name == "banks-turn"
    indented = "".join(f"    {line}\n" for line in watch.splitlines())
    assert len(parse_rules(f"rules:\n  - name: a\n{indented}", "guide").rules[0].watch.any) == 2
