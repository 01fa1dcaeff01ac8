"""Training of the static first stage: labels of many texts, and the teacher's answers and embeddings of some of them."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibration.temperature import fit_temperature
from models.data import LABELS
from models.encoder.quantization import quantize_rows
from models.errors import ModelError, require
from models.evaluation.metrics import dev_score
from models.progress import Progress
from models.students.distillation import soft_loss
from models.students.static_model import Bags, StaticModel, bags
from models.students.teacher import TeacherAnswers
from models.texts.mixture import Lesson, Lessons, Mixture, Targets, class_factors, targets
from models.training.configuration import Mixing, read_section
from models.training.heads import Head
from models.training.network import masked_loss

__all__ = ["StaticScore", "StaticTraining", "lessons_of", "read_static_training", "start_table", "train_static"]


@dataclass(frozen=True)
class StaticTraining:
    """``width`` of a vector, ``buckets`` for pairs, ``inner`` units of the hidden layer.

    ``texts``: of a pass over ``mixing``, those the teacher is asked about, as in :class:`models.students.student.Distillation`;
    ``labelled``: texts of one pass in all, the others taught by their labels alone. ``streams``: texts without label that the teacher is
    asked about too, from news streams at most.
    ``table_rate`` and ``rate``: step sizes of the vectors and of the layers, both falling to nought over the passes. ``dropout``: share
    of the hidden layer, ``thinning``: of the pieces and pairs of a text, that is left out in a step. ``soft``, ``gold``, ``softness``:
    see :class:`models.students.student.Distillation`; ``embedding``: factor of ``1 - cosine`` to the teacher's embedding. ``watch``: dev
    rows a set and language.
    """

    seed: int = 17
    width: int = 64
    buckets: int = 65_536
    inner: int = 192
    train_length: int = 64
    texts: int = 24_000
    labelled: int = 300_000
    streams: int = 0
    passes: int = 4
    batch: int = 256
    table_rate: float = 1e-2
    rate: float = 1e-3
    dropout: float = 0.2
    thinning: float = 0.0
    soft: float = 1.0
    gold: float = 0.5
    softness: float = 2.0
    embedding: float = 0.5
    watch: int = 40
    threads: int = 2
    mixing: Mixing = field(default_factory=Mixing)


@dataclass(frozen=True)
class StaticScore:
    """Dev ``score`` of a head in int8, in percent (as :func:`models.evaluation.metrics.dev_score`), and its temperature."""

    score: float
    temperature: float
    rows_dev: int


def read_static_training(path: Path) -> StaticTraining:
    """Read the TOML file of a static model; ``[mixing]`` is a section, all else stands at the top.

    Raises:
        ModelError: the file is absent or no TOML, a setting is unknown, of the wrong kind or impossible.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"cannot read {path}: {error}", mend="give a TOML file like models/configs/student-static.toml") from error
    mixing = read_section(Mixing, raw.pop("mixing", {}), f"{path.name} [mixing]")
    chosen = dataclasses.replace(read_section(StaticTraining, raw, path.name), mixing=mixing)
    if min(chosen.width, chosen.buckets, chosen.inner, chosen.passes, chosen.batch) < 1 or chosen.softness <= 0:
        raise ModelError(
            f"{path.name}: width, buckets, inner, passes and batch must be 1 or more, softness above 0",
            mend="leave them out for the usual values",
        )
    return chosen


def lessons_of(lessons: Lessons, chosen: StaticTraining, streams: Sequence[str] = ()) -> tuple[list[Lesson], list[Lesson]]:
    """The lessons the teacher is asked about, texts of ``streams`` among them, and all of one pass (those first), each text once."""
    asked = Mixture(lessons, chosen.mixing, chosen.seed).of_pass(0)[: chosen.texts]
    asked = [*(Lesson(text, "und", "stream", {}) for text in streams), *asked]
    more = Mixture(lessons, dataclasses.replace(chosen.mixing, rows=chosen.labelled), chosen.seed).of_pass(0)
    once = {lesson.text: lesson for lesson in (*asked, *more)}
    return list({lesson.text: lesson for lesson in asked}.values()), list(once.values())


def start_table(words: NDArray[np.float32], chosen: StaticTraining) -> NDArray[np.float32]:
    """The table to begin with: principal components of the encoder's word embedding ``[pieces, hidden]``, noise for pairs."""
    centred = words - words.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    width = min(chosen.width, words.shape[1])
    components = np.zeros((len(words), chosen.width), np.float32)
    components[:, :width] = centred @ axes[:, ::-1][:, :width]
    pairs = np.random.default_rng(chosen.seed).normal(0, 0.01, (chosen.buckets, chosen.width))
    table: NDArray[np.float32] = np.concatenate([components / max(float(components.std()), 1e-6) * 0.1, pairs]).astype(np.float32)
    return table


def _some(whole: Bags, chosen: NDArray[np.int64]) -> Bags:
    """The bags of the texts at the positions ``chosen``."""
    sizes = np.diff(whole.starts)[chosen]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    within = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
    return Bags(whole.rows[np.repeat(whole.starts[:-1][chosen], sizes) + within], starts)


def _thinned(whole: Bags, share: float, random: np.random.Generator) -> Bags:
    """``whole`` without a ``share`` of its rows, at random; the first row of each text, its start, stays."""
    kept = random.random(len(whole.rows)) >= share
    kept[whole.starts[:-1]] = True
    return Bags(whole.rows[kept], np.concatenate([[0], np.cumsum(kept)])[whole.starts])


class _Learner:
    """The model in PyTorch while it learns."""

    def __init__(self, table: NDArray[np.float32], pieces: int, embedding: int, chosen: StaticTraining) -> None:
        torch = self._torch = require("torch")
        torch.manual_seed(chosen.seed)
        self.pieces, self.chosen = pieces, chosen
        self.table = torch.from_numpy(table).requires_grad_(True)
        self.inner = torch.nn.Linear(table.shape[1], chosen.inner)
        self.outlets = {task: torch.nn.Linear(chosen.inner, len(labels)) for task, labels in LABELS.items()}
        self.outlets["embedding"] = torch.nn.Linear(chosen.inner, embedding)
        layers = [parameter for layer in (self.inner, *self.outlets.values()) for parameter in layer.parameters()]
        self.optimizers = [torch.optim.SparseAdam([self.table], lr=chosen.table_rate), torch.optim.AdamW(layers, lr=chosen.rate)]
        self._rates = [chosen.table_rate, chosen.rate]

    def outputs(self, part: Bags, *, dropout: float) -> dict[str, Any]:
        """Logits of each head, and ``embedding``."""
        functional = self._torch.nn.functional
        rows, starts = self._torch.from_numpy(part.rows), self._torch.from_numpy(part.starts[:-1])
        means = functional.embedding_bag(rows, self.table, starts, mode="mean", sparse=True)
        hidden = functional.dropout(self._torch.relu(self.inner(means)), dropout)
        return {name: outlet(hidden) for name, outlet in self.outlets.items()}

    def advance(self, loss: Any, left: float) -> None:
        """One step of both optimisers at the share ``left`` of their step sizes."""
        for optimizer, rate in zip(self.optimizers, self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * left
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def model(self) -> StaticModel:
        """The int8 model as it stands, at temperature 1."""

        def head(layer: Any) -> Head:
            return Head(np.ascontiguousarray(layer.weight.detach().numpy().T), layer.bias.detach().numpy().copy())

        heads = {name: head(outlet) for name, outlet in self.outlets.items()}
        embedding = heads.pop("embedding")
        return StaticModel(quantize_rows(self.table.detach().numpy()), self.pieces, head(self.inner), heads, embedding)


class _Losses:
    """What the texts teach, ready for any batch of them."""

    def __init__(self, lessons: Sequence[Lesson], asked: Sequence[Lesson], answers: TeacherAnswers, chosen: StaticTraining) -> None:
        self._torch, self.chosen = require("torch"), chosen
        self.taught: Mapping[str, Targets] = {task: targets(lessons, task) for task in LABELS}
        self.factors = {task: class_factors(taught) for task, taught in self.taught.items()}
        texts = [lesson.text for lesson in asked]
        self.answered, self.logits = len(texts), answers.logits(texts)
        last = answers.pooled(texts, max(answers.layers))
        self.embeddings = last / np.linalg.norm(last, axis=1, keepdims=True)

    def __call__(self, outputs: Mapping[str, Any], rows: NDArray[np.int64]) -> Any:
        """The mean loss of the texts at ``rows``; the teacher answered the first ones."""
        torch, chosen = self._torch, self.chosen
        loss = torch.zeros(())
        for task, taught in self.taught.items():
            right, universe = taught.right[rows], taught.universe[rows]
            importance = np.where(right.sum(1) == 1, self.factors[task][right.argmax(1)], np.float32(1.0))
            gold = masked_loss(outputs[task], torch.from_numpy(right), torch.from_numpy(universe))
            loss = loss + chosen.gold * (gold * torch.from_numpy(importance)).sum()
        inside = np.flatnonzero(rows < self.answered)
        if len(inside):
            places = torch.from_numpy(inside)
            for task, theirs in self.logits.items():
                loss = loss + chosen.soft * soft_loss(outputs[task][places], torch.from_numpy(theirs[rows[inside]]), chosen.softness).sum()
            near = torch.nn.functional.cosine_similarity(outputs["embedding"][places], torch.from_numpy(self.embeddings[rows[inside]]))
            loss = loss + chosen.embedding * (1 - near).sum()
        return loss / len(rows)


def _dev(model: StaticModel, tokens: Sequence[Sequence[int]], lessons: Lessons) -> dict[str, StaticScore]:
    logits = model.logits(tokens)
    scores = {}
    for task in model.heads:
        rows, examples = lessons.dev_examples(task)
        if rows:
            labels = np.array([example.targets[0] for example in examples])
            temperature = fit_temperature(logits[task][rows], labels)
            scores[task] = StaticScore(round(dev_score(task, logits[task][rows], examples), 2), round(temperature, 4), len(rows))
    return scores


def train_static(
    lessons: Lessons,
    tokenize: Any,
    words: NDArray[np.float32],
    answers: TeacherAnswers,
    chosen: StaticTraining,
    progress: Progress,
    streams: Sequence[str] = (),
) -> tuple[StaticModel, dict[str, StaticScore]]:
    """Train a static model; the pass with the best mean of the sentiment and topic scores on dev is kept, calibrated on dev.

    Args:
        tokenize: texts to token ids, as :meth:`models.inference.Runner.tokenize`.
        words: the encoder's word embedding ``[pieces, hidden]``.
        answers: of the teacher, to the first lessons of :func:`lessons_of`.
        streams: the texts without label among these.

    Raises:
        ModelError: the extra ``train`` is missing.
    """
    torch = require("torch")
    torch.set_num_threads(chosen.threads)
    asked, everything = lessons_of(lessons, chosen, streams)
    losses = _Losses(everything, asked, answers, chosen)
    whole = bags([ids[: chosen.train_length] for ids in tokenize([one.text for one in everything])], len(words), chosen.buckets)
    dev = tokenize([one.text for one in lessons.dev])
    learner = _Learner(start_table(words, chosen), len(words), words.shape[1], chosen)
    best: tuple[float, StaticModel, dict[str, StaticScore]] | None = None
    random = np.random.default_rng(chosen.seed)
    total, done = chosen.passes * len(everything), 0
    for _ in range(chosen.passes):
        order = random.permutation(len(everything))
        for start in range(0, len(order), chosen.batch):
            rows = order[start : start + chosen.batch]
            part = _thinned(_some(whole, rows), chosen.thinning, random)
            learner.advance(losses(learner.outputs(part, dropout=chosen.dropout), rows), 1 - done / total)
            done += len(rows)
            progress("training the static model", done, total)
        model = learner.model()
        scores = _dev(model, dev, lessons)
        mean = float(np.mean([scores[task].score for task in ("sentiment", "topic") if task in scores]))
        if best is None or mean > best[0]:
            best = (mean, model, scores)
    assert best is not None, "read_static_training demands a pass"
    _, model, scores = best
    heads = {task: head.at_temperature(scores[task].temperature if task in scores else 1.0) for task, head in model.heads.items()}
    return dataclasses.replace(model, heads=heads), scores
