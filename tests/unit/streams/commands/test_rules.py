"""`bellwether rules`: one line for every fault, a table to read, and an honest answer about a document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from streams.commands.rules import register
from streams.errors import BellwetherError, SettingsError

RULES = """\
channels: {desk: {type: webhook, url: env:URL, secrets: [env:S]}}
rules:
  - name: bank-run
    watch: {terms: [bank run, queue*], language: [en, de]}
    for: 5m
    channels: [desk]
  - {name: off, enabled: false}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def run(*arguments: object, **environ: str) -> Result:
    app = typer.Typer()
    register(app)

    @app.callback()
    def root() -> None: ...

    return CliRunner().invoke(app, ["rules", *map(str, arguments)], env={"COLUMNS": "160", **environ})


def test_a_good_file_is_called_good(file: Path) -> None:
    found = run("check", file)
    assert (found.exit_code, found.stdout) == (0, f"{file}: 2 rules, 1 of them not enabled: good\n")
    assert run("check", file, "--quiet", URL="https://a.example/x", S="whsec_c2VjcmV0").output == ""


def test_a_secret_that_is_not_set_here_is_a_warning(file: Path) -> None:
    found = run("check", file, S="whsec_c2VjcmV0")
    assert (found.exit_code, found.stderr) == (0, f"{file}: warning: the environment variable URL is not set here\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("type: webhook", "type: webhok", "channel desk: "),
        ("url: env:URL", "url: ftp://a.example", "channel desk: url: "),
        ("secrets: [env:S]", "secret: whsec_c2VjcmV0", "channel desk: "),
    ],
)
def test_a_channel_that_cannot_be_used_is_a_fault(file: Path, old: str, new: str, message: str) -> None:
    file.write_text(RULES.replace(old, new), encoding="utf-8")
    found = run("check", file)
    assert found.exit_code == 2
    (line,) = found.stderr.splitlines()
    assert line.startswith(f"{file}: {message}")
    assert "c2VjcmV0" not in found.output


def test_every_fault_is_one_line_and_the_status_is_2(file: Path) -> None:
    file.write_text(RULES.replace("for: 5m", "for: 5").replace("[desk]", "desk"), encoding="utf-8")
    found = run("check", file)
    assert found.exit_code == 2
    assert found.stderr.splitlines() == [
        f"{file}:5:10: rule bank-run: for: 5 has no unit; write for example 90s, 15m, 3h, 1h30m, 2d, 4w, or PT3H",
        f"{file}:6:15: rule bank-run: channels: must be a list, not 'desk'; write [one, two], or one - item a line",
    ]
    assert found.stdout == ""


def test_doubts_are_warnings(file: Path) -> None:
    file.write_text("rules: [{name: a, watch: {entity: deutsche-bnak}}]", encoding="utf-8")
    found = run("check", file)
    assert found.exit_code == 0
    assert "warning: rule a: the gazetteer (enrich.entities) knows no entity 'deutsche-bnak'" in found.stderr


def test_a_file_that_is_not_there_is_a_settings_error(tmp_path: Path) -> None:
    assert isinstance(run("check", tmp_path / "none.yaml").exception, SettingsError)


def test_the_list_is_a_table_or_json(file: Path) -> None:
    table = run("list", file).stdout
    for word in ("bank-run", "off (off)", "terms: bank run, queue*", "negative_share by share, 3h against 7d, for 5m", "desk", "default"):
        assert word in table
    rules = [json.loads(line) for line in run("list", file, "--json").stdout.splitlines()]
    assert [rule["name"] for rule in rules] == ["bank-run", "off"]
    assert rules[0]["for"] == "5m"
    assert rules[0]["watch"]["terms"] == ["bank run", "queue*"]


def test_without_a_file_the_rules_of_the_settings_are_listed() -> None:
    rules = [json.loads(line) for line in run("list", "--json", "--set", "alerts.min_documents=7").stdout.splitlines()]
    assert [(rule["name"], rule["evidence"]["documents"]) for rule in rules] == [("negative-share", 7), ("negative-share-tags", 7)]


def test_a_document_that_counts(file: Path) -> None:
    found = run("test", file, "bank-run", "--text", "People queue outside Deutsche Bank as a bank run begins in the city")
    assert found.exit_code == 0, found.output
    assert "✓ terms found bank run, queue*" in found.stdout
    assert "✓ language is en" in found.stdout
    assert "counts for entity:deutsche-bank (Deutsche Bank)" in found.stdout


def test_a_document_that_does_not(file: Path) -> None:
    found = run("test", file, "bank-run", "--text", "un calme plat", "--language", "fr", "--entity", "acme")
    assert found.exit_code == 1
    assert "✗ language wants en, de, the document has fr" in found.stdout
    assert "✗ terms none of bank run, queue*" in found.stdout
    assert "counts for nothing: it is not what the rule watches" in found.stdout


def test_markup_in_a_text_is_text(file: Path) -> None:
    assert "[bold]queue[/]" in run("test", file, "bank-run", "--text", "[bold]queue[/]", "--language", "en").stdout


def test_a_file_of_documents_as_json(file: Path, tmp_path: Path) -> None:
    documents = tmp_path / "d.jsonl"
    lines = [
        {"title": "Queues grow", "entities": ["acme", "globex"], "language": "en"},
        {"text": "calm", "entities": ["acme"], "language": "en"},
    ]
    documents.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = run("test", file, "bank-run", "--document", documents, "--json")
    one, other = (json.loads(line) for line in found.stdout.splitlines())
    assert found.exit_code == 1
    assert (one["matched"], one["keys"]) == (True, ["entity:acme", "entity:globex"])
    assert (other["matched"], other["keys"], other["why_not"]) == (False, [], "it is not what the rule watches")
    assert [(part["part"], part["matched"]) for part in other["conditions"]] == [("watch", False), ("language", True), ("terms", False)]


@pytest.mark.parametrize("arguments", [("bank-run",), ("bank-run", "--text", "a", "--document", "d.jsonl"), ("bankrun", "--text", "a")])
def test_wrong_usage_is_a_settings_error(file: Path, arguments: tuple[str, ...]) -> None:
    error = run("test", file, *arguments).exception
    assert isinstance(error, SettingsError)
    assert error.mend


def test_a_document_that_cannot_be_read_is_named(file: Path, tmp_path: Path) -> None:
    error = run("test", file, "bank-run", "--document", tmp_path / "none.jsonl").exception
    assert isinstance(error, BellwetherError)


def test_the_schema_is_json() -> None:
    assert json.loads(run("schema").stdout)["title"] == "Bellwether rule file"
