"""Distillation: a shallow student learns its teacher's answers and pooled states beside the labels.

The losses are those of DistilBERT (Sanh et al. 2019, arXiv:1910.01108), with the pooled states of whole texts in place of those of
tokens (Sun et al. 2019, arXiv:1908.09355): the heads see nothing else. The lower layers stay the teacher's, so their states come from
the store of activations, and the teacher is asked about each text once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.calibration.temperature import expected_calibration_error, fit_temperature, softmax
from models.encoder.restoration import Restored, restore
from models.encoder.trimmed import Encoder
from models.errors import ModelError, require
from models.evaluation.metrics import dev_score
from models.export.writing import write_artifact
from models.inference import Runner
from models.progress import Progress
from models.students.student import Distillation, shallow
from models.students.teacher import TeacherAnswers, teacher_answers
from models.texts.mixture import Lesson, Lessons, Mixture, read_lessons
from models.training.activations import ActivationStore, states_model
from models.training.finetuning import FineTuner
from models.training.methods import Methods
from models.training.network import Network

__all__ = ["Distiller", "StudentReport", "distill", "distiller", "soft_loss"]


def soft_loss(logits: Any, taught: Any, softness: float) -> Any:
    """Kullback-Leibler divergence of each row of ``logits`` ``[n, classes]`` from ``taught``, both at temperature ``softness``.

    Multiplied by the square of ``softness``, so that its gradients keep their size (Hinton et al. 2015, arXiv:1503.02531).
    """
    torch = require("torch")
    ours, theirs = (torch.log_softmax(values / softness, 1) for values in (logits, taught))
    return softness**2 * torch.nn.functional.kl_div(ours, theirs, log_target=True, reduction="none").sum(1)


class _SameTexts(Mixture):
    """The first ``texts`` lessons of the first pass and ``streams``, texts without a label, pass after pass, in ever new order: those the
    teacher was asked about."""

    def __init__(self, lessons: Lessons, chosen: Distillation, streams: Sequence[str] = ()) -> None:
        super().__init__(lessons, chosen.mixing, chosen.seed)
        self.texts, self.streams = chosen.texts, [Lesson(text, "und", "stream", {}) for text in streams]

    def of_pass(self, number: int) -> list[Lesson]:
        lessons = [*super().of_pass(0)[: self.texts], *self.streams]
        if number == 0 and not self.streams:
            return lessons
        return [lessons[row] for row in np.random.default_rng((self.seed, number)).permutation(len(lessons))]


class Distiller(FineTuner):
    """A :class:`models.training.finetuning.FineTuner` whose lessons are also answered by the teacher; checkpoints and resume are the same.

    Args:
        answers: of the teacher, to the first ``texts`` lessons and to ``streams``.
        streams: texts without a label.
    """

    chosen: Distillation

    def __init__(
        self,
        network: Network,
        store: ActivationStore,
        lessons: Lessons,
        chosen: Distillation,
        folder: Path,
        answers: TeacherAnswers,
        streams: Sequence[str] = (),
    ) -> None:
        if chosen.methods != Methods(precision=chosen.methods.precision):
            raise ModelError("a student's run has no [methods] but precision", mend="leave them out, or give them to its teacher")
        super().__init__(network, store, lessons, chosen, folder)
        self.mixture = _SameTexts(lessons, chosen, streams)
        self.answers = answers
        trained = range(chosen.frozen + 1, chosen.layers + 1)
        pairs = {ours: theirs for ours, theirs in zip(trained, chosen.drawn, strict=True) if theirs in answers.layers}
        #: Places of the student's pooled states in its features, with the teacher's layer and the deviation of its states.
        self._drawn = [
            (chosen.feature_layers.index(ours) * network.hidden, theirs, self._here(answers.deviation(theirs)))
            for ours, theirs in pairs.items()
            if ours in chosen.feature_layers
        ]

    def _here(self, values: NDArray[np.float32]) -> Any:
        """``values`` as a tensor where the network is."""
        return self.mixed.place(self._torch.from_numpy(values))

    def _accumulate(self, batches: Sequence[Sequence[Lesson]]) -> float:
        rows = sum(map(len, batches))
        total = 0.0
        for lessons in batches:
            loss = self._objective(lessons) / rows
            self.mixed.backward(loss)
            total += float(loss.detach())
        self._advance()
        return total

    def _objective(self, lessons: Sequence[Lesson]) -> Any:
        """The three losses, summed over ``lessons``."""
        chosen = self.chosen
        texts = [lesson.text for lesson in lessons]
        features = self._features(lessons)
        logits = self.network.logits(features, dropout=chosen.optimisation.dropout, samples=chosen.optimisation.samples)
        loss = self._here(np.zeros((), np.float32))
        for task, theirs in self.answers.logits(texts).items():
            factor = chosen.optimisation.tasks.get(task, 1.0)
            loss = loss + chosen.soft * factor * soft_loss(logits[task], self._here(theirs), chosen.softness).sum()
        for task in self.tasks:
            loss = loss + chosen.gold * self._loss(task, logits[task], lessons)
        for place, layer, deviation in self._drawn:
            apart = (features[:, place : place + self.network.hidden] - self._here(self.answers.pooled(texts, layer))) / deviation
            loss = loss + chosen.hidden * apart.square().mean(1).sum()
        return loss


@dataclass(frozen=True)
class StudentReport:
    """``score`` of the int8 student and ``teacher`` on the same dev rows (as :func:`models.evaluation.metrics.dev_score`), in percent.

    ``agreement``: share of dev texts, labelled or not, that both give the same class.
    """

    score: float
    teacher: float
    agreement: float
    temperature: float
    ece_before: float
    ece_after: float
    rows_dev: int


@contextmanager
def distiller(
    data: Path, teacher: Restored, cache: Path, run: Path, chosen: Distillation, progress: Progress, streams: Sequence[str] = ()
) -> Iterator[tuple[Distiller, Encoder]]:
    """A distiller in ``run``, at its last checkpoint or at the start, with the student's untrained encoder.

    ``streams``: texts without a label that teach too.

    Raises:
        ModelError: the extra ``train`` is missing, a label is unknown, ``run`` holds another run, or the teacher has not the layers.
    """
    torch = require("torch")
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    student = shallow(teacher.encoder, chosen.frozen, chosen.begin)
    progress("reading the labelled text", 0, 1)
    lessons = read_lessons(data, chosen.mixing, chosen.watch.rows)
    texts = [lesson.text for lesson in _SameTexts(lessons, chosen, streams).of_pass(0)]
    answers = teacher_answers(teacher, texts, cache, max_length=chosen.train_length, progress=progress)
    graph = cache / "encoder" / f"states-{chosen.frozen}.onnx"
    key = hashlib.sha256(f"{states_model(student, chosen.frozen, graph)} {chosen.train_length}".encode()).hexdigest()[:16]
    heads = {task: head.bias.size for task, head in teacher.heads.items()}
    network = Network(student.tensors, student.config, frozen=chosen.frozen, feature_layers=chosen.feature_layers, heads=heads)
    with (
        Runner(graph, student.tokenizer_path, max_length=chosen.train_length) as runner,
        ActivationStore(cache / "activations" / key, runner, network.hidden) as store,
    ):
        progress("fitting the first heads", 0, 1)
        yield Distiller(network, store, lessons, chosen, run, answers, streams), student


def _reports(
    student: Restored, teacher: Restored, lessons: Lessons, cache: Path, chosen: Distillation, progress: Progress
) -> dict[str, StudentReport]:
    """Both int8 graphs on the dev rows, at the length of serving."""
    texts = [lesson.text for lesson in lessons.dev]
    both = [teacher_answers(one, texts, cache, max_length=chosen.max_length, progress=progress).logits(texts) for one in (student, teacher)]
    reports = {}
    for task, ours in both[0].items():
        theirs = both[1][task]
        rows, examples = lessons.dev_examples(task)
        labels = np.array([example.targets[0] for example in examples])
        temperature = fit_temperature(ours[rows], labels)
        reports[task] = StudentReport(
            score=round(dev_score(task, ours[rows], examples), 2),
            teacher=round(dev_score(task, theirs[rows], examples), 2),
            agreement=round(float((ours.argmax(1) == theirs.argmax(1)).mean()), 4),
            temperature=round(temperature, 4),
            ece_before=_calibration_error(ours[rows], labels),
            ece_after=_calibration_error(ours[rows] / np.float32(temperature), labels),
            rows_dev=len(rows),
        )
    return reports


def _calibration_error(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return round(expected_calibration_error(softmax(logits), labels), 4)


def distill(
    data: Path,
    teacher: Artifact,
    root: Path,
    cache: Path,
    run: Path,
    chosen: Distillation,
    progress: Progress,
    streams: Sequence[str] = (),
) -> tuple[Artifact, dict[str, StudentReport]]:
    """Distil ``teacher`` on ``data/train`` and ``streams``, texts without a label, in the folder ``run``, and write the artifact of the
    best weights to ``root``.

    A run that was interrupted goes on at its last checkpoint; one that is finished is only exported.

    Raises:
        ModelError: see :func:`distiller`; or ``root`` is the teacher's own folder.
    """
    if root.resolve() == teacher.root.resolve():
        raise ModelError(f"{root} is the teacher's own folder", mend="give another folder with --artifact")
    chosen = dataclasses.replace(chosen, max_length=teacher.max_length)
    restored = restore(teacher)
    with distiller(data, restored, cache, run, chosen, progress, streams) as (tuner, untrained):
        history = tuner.run(progress)
        best = tuner.best()
        heads, lessons = tuner.network.heads(best), tuner.lessons
        student = dataclasses.replace(untrained, tensors={**untrained.tensors, **tuner.network.tensors(best)})
    made = Restored(student, chosen.feature_layers, heads)
    reports = _reports(made, restored, lessons, cache, chosen, progress)
    artifact = write_artifact(
        root,
        student,
        chosen.feature_layers,
        heads,
        version=chosen.version,
        temperatures={task: report.temperature for task, report in reports.items()},
        max_length=teacher.max_length,
        prefix=teacher.prefix,
        languages=teacher.languages,
        provenance={"teacher": teacher.model_id, "sha256:teacher": teacher.sha256["model.onnx"]},
    )
    _record(root / "training.json", teacher, chosen, reports, [asdict(score) for score in history])
    progress("done", 1, 1)
    return artifact, reports


def _record(
    path: Path, teacher: Artifact, chosen: Distillation, reports: Mapping[str, StudentReport], history: list[dict[str, Any]]
) -> None:
    record = {
        "teacher": teacher.model_id,
        "recipe": asdict(dataclasses.replace(chosen, model=teacher.model_id)),
        "heads": {task: asdict(report) for task, report in reports.items()},
        "history": history,
    }
    path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
