"""``bellwether models cascade``: put cheap models before the encoder, choose when they may answer, and draw what that costs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from models.artifact import Artifact, load_artifact
from models.command_line import console, errors, reported
from models.data import find_data
from models.errors import ModelError
from models.progress import shown_progress
from models.students.cli import DataOption

__all__ = ["register"]


def _student_file(student: Path, artifact: Artifact) -> Path:
    """The graph of ``student`` in the folder of ``artifact``, with the weights that both have taken from there."""
    from models.students.sharing import share_weights

    loaded = load_artifact(student)
    loaded.verify()
    same = ("sentiment_labels", "topic_labels", "max_length", "prefix")
    other = [name for name in same if getattr(loaded, name) != getattr(artifact, name)]
    if loaded.sha256["tokenizer.json"] != artifact.sha256["tokenizer.json"]:
        other.append("tokenizer")
    if other:
        raise ModelError(f"{student} has another {', '.join(other)} than {artifact.root}", mend="give a student distilled from this model")
    target = artifact.root / f"{student.resolve().name}.onnx"
    if target == artifact.onnx_path:
        raise ModelError(f"a student's folder must not be named {student.name}", mend="rename it, e.g. student-6")
    share_weights(loaded.onnx_path, artifact.onnx_path, target)
    return target


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def cascade(
        artifact: Annotated[Path, typer.Argument(help="Model folder of the encoder; with static.npz if that is to be a stage.")],
        student: Annotated[list[Path] | None, typer.Option(help="Model folder of a student, cheapest first; may be repeated.")] = None,
        data: DataOption = None,
        lost: Annotated[float, typer.Option(help="Points of macro-F1 that may be lost, sentiment and topic each.", min=0)] = 0.5,
        rows: Annotated[int, typer.Option(help="Dev rows of a labelled set of the mix, at most.", min=10)] = 2_000,
        unlabelled: Annotated[int, typer.Option(help="Stream texts from which it learns when to ask the encoder.", min=0)] = 8_000,
        other_half: Annotated[
            bool, typer.Option("--other-half", help="Choose on the labelled rows otherwise reported on, and report on the others.")
        ] = False,
        timed: Annotated[int, typer.Option(help="Texts that speed is measured on.", min=50)] = 1_200,
        rounds: Annotated[int, typer.Option(help="Speed is the best of so many.", min=1)] = 3,
        threads: Annotated[int, typer.Option(help="Processor threads; 0 for all.", min=0)] = 0,
        picture: Annotated[Path | None, typer.Option(help="Draw docs/s against macro-F1 to this .svg or .png.")] = None,
        table: Annotated[Path | None, typer.Option(help="Write the table to this Markdown file too.")] = None,
    ) -> None:
        """Fit a cascade on the news-like mix, write its cascade.json into the model folder, and report docs/s and macro-F1.

        Example: bellwether models cascade my-model --student my-student --picture cascade.svg
        """
        from models.cascade.measuring import StageFile, build_cascade
        from models.cascade.mix import STREAMS, news_mix
        from models.cascade.plan import PLAN, STATIC, VERSION
        from models.cascade.report import FORMATS, draw, facts, to_markdown

        with reported(), shown_progress(errors) as show:
            for out in (picture, table):
                if out is not None and not out.parent.is_dir():
                    raise ModelError(f"{out} cannot be written: no such folder", mend="name a file in a folder that you may write to")
            if picture is not None and picture.suffix not in FORMATS:
                raise ModelError(f"{picture} is neither .svg nor .png", mend="--picture cascade.svg")
            loaded = load_artifact(artifact)
            files = [StageFile("static", artifact / STATIC)] if (artifact / STATIC).is_file() else []
            files += [StageFile(folder.resolve().name, _student_file(folder, loaded)) for folder in student or []]
            if not files:
                mend = "give a --student, or train static.npz with `bellwether models static`"
                raise ModelError(f"there is nothing to put before the encoder of {artifact}", mend=mend)
            show("reading the news-like mix", 0, 1)
            choosing = -(-unlabelled // len(STREAMS))
            reporting = max(1, timed // len(STREAMS))
            mix = news_mix(find_data(data), rows=rows, stream_rows=reporting, choosing_rows=choosing, other_half=other_half)
            plan, report = build_cascade(loaded, files, mix, most=lost, timed=timed, rounds=rounds, threads=threads, progress=show)
            content = {"version": VERSION, **asdict(plan), "measured": report.to_json()}
            (artifact / PLAN).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            if picture is not None:
                draw(picture, report)
            if table is not None:
                table.write_text(f"{to_markdown(report)}\n{facts(report)}", encoding="utf-8")
        typer.echo(f"{to_markdown(report)}\n{facts(report)}")
        told = ", ".join(f"{task} {points:+.2f}" for task, points in report.chosen.lost.items())
        console.print(f"{report.faster:.1f} times the encoder; points lost on held-out rows: {told}", highlight=False, soft_wrap=True)
        console.print(str(artifact / PLAN), soft_wrap=True, highlight=False)
