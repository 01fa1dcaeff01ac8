"""`bellwether models robustness` on the shipped model, with fewer sentences, and its faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.cli import app
from models.robustness import sentences as table
from models.robustness.cli import REAL_SETS, real_examples
from models.robustness.measuring import BOUND
from models.robustness.sentences import Sentences

RUNNER = CliRunner()


@pytest.fixture
def few_sentences(monkeypatch: pytest.MonkeyPatch) -> Sentences:
    """English and Chinese only."""
    whole = table.sentences()
    kept = ("en", "zh")
    few = Sentences(
        companies=tuple(one for one in whole.companies if one.lang in kept),
        countries=tuple(one for one in whole.countries if one.lang in kept),
        genders=tuple(row for row in whole.genders if row[0] in kept),
        negations=tuple(row for row in whole.negations if row[0] in kept),
        switches=tuple(row for row in whole.switches if row[0] in kept),
    )
    monkeypatch.setattr(table, "sentences", lambda: few)
    return few


@pytest.mark.usefixtures("few_sentences")
def test_the_report_of_the_shipped_model(tmp_path: Path, shared_data: Path) -> None:
    out = tmp_path / "report.json"
    done = RUNNER.invoke(app, ["robustness", "--json", "--out", str(out), "--data", str(shared_data), "--rows", "2"])
    assert done.exit_code == 0, done.output
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["bound"] == BOUND
    changes = {one["name"]: one for one in report["sentences"]}
    assert set(changes["all capitals"]["by_language"]) == {"en", "zh"}
    assert changes["all small letters"]["moved"]["mean"] < 0.3
    for one in report["sentences"]:
        assert 0 <= one["moved"]["low"] <= one["moved"]["mean"] <= one["moved"]["high"] <= 2, one["name"]
        assert one["moved"]["mean"] <= one["largest"]
    positive = next(one for one in report["negations"] if one["tone"] == "positive")
    assert positive["right"] >= 4
    assert positive["turned"]["mean"] >= 0.8
    assert {one["name"] for one in report["names"]} >= {"Apple", "Huawei", "US", "CN"}
    assert all(abs(one["moved"]["mean"]) < 0.25 for one in report["names"])
    assert {len(one["f1"]) for one in report["real"]} == {2}


@pytest.mark.usefixtures("few_sentences")
def test_markdown_goes_to_standard_output() -> None:
    done = RUNNER.invoke(app, ["robustness"])
    assert done.exit_code == 0, done.output
    assert "### Names that must not count" in done.stdout
    assert "### The same changes on labelled text" not in done.stdout


def test_real_texts_are_dev_rows_of_many_languages(shared_data: Path) -> None:
    found = real_examples(shared_data, 4)
    assert {one.split for one in found} == {"dev"}
    assert {one.source for one in found} == set(REAL_SETS)
    assert len({one.lang for one in found}) >= 10
    assert max(sum(other.source == one.source and other.lang == one.lang for other in found) for one in found) == 4
    assert found == real_examples(shared_data, 4)
