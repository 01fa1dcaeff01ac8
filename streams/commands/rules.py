"""``bellwether rules``: check, list and try the rules of alerts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from streams.commands.options import Config, Set, read_settings
from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.alerts.rules.explaining import Finding
    from streams.alerts.rules.model import Rule
    from streams.alerts.rules.ruleset import RuleSet
    from streams.alerts.rules.trying import Trial
    from streams.settings import WebhookSettings

__all__ = ["register"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="Rule file (YAML).")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    rules = typer.Typer(no_args_is_help=True, help="Check, list and try the rules of alerts.")
    app.add_typer(rules, name="rules")
    _register_check(rules)
    _register_list(rules)
    _register_test(rules)
    _register_schema(rules)


def _register_check(rules: typer.Typer) -> None:
    @rules.command()
    def check(
        file: File,
        config: Config = None,
        set_: Set = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Faults only.")] = False,
    ) -> None:
        """Say what is wrong with a rule file: every fault in one line with its place and the mend, exit 2. Warnings do not count as faults.

        Example: bellwether rules check alerts.yaml
        """
        from streams.alerts.rules.doubts import doubts

        found = _read(file)
        settings = read_settings(config, set_)
        for absent in _check_channels(found, settings.webhook):
            typer.echo(f"{file}: warning: the environment variable {absent} is not set here", err=True)
        for doubt in doubts(found.rules, _entities(settings.enrich.entities)):
            typer.echo(f"{file}: warning: {doubt}", err=True)
        if not quiet:
            number = len(found.rules)
            off = sum(not rule.enabled for rule in found.rules)
            typer.echo(f"{file}: {number} {'rule' if number == 1 else 'rules'}{f', {off} of them not enabled' if off else ''}: good")


def _register_list(rules: typer.Typer) -> None:
    @rules.command("list")
    def list_(
        file: Annotated[
            Path | None, typer.Argument(metavar="[FILE]", help="Rule file; absent: the rules that the settings describe.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a rule, with all its fields.")] = False,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """List rules: what they watch, how they judge it, who hears of it.

        Example: bellwether rules list alerts.yaml
        """
        if file is not None:
            found = _read(file)
        else:
            from streams.alerts.rules.configured import configured_rules

            found = configured_rules(read_settings(config, set_).alerts)
        if as_json:
            for rule in found.rules:
                typer.echo(rule.model_dump_json(by_alias=True))
            return
        Console().print(_table(found.rules, found.source))


def _register_test(rules: typer.Typer) -> None:
    @rules.command("test")
    def test(
        file: File,
        rule: Annotated[str, typer.Argument(metavar="RULE", help="Name of the rule.")],
        text: Annotated[str | None, typer.Option("--text", help="Text of a document.")] = None,
        title: Annotated[str, typer.Option("--title", help="Its title.")] = "",
        entity: Annotated[
            list[str] | None, typer.Option("--entity", help="Id of an entity that it names; absent: what is recognised.")
        ] = None,
        tag: Annotated[list[str] | None, typer.Option("--tag", help="A tag of it. Repeatable.")] = None,
        language: Annotated[str | None, typer.Option("--language", help="Its language; absent: what is recognised.")] = None,
        topic: Annotated[str, typer.Option("--topic", help="Its topic.")] = "",
        source: Annotated[str, typer.Option("--source", help="Its source.")] = "test",
        author: Annotated[str, typer.Option("--author", help="Its author.")] = "",
        document: Annotated[
            Path | None, typer.Option("--document", metavar="FILE", help="JSON lines: scored documents, or objects with text and title.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a document.")] = False,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Say of a document which conditions of a rule it fulfils, and which keys it would count for. Exit 1 if one counts for none.

        Example: bellwether rules test alerts.yaml bank-run --text "Depositors queue outside Deutsche Bank"
        """
        from streams.alerts.rules.trying import Attempt, Recogniser, attempts_of_file, try_rule

        if (text is None) == (document is None):
            raise SettingsError("rules test: one of --text and --document is needed", mend='for example --text "Depositors queue"')
        wanted = _one(_read(file), rule)
        settings = read_settings(config, set_)
        recogniser = Recogniser(_gazetteer_file(settings.enrich.entities))
        if document is not None:
            attempts = attempts_of_file(document)
        else:
            given = Attempt(text or "", title, _tuple(entity), _tuple(tag) or (), language, topic, source, author)
            attempts = iter([given])
        counted = True
        for attempt in attempts:
            trial = try_rule(wanted, recogniser.sighting(attempt))
            counted = counted and bool(trial.keys)
            if as_json:
                typer.echo(json.dumps(_as_json(trial), ensure_ascii=False))
            else:
                _print_trial(Console(highlight=False, soft_wrap=True), trial)
        if not counted:
            raise typer.Exit(1)


def _register_schema(rules: typer.Typer) -> None:
    @rules.command()
    def schema() -> None:
        """Print the JSON Schema of rule files, by which editors complete and check them.

        Example: bellwether rules schema > bellwether-rules.schema.json
        """
        from streams.alerts.rules.schema import rule_file_schema

        typer.echo(json.dumps(rule_file_schema(), indent=2, ensure_ascii=False))


def _read(file: Path) -> RuleSet:
    """The rules of `file`; a broken one ends the command with a line for every problem."""
    from streams.alerts.rules.problems import RuleFileError
    from streams.alerts.rules.reading import read_rules

    try:
        return read_rules(file)
    except RuleFileError as error:
        for line in error.lines:
            typer.echo(line, err=True)
        raise typer.Exit(2) from None


def _check_channels(found: RuleSet, webhook: WebhookSettings) -> list[str]:
    """Environment variables that the channels want and that are not set here. A channel that cannot be used ends the command."""
    from streams.delivery.channels import read_channels

    names = sorted(set(_variables(list(found.channels.values()))))
    # The machine that checks a file need not know the secrets: something in their place shows whether the rest is right.
    environ = {name: os.environ.get(name) or "https://set.invalid/" for name in names}
    try:
        read_channels(found.channels, webhook, environ)
    except SettingsError as error:
        typer.echo(f"{found.source}: {error.message}" + (f"; {error.mend}" if error.mend else ""), err=True)
        raise typer.Exit(2) from None
    return [name for name in names if not os.environ.get(name)]


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:")
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _variables(inner)


def _one(found: RuleSet, name: str) -> Rule:
    for rule in found.rules:
        if rule.name == name:
            return rule
    raise SettingsError(f"{found.source}: there is no rule {name}", mend=f"one of {', '.join(rule.name for rule in found.rules)}")


def _gazetteer_file(given: Path | None) -> Path:
    from streams.enrich.entities import DEFAULT_GAZETTEER

    return given or DEFAULT_GAZETTEER


def _entities(given: Path | None) -> frozenset[str]:
    from streams.alerts.rules.doubts import known_entities

    return known_entities(_gazetteer_file(given))


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _table(rules: tuple[Rule, ...], source: str) -> Table:
    from streams.alerts.rules.listing import describe_detector, describe_watch

    table = Table(
        Column("rule", no_wrap=True), "watches", "one alert for each", "judges", "severity", "channels", title=f"Rules of {source}"
    )
    for rule in rules:
        table.add_row(
            escape(rule.name) if rule.enabled else f"[dim]{escape(rule.name)} (off)[/]",
            escape(describe_watch(rule.watch)),
            " × ".join(rule.group_by) or "everything",
            describe_detector(rule),
            rule.severity,
            ", ".join(rule.channels) or "default",
        )
    return table


def _print_trial(console: Console, trial: Trial) -> None:
    title = trial.sighting.title or trial.sighting.text
    console.print(f"[bold]{escape(title[:100])}[/]")
    for depth, finding in trial.finding.lines():
        console.print(f"{'  ' * depth}{'[green]✓[/]' if finding.matched else '[red]✗[/]'} {finding.part}" + _detail(finding))
    if trial.keys:
        console.print("counts for " + ", ".join(f"[bold]{escape(str(key))}[/] ({escape(key.name)})" for key in trial.keys))
    else:
        console.print(f"counts for nothing: {escape(trial.why_not)}")


def _detail(finding: Finding) -> str:
    return f" [dim]{escape(finding.detail)}[/]" if finding.detail else ""


def _as_json(trial: Trial) -> dict[str, Any]:
    return {
        "title": trial.sighting.title,
        "matched": trial.finding.matched,
        "keys": [str(key) for key in trial.keys],
        "why_not": trial.why_not,
        "conditions": [
            {"depth": depth, "part": finding.part, "matched": finding.matched, "detail": finding.detail}
            for depth, finding in trial.finding.lines()
        ],
    }
