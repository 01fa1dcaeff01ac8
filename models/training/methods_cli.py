"""``bellwether models ablate`` and ``bellwether models average``: what a technique is worth, and one model out of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.command_line import console, errors, reported
from models.data import find_data
from models.encoder.pretrained import cache_folder
from models.progress import shown_progress
from models.training.configuration import read_configuration

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""

    @app.command()
    def ablate(
        config: Annotated[Path, typer.Argument(help="TOML file of the small run that is varied, without a section methods.")],
        data: Annotated[Path | None, typer.Option("--data", help="Folder with train/; ../shared/data by default.")] = None,
        cache: Annotated[Path | None, typer.Option("--cache", help="Cache folder; $BELLWETHER_CACHE or ~/.cache/bellwether.")] = None,
        only: Annotated[list[str] | None, typer.Option("--only", help="Name of a variant; repeat it for several. All by default.")] = None,
        seeds: Annotated[int, typer.Option(help="Runs of each variant.", min=1)] = 2,
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the runs; results there are kept and not made again.")] = Path(
            "ablation"
        ),
    ) -> None:
        """Run each technique of the section methods once with each seed, and show what it changes on dev and what it costs.

        Example: bellwether models ablate models/configs/ablation.toml --only contrastive --only lora
        """
        from models.training.ablation import VARIANTS, ablate, table

        with reported(), shown_progress(errors) as show:
            base = read_configuration(config)
            chosen = [base.seed + number for number in range(seeds)]
            results = ablate(find_data(data), cache or cache_folder(), out, base, only or list(VARIANTS), chosen, show)
        typer.echo(table(results), nl=False)

    @app.command()
    def average(
        runs: Annotated[list[Path], typer.Argument(help="Run folders of `bellwether models train`, two or more.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to write; it must not be there yet.")],
    ) -> None:
        """Average the best weights of several runs into one run folder, which the train command then exports.

        Example: bellwether models average runs/first runs/second --out runs/soup
        """
        from models.training.ensembling import average_runs

        with reported():
            tensors = average_runs(runs, out)
        console.print(f"{tensors} tensors in {out}", soft_wrap=True, highlight=False)
