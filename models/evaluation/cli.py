"""``bellwether models evaluate``: a model on the benchmarks, or on anybody's labelled text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.command_line import errors, reported
from models.data import find_data
from models.errors import ModelError
from models.progress import shown_progress

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def evaluate(
        model: Annotated[Path | None, typer.Argument(help="Model folder; the one that is shipped by default.")] = None,
        data: Annotated[
            Path | None,
            typer.Option("--data", help="Folder with benchmark/, or any folder or file of JSON lines; ../shared/data by default."),
        ] = None,
        artifact: Annotated[Path | None, typer.Option("--artifact", help="The same as MODEL.")] = None,
        task: Annotated[str | None, typer.Option(help="sentiment, topic or event; by default what the labels of each set say.")] = None,
        targets: Annotated[str, typer.Option(help="Of a text with several targets score the whole text, or the target's clause.")] = "text",
        limit: Annotated[int, typer.Option(help="Rows a set and language at most; 0 for all.", min=0)] = 0,
        write: Annotated[bool, typer.Option("--write", help="Keep the report as evaluation.json in the model folder.")] = False,
        teacher_of: Annotated[
            Path | None, typer.Option("--teacher-of", help="Keep the report as teacher.json in this model folder, for its card.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
        plot: Annotated[Path | None, typer.Option(help="Draw reliability and risk-coverage curves: a .svg, .png or .pdf.")] = None,
        against: Annotated[Path | None, typer.Option(help="Another model folder, compared on the same texts by paired bootstrap.")] = None,
    ) -> None:
        """Measure a model by task, set and language: accuracy, F1, calibration, confusion and selective risk.

        Your own text: JSON lines with text and label, and where known lang, source and target; labels are the classes' names, those of an
        adapted model too, or common words for them.

        Example: bellwether models evaluate my-model --data my-texts --plot curves.svg
        """
        from models.evaluation.comparison import compare
        from models.evaluation.measuring import known_classes, score_sets, summarise
        from models.evaluation.picture import draw
        from models.evaluation.report import to_json, to_markdown

        with reported(), shown_progress(errors) as show:
            root = _one(model, artifact)
            _check(plot, teacher_of)
            loaded = load_artifact(root)
            loaded.verify()
            other = None if against is None else load_artifact(against)
            if other is not None:
                other.verify()
            texts = find_data() if data is None else data
            classes = known_classes(loaded) if other is None else known_classes(loaded, other)
            scored = score_sets(loaded, texts, limit=limit or None, progress=show, task=task, targets=targets, classes=classes)
            report = summarise(loaded, scored, limit or None)
            for folder, name in ((root if write else None, "evaluation.json"), (teacher_of, "teacher.json")):
                if folder is not None:
                    _keep(folder / name, to_json(report))
            typer.echo(to_json(report) if as_json else to_markdown(report))
            if plot is not None:
                draw(report, plot)
            if other is not None:

                def shown(name: str, done: int, total: int) -> None:
                    show(f"{name}, the other model", done, total)

                before = score_sets(other, texts, limit=limit or None, progress=shown, task=task, targets=targets, classes=classes)
                typer.echo(compare((other.model_id, before), (loaded.model_id, scored)).to_markdown())


def _check(plot: Path | None, teacher_of: Path | None) -> None:
    """Fail before the minutes of measuring, not after them."""
    from models.evaluation.picture import demand_picture

    if plot is not None:
        demand_picture(plot)
        if not plot.parent.is_dir():
            raise ModelError(f"{plot} cannot be written: no such folder", mend="name a file in a folder that you may write to")
    if teacher_of is not None:
        load_artifact(teacher_of)


def _keep(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}", mend="name a folder that you may write to") from error


def _one(model: Path | None, artifact: Path | None) -> Path:
    if model is not None and artifact is not None and model != artifact:
        raise ModelError(f"two models to measure: {model} and {artifact}", mend="give one; --against compares with another")
    return model or artifact or DEFAULT_ARTIFACT
