"""A cascade: cheap models answer where they are sure, and the encoder is asked about the rest.

Each stage but the last answers a text when its confidence in the best sentiment and that in the best topic both reach the stage's
thresholds (a cascade of classifiers with confidence thresholds, as FrugalGPT, Chen et al. 2023, arXiv:2305.05176, has it for language
models). The confidence of the first stage may be learned: :mod:`models.cascade.deferral`. The stages share one tokenizer. A text's
result depends on no other text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.artifact import Artifact
from models.calibration.temperature import at_temperature
from models.cascade.deferral import Deferral, confidence
from models.errors import ModelError
from models.inference import Encoder, Runner, Scores
from models.students.static_model import StaticModel

__all__ = [
    "PLAN",
    "STATIC",
    "VERSION",
    "Cascade",
    "Plan",
    "Reader",
    "Scorer",
    "Stage",
    "Staged",
    "Temperatures",
    "answer",
    "blended",
    "file_digest",
    "open_stage",
    "open_stages",
    "read_plan",
    "sure",
    "tempered",
]

PLAN = "cascade.json"
STATIC = "static.npz"
#: Of what stands in :data:`PLAN`; the first had no deferral and did not name its version, the second no blend of a stage.
VERSION = 3
MEND = "fit the cascade anew with `bellwether models cascade`"

#: Texts to scores, rows in their order.
Scorer = Callable[[Sequence[str]], Scores]

#: A pair, for sentiment and topic, for each stage.
Temperatures = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Stage:
    """A model in ``file`` of the artifact that answers when its confidence reaches both thresholds, each from 0 to 1.

    A ``.npz`` file is a :class:`models.students.static_model.StaticModel`, an ``.onnx`` file a graph like the artifact's own.
    The confidence is the calibrated probability, or what ``deferral`` makes of the scores. ``blend``: share of the first stage in what
    this one says, for sentiment and topic; nought for the first itself.
    """

    name: str
    file: str
    sha256: str
    sentiment: float
    topic: float
    deferral: Deferral | None = None
    blend: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Plan:
    """The stages before the encoder of ``model_id``, in the order they are asked. The encoder answers what they leave.

    ``blend``: share of the first stage in that answer, for sentiment and topic: the two err on different texts, and their mean on fewer.
    ``languages``: those of the labelled texts that the thresholds were chosen on; nobody knows what a stage is worth in another.
    ``temperatures``: of the answers of each stage, the encoder's (blended) last, for sentiment and topic
    (:mod:`models.cascade.sharpness`); none: 1 each.
    """

    model_id: str
    stages: tuple[Stage, ...]
    blend: tuple[float, float] = (0.0, 0.0)
    languages: tuple[str, ...] = ()
    temperatures: Temperatures = ()


class Staged(NamedTuple):
    """``scores`` of each text, and ``stage`` int64 ``[n]``: the position in :attr:`Cascade.names` of the stage that answered."""

    scores: Scores
    stage: NDArray[np.int64]


def sure(scores: Scores, stage: Stage, texts: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows of ``scores``, those of ``texts`` with the stage's blend, reach both thresholds of ``stage``."""
    thresholds = np.array([stage.sentiment, stage.topic], np.float32)
    enough: NDArray[np.bool_] = (confidence(scores, texts, stage.deferral) >= thresholds[:, None]).all(axis=0)
    return enough


def blended(later: Scores, first: Scores, blend: tuple[float, float]) -> Scores:
    """The probabilities of a ``later`` stage with a share ``blend`` (sentiment, topic) of the first one's; the embedding is the later's."""
    sentiment, topic = (np.float32(share) for share in blend)
    mixed = later.sentiment + sentiment * (first.sentiment - later.sentiment)
    return Scores(mixed, later.topic + topic * (first.topic - later.topic), later.embedding)


def tempered(scores: Scores, number: int, temperatures: Temperatures) -> Scores:
    """What stage ``number`` gives as its answers: ``scores`` at its temperatures. Labels stay the same."""
    if not temperatures:
        return scores
    sentiment, topic = temperatures[number]
    return Scores(at_temperature(scores.sentiment, sentiment), at_temperature(scores.topic, topic), scores.embedding)


def answer(
    gates: Sequence[tuple[Stage, Scorer]],
    last: Scorer,
    texts: Sequence[str],
    blend: tuple[float, float] = (0.0, 0.0),
    temperatures: Temperatures = (),
) -> Staged:
    """Ask each of ``gates`` about what those before it left, and ``last`` about the rest; what they say is :func:`blended` with the first.

    Whether a stage is sure is judged before its answers are :func:`tempered`.
    """
    stage = np.full(len(texts), len(gates), np.int64)
    waiting = np.arange(len(texts))
    whole: Scores | None = None
    first: Scores | None = None
    for number, (gate, scorer) in enumerate([*gates, (None, last)]):
        given = [texts[row] for row in waiting]
        scores = scorer(given)
        first = first or scores
        share = blend if gate is None else gate.blend
        if number and any(share):
            scores = blended(scores, Scores(*(part[waiting] for part in first)), share)
        answered = np.ones(len(waiting), np.bool_) if gate is None else sure(scores, gate, given)
        whole = whole or Scores(*(np.zeros((len(texts), part.shape[1]), np.float32) for part in scores))
        stage[waiting[answered]] = number
        for target, part in zip(whole, tempered(scores, number, temperatures), strict=True):
            target[waiting[answered]] = part[answered]
        waiting = waiting[~answered]
        if not len(waiting):
            break
    assert whole is not None, "there is always a last stage"
    return Staged(whole, stage)


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file of a cascade.

    Raises:
        ModelError: it is missing.
    """
    if not path.is_file():
        raise ModelError(f"no {path.name} in the model folder {path.parent}", mend=MEND)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _deferral(raw: Any) -> Deferral | None:
    """The learned confidence of a stage, as ``cascade.json`` has it."""
    if raw is None:
        return None
    sentiment, topic = (tuple(float(value) for value in weights) for weights in raw["weights"])
    first, second = (float(value) for value in raw["bias"])
    if len(sentiment) != len(topic):
        raise ValueError("the weights of a deferral are not equally many")
    return Deferral((sentiment, topic), (first, second))


def _pair(raw: Any) -> tuple[float, float]:
    """One number for sentiment and one for topic."""
    sentiment, topic = raw
    return float(sentiment), float(topic)


def _temperatures(raw: Any, stages: int) -> Temperatures:
    """The temperatures of the answers of ``stages`` stages, the encoder among them, as ``cascade.json`` has them."""
    pairs = tuple(map(_pair, raw))
    if pairs and (len(pairs) != stages or not all(one > 0 for pair in pairs for one in pair)):
        raise ValueError("the temperatures are not a pair above 0 for each stage and the encoder")
    return pairs


def read_plan(artifact: Artifact) -> Plan:
    """The cascade of ``artifact``, its files checked against their checksums.

    Raises:
        ModelError: it has none, it was fitted to another model, or a file of it is damaged.
    """
    path = artifact.root / PLAN
    if not path.is_file():
        raise ModelError(f"the model {artifact.root} has no {PLAN}", mend=MEND)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if int(raw.get("version", 1)) > VERSION:
            raise ModelError(f"{path} is of version {raw['version']}, which this program does not know", mend=MEND)
        stages = tuple(
            Stage(
                str(one["name"]),
                str(one["file"]),
                str(one["sha256"]),
                float(one["sentiment"]),
                float(one["topic"]),
                _deferral(one.get("deferral")),
                _pair(one.get("blend", (0.0, 0.0))),
            )
            for one in raw["stages"]
        )
        languages = tuple(str(language) for language in raw.get("languages", ()))
        temperatures = _temperatures(raw.get("temperatures", ()), len(stages) + 1)
        plan = Plan(str(raw["model_id"]), stages, _pair(raw["blend"]), languages, temperatures)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is no plan of a cascade: {error!r}", mend=MEND) from error
    if plan.model_id != artifact.model_id:
        raise ModelError(f"{path} was fitted to {plan.model_id}, not {artifact.model_id}", mend=MEND)
    for stage in plan.stages:
        if file_digest(artifact.root / stage.file) != stage.sha256:
            raise ModelError(f"{artifact.root / stage.file} is damaged: its checksum is not that of {PLAN}", mend=MEND)
    return plan


class Reader(Protocol):
    """What a stage takes of the encoder it stands before: an :class:`models.inference.Encoder`, or who reads texts as one does."""

    artifact: Artifact
    tokenizer: Tokenizer
    threads: int

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text."""


def open_stage(path: Path, encoder: Reader) -> tuple[Scorer, Callable[[], None]]:
    """The model in ``path`` as a scorer beside ``encoder``, whose tokenizer it shares, and what closes it.

    Raises:
        ModelError: the file is no model of a kind known here.
    """
    if path.suffix == ".npz":
        static = StaticModel.load(path)
        if static.pieces != encoder.tokenizer.get_vocab_size():
            raise ModelError(f"{path} was made for another tokenizer", mend=MEND)
        return (lambda texts: static.score(encoder.tokenize(texts))), lambda: None
    own = encoder.artifact
    runner = Runner(path, own.tokenizer_path, max_length=own.max_length, prefix=own.prefix, threads=encoder.threads)
    return runner.score, runner.close


def open_stages(plan: Plan, artifact: Artifact, encoder: Reader, closers: list[Callable[[], None]]) -> list[tuple[Stage, Scorer]]:
    """The stages of ``plan`` in their order, each opened by :func:`open_stage`; what closes them is added to ``closers`` one by one.

    Raises:
        ModelError: see :func:`open_stage`; the stages before that one are open then, and closed by ``closers``.
    """
    stages: list[tuple[Stage, Scorer]] = []
    for stage in plan.stages:
        scorer, closer = open_stage(artifact.root / stage.file, encoder)
        closers.append(closer)
        stages.append((stage, scorer))
    return stages


class Cascade:
    """The cascade of an artifact; scores as its :class:`models.inference.Encoder` does. Close it, or use it as a context manager.

    Args:
        artifact: with the files that its ``cascade.json`` names.
        threads: calls that run at the same time; 0: as many as there are processors.

    Raises:
        ModelError: the artifact has no cascade, or a file is damaged.
    """

    def __init__(self, artifact: Artifact, threads: int = 0) -> None:
        self.plan = read_plan(artifact)
        self.artifact = artifact
        self._encoder = Encoder(artifact, threads)
        self._closers: list[Callable[[], None]] = [self._encoder.close]
        try:
            self._stages = open_stages(self.plan, artifact, self._encoder, self._closers)
        except ModelError:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in the order they are asked, the last of them ``encoder``."""
        return (*(stage.name for stage in self.plan.stages), "encoder")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the threads go. May be called twice."""
        for closer in self._closers:
            closer()

    def score(self, texts: Sequence[str]) -> Scores:
        """Score ``texts`` in the order given: any number, any length, any Unicode.

        Raises:
            ValueError: a text holds a lone surrogate.
        """
        return self.staged(texts).scores

    def staged(self, texts: Sequence[str]) -> Staged:
        """:meth:`score`, and which stage answered each text."""
        return answer(self._stages, self._encoder.score, texts, self.plan.blend, self.plan.temperatures)
