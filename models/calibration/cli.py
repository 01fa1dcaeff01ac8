"""``bellwether models calibrate``: temperatures by language group, and when to say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.command_line import console, errors, reported
from models.data import find_data
from models.progress import shown_progress

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def calibrate(
        artifact: Annotated[Path, typer.Option("--artifact", help="Model folder; calibration.json is written into it.")] = DEFAULT_ARTIFACT,
        data: Annotated[Path | None, typer.Option("--data", help="Folder with train/; ../shared/data by default.")] = None,
        target_risk: Annotated[float, typer.Option(help="Most wrong answers among those given, as a share.", min=0.01, max=0.99)] = 0.35,
        limit: Annotated[int, typer.Option(help="Dev rows a set and language, sentiment; a third for topic and event.", min=10)] = 300,
    ) -> None:
        """Fit temperatures by language group and thresholds by language, on dev rows of the train sets, and say which languages hold.

        Example: bellwether models calibrate --artifact my-model --data ../shared/data
        """
        from models.calibration.fitting import Rules, write_calibration
        from models.calibration.fitting import calibrate as fit

        with reported(), shown_progress(errors) as show:
            loaded = load_artifact(artifact)
            limits = {"sentiment": limit, "topic": max(10, limit // 3), "event": max(10, limit // 3)}
            found = fit(loaded, find_data(data), limits=limits, rules=Rules(target_risk=target_risk), progress=show)
            write_calibration(loaded, found)
        for task, head in found.heads.items():
            groups = ", ".join(f"{group} {value:.2f}" for group, value in head.groups.items())
            console.print(f"{task}: temperature {head.temperature:.2f}; {groups}", highlight=False, soft_wrap=True)
            languages = f"{len(head.vouched)} of {len(head.languages)} languages measured"
            console.print(f"{task}: vouched for in {languages}: {' '.join(head.vouched)}", highlight=False, soft_wrap=True)
        console.print(str(loaded.calibration_path), highlight=False, soft_wrap=True)
