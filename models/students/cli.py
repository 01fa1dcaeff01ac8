"""``bellwether models distill`` and ``bellwether models static``: students of a model, and the static first stage of its cascade."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.command_line import CacheOption, console, errors, reported
from models.data import find_data
from models.encoder.pretrained import cache_folder
from models.progress import shown_progress

__all__ = ["DataOption", "register"]


DataOption = Annotated[Path | None, typer.Option("--data", help="Folder with train/ and streams/; ../shared/data by default.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""

    @app.command()
    def distill(
        config: Annotated[Path, typer.Argument(help="TOML file of a student, e.g. models/configs/student-6.toml.")],
        artifact: Annotated[Path, typer.Option("--artifact", help="Folder the student is written to.")],
        teacher: Annotated[Path, typer.Option(help="Model folder of the teacher.")] = DEFAULT_ARTIFACT,
        data: DataOption = None,
        cache: CacheOption = None,
        run: Annotated[Path | None, typer.Option(help="Folder of the run's checkpoints; runs/NAME in the cache by default.")] = None,
        steps: Annotated[int | None, typer.Option(help="End the training after this many steps instead of CONFIG's.", min=1)] = None,
        version: Annotated[str | None, typer.Option(help="Version in the model id.")] = None,
    ) -> None:
        """Distil a shallow student from a model; a broken run resumes where it was.

        Example: bellwether models distill models/configs/student-6.toml --artifact my-student
        """
        from models.cascade.mix import teaching_texts
        from models.students.distillation import distill as run_distillation
        from models.students.student import read_distillation

        with reported(), shown_progress(errors) as show:
            chosen = read_distillation(config, steps=steps, version=version)
            place = cache or cache_folder()
            folder = run or place / "runs" / config.stem
            text, loaded = find_data(data), load_artifact(teacher)
            streams = teaching_texts(text, chosen.streams)
            made, reports = run_distillation(text, loaded, artifact, place, folder, chosen, show, streams)
        for task, report in reports.items():
            told = f"{task}: dev score {report.score}, the teacher {report.teacher}; same answer {100 * report.agreement:.1f} %"
            console.print(f"{told}, calibration error {report.ece_before} -> {report.ece_after}", highlight=False)
        console.print(f"{made.model_id} in {made.root}", soft_wrap=True, highlight=False)

    @app.command()
    def static(
        config: Annotated[Path, typer.Argument(help="TOML file of a static model, e.g. models/configs/student-static.toml.")],
        artifact: Annotated[Path, typer.Option("--artifact", help="Model folder of the teacher; the static model is written there.")],
        data: DataOption = None,
        cache: CacheOption = None,
    ) -> None:
        """Train the first stage of a cascade, static vectors and a small network, beside its teacher.

        Example: bellwether models static models/configs/student-static.toml --artifact my-model
        """
        from models.cascade.mix import teaching_texts
        from models.cascade.plan import STATIC
        from models.encoder.restoration import restore
        from models.inference import Runner
        from models.students.static_training import lessons_of, read_static_training, train_static
        from models.students.teacher import teacher_answers
        from models.texts.mixture import read_lessons

        with reported(), shown_progress(errors) as show:
            chosen = read_static_training(config)
            loaded = load_artifact(artifact)
            show("reading the labelled text", 0, 1)
            lessons = read_lessons(find_data(data), chosen.mixing, chosen.watch)
            streams = teaching_texts(find_data(data), chosen.streams)
            restored = restore(loaded)
            texts = [lesson.text for lesson in lessons_of(lessons, chosen, streams)[0]]
            answers = teacher_answers(restored, texts, cache or cache_folder(), max_length=chosen.train_length, progress=show)
            words = restored.encoder.tensors["embeddings.word_embeddings.weight"]
            with Runner(loaded.onnx_path, loaded.tokenizer_path, max_length=loaded.max_length, prefix=loaded.prefix) as runner:
                model, scores = train_static(lessons, runner.tokenize, words, answers, chosen, show, streams)
            model.save(artifact / STATIC)
            record = {"recipe": asdict(chosen), "heads": {task: asdict(score) for task, score in scores.items()}}
            (artifact / STATIC).with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        for task, score in scores.items():
            console.print(f"{task}: dev score {score.score} on {score.rows_dev} rows", highlight=False)
        size = (artifact / STATIC).stat().st_size / 1e6
        console.print(f"{artifact / STATIC}, {size:.1f} MB", soft_wrap=True, highlight=False)
