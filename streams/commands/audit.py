"""``bellwether audit``: prove that nothing was lost."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from streams.commands.options import Config, Data, Set, read_settings
from streams.commands.running import need_somewhere

if TYPE_CHECKING:
    from streams.audit import AuditReport
    from streams.settings import Settings

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def audit(
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
        data: Data = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Follow every raw document to its end: indexed, duplicate, dead-lettered or filtered. Exit 1 if one has none.

        Of the embedded mode it reads the journal on the data folder, which need not be running; otherwise the configured
        Kafka and Elasticsearch. Documents still under way count as missing.

        Example: bellwether audit --json
        """
        settings = read_settings(config, set_, embedded={"data": data})
        report = _of_journal(settings) or asyncio.run(_of_topics(need_somewhere(settings)))
        if as_json:
            typer.echo(json.dumps(report.to_json()))
        else:
            table = Table("documents", "", title="Audit")
            for name in ("produced", "indexed", "duplicates", "dead", "filtered", "lost"):
                table.add_row(name, f"{getattr(report, name):,}")
            Console().print(table)
            for origin in report.missing:
                typer.echo(f"no end: {origin}")
        if not report.balanced:
            raise typer.Exit(1)


async def _of_topics(settings: Settings) -> AuditReport:
    from streams.audit import audit_topics

    return await audit_topics(settings)


def _of_journal(settings: Settings) -> AuditReport | None:
    """The audit of the journal on the data folder; None where Kafka was configured or there is no journal."""
    from streams.audit import MISSING_SHOWN, AuditReport
    from streams.embedded.adapters import journal_origin
    from streams.embedded.journal import Journal

    path = settings.embedded.data / "journal.db"
    if "bootstrap_servers" in settings.kafka.model_fields_set or not path.exists():
        return None
    journal = Journal(path)
    try:
        counts = journal.counts()
        return AuditReport(
            produced=counts.produced,
            indexed=counts.indexed,
            duplicates=counts.duplicates,
            dead=counts.dead,
            filtered=counts.filtered,
            lost=counts.pending,
            missing=[journal_origin(seq) for seq, _ in journal.pending(0, MISSING_SHOWN)],
        )
    finally:
        journal.close()
