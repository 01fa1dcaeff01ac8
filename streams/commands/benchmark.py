"""``bellwether benchmark``: the alert engine on made-up streams with known incidents, and on public series."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

if TYPE_CHECKING:
    from streams.alerts.benchmark.tables import Table

__all__ = ["register"]

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Tables for a page.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Measure alert rules: made-up streams with known incidents, and public series.")
    app.add_typer(group, name="benchmark")

    @group.command()
    def standard(
        rules: Annotated[
            list[Path] | None, typer.Argument(metavar="[RULES]...", help="Rule files; absent: the shipped ones and ElastAlert2's spike.")
        ] = None,
        seeds: Annotated[list[int] | None, typer.Option("--seeds", help="Seeds of the streams; may be given several times.")] = None,
        small: Annotated[bool, typer.Option("--small", help="A small stream, to try it.")] = False,
        picture: Annotated[
            Path | None, typer.Option("--picture", help="Draw some incidents with the alerts of each file: .svg or .png.")
        ] = None,
        as_json: Json = False,
        as_markdown: Markdown = False,
    ) -> None:
        """Recall, precision, time to detect and false alerts on made-up streams.

        Example: bellwether benchmark standard --seeds 1 --seeds 2
        """
        from streams.alerts.backtest.run import Run, run
        from streams.alerts.benchmark import plan
        from streams.alerts.benchmark.generator import Stream
        from streams.alerts.benchmark.measuring import Outcome, judge, pool
        from streams.alerts.benchmark.picture import draw
        from streams.alerts.benchmark.tables import standard_tables
        from streams.alerts.rules.reading import read_rules

        shipped = Path(plan.__file__).parent
        sets = [read_rules(path) for path in rules or (shipped / "standard.yaml", shipped / "spike.yaml")]
        outcomes: list[list[Outcome]] = [[] for _ in sets]
        console = Console(stderr=True)
        for seed in seeds or [1]:
            stream = Stream.generate(plan.small() if small else plan.standard(), seed)
            sightings = list(stream.sightings())
            runs: list[Run] = []
            for place, one in enumerate(sets):
                with console.status(f"{Path(one.source).name} on stream {seed}: {len(sightings):,} documents"):
                    runs.append(run(one, sightings))
                outcomes[place].append(judge(stream, one, runs[-1]))
            if picture is not None and seed == (seeds or [1])[0]:
                draw(picture, stream, sightings, [(Path(one.source).stem, done) for one, done in zip(sets, runs, strict=True)])
        tables = standard_tables([pool(of_one) for of_one in outcomes])
        _show(tables, {"seeds": seeds or [1]}, as_json=as_json, as_markdown=as_markdown)

    @group.command()
    def nab(
        data: Annotated[Path, typer.Argument(metavar="FOLDER", help="NAB's CSV files, combined_windows*.json and profiles.json.")],
        profile: Annotated[str, typer.Option("--profile", help="NAB's profile.")] = "standard",
        rule: Annotated[
            Path | None, typer.Option("--rule", help="A rule file whose first rule is measured; absent: the shipped one.")
        ] = None,
        sensitivity: Annotated[bool, typer.Option("--sensitivity", help="Also with other parameters, and chosen on other series.")] = False,
        as_json: Json = False,
        as_markdown: Markdown = False,
    ) -> None:
        """The score of the Numenta Anomaly Benchmark, beside detectors whose scores are published.

        Example: bellwether benchmark nab NAB/tweets --sensitivity
        """
        from streams.alerts.benchmark.nab.measuring import measure
        from streams.alerts.benchmark.tables import nab_tables

        report = measure(data, profile, rule=rule, wide=sensitivity)
        _show(nab_tables(report), {"profile": profile}, as_json=as_json, as_markdown=as_markdown)

    @group.command()
    def bankruptcies(
        data: Annotated[Path, typer.Argument(metavar="FILE", help="bankruptcy_mentions.csv.gz: company, date, freq, Date of Bankruptcy.")],
        once_in: Annotated[int, typer.Option("--once-in", min=1, help="Return period in days.")] = 30,
        as_json: Json = False,
        as_markdown: Markdown = False,
    ) -> None:
        """When does a volume rule speak around real bankruptcies?

        Example: bellwether benchmark bankruptcies bankruptcy_mentions.csv.gz
        """
        from datetime import timedelta

        from streams.alerts.benchmark.bankruptcies import judge, read_bankruptcies
        from streams.alerts.benchmark.tables import bankruptcy_tables
        from streams.alerts.detectors.return_period import ReturnPeriod
        from streams.alerts.rules.detectors import ReturnPeriodSpec

        detector = ReturnPeriod(ReturnPeriodSpec(type="return_period", once_in=timedelta(days=once_in)), "documents")
        found = [judge(company, detector) for company in read_bankruptcies(data)]
        _show(bankruptcy_tables(found), {"once_in": once_in}, as_json=as_json, as_markdown=as_markdown)


def _show(tables: Sequence[Table], about: dict[str, Any], *, as_json: bool, as_markdown: bool) -> None:
    from streams.alerts.benchmark.tables import markdown

    if as_json:
        typer.echo(
            json.dumps(
                about
                | {"tables": [{"title": one.title, "rows": [dict(zip(one.head, row, strict=True)) for row in one.rows]} for one in tables]}
            )
        )
        return
    if as_markdown:
        typer.echo(markdown(tables))
        return
    console = Console()
    for one in tables:
        grid = Grid(title=one.title, title_justify="left")
        for place, name in enumerate(one.head):
            grid.add_column(name, justify="left" if place == 0 else "right")
        for row in one.rows:
            grid.add_row(*row)
        console.print(grid)
