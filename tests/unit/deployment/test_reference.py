"""The pages that are made from the code are those of this code."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["settings", "commands"])
def test_the_page_is_not_stale(reference: ModuleType, page: str) -> None:
    made = getattr(reference, f"{page}_page")()
    assert (DOCS / f"{page}.md").read_text(encoding="utf-8") == made, "run: python docs/reference.py"


def test_every_command_is_there_with_an_example(reference: ModuleType) -> None:
    page = reference.commands_page()
    for name in ("demo", "up", "worker", "replay", "doctor", "topics", "audit", "config"):
        section = page.split(f"### `bellwether {name}`")[1].split("\n### ")[0]
        assert "Example:" in section, name
