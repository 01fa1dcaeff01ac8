"""The whole way of a fine-tuned model: encoder, labelled text, fine-tuning, calibration on the shipped numbers, artifact."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import Artifact
from models.calibration.temperature import expected_calibration_error, fit_temperature, softmax
from models.data import LABELS
from models.encoder.pretrained import PretrainedModel, load_pretrained, write_pretrained
from models.encoder.trimmed import Encoder, prepare_encoder
from models.errors import require
from models.evaluation.metrics import dev_score
from models.export.writing import write_artifact
from models.inference import Runner
from models.languages import ENCODER_LANGUAGES
from models.progress import Progress
from models.texts.mixture import Lessons, read_lessons
from models.training.activations import ActivationStore, states_model
from models.training.configuration import FineTuning
from models.training.embedding import FeatureCache
from models.training.finetuning import FineTuner
from models.training.heads import Head
from models.training.linear import HeadReport
from models.training.network import Network

__all__ = ["Ground", "fine_tune", "laid", "prepared"]

#: Dev rows a set and language that the temperatures are fitted on; more than the run is watched by.
CALIBRATION_ROWS = 75


@dataclass(frozen=True)
class Ground:
    """What runs of one encoder, text and depth share: the encoder, the lessons, and the states below the trained layers."""

    encoder: Encoder
    pretrained: PretrainedModel
    lessons: Lessons
    store: ActivationStore

    def network(self, chosen: FineTuning) -> Network:
        """The untrained network of ``chosen``."""
        return Network(
            self.encoder.tensors,
            self.encoder.config,
            frozen=chosen.frozen,
            feature_layers=chosen.feature_layers,
            heads={task: len(labels) for task, labels in LABELS.items()},
            lora=chosen.methods.lora,
            lora_scale=chosen.methods.lora_scale,
            languages=len({lang for _, lang in self.lessons.train}) if chosen.methods.hears_languages else 0,
        )


@contextmanager
def laid(data: Path, cache: Path, chosen: FineTuning, progress: Progress) -> Iterator[Ground]:
    """The ground of runs like ``chosen``.

    Raises:
        ModelError: the extra ``train`` is missing, the encoder cannot be had, or a label is unknown.
    """
    torch = require("torch")
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    progress("unpacking the encoder and trimming its vocabulary", 0, 1)
    pretrained = load_pretrained(chosen.model, cache=cache)
    encoder = prepare_encoder(pretrained, data, cache / "encoder", pieces=chosen.pieces)
    graph = cache / "encoder" / f"states-{chosen.frozen}.onnx"
    digest = states_model(encoder, chosen.frozen, graph)
    key = hashlib.sha256(f"{digest} {chosen.train_length}".encode()).hexdigest()[:16]
    progress("reading the labelled text", 0, 1)
    lessons = read_lessons(data, chosen.mixing, chosen.watch.rows)
    hidden = int(encoder.config["hidden_size"])
    with (
        Runner(graph, encoder.tokenizer_path, max_length=chosen.train_length) as runner,
        ActivationStore(cache / "activations" / key, runner, hidden) as store,
    ):
        yield Ground(encoder, pretrained, lessons, store)


@contextmanager
def prepared(
    data: Path, cache: Path, run: Path, chosen: FineTuning, progress: Progress
) -> Iterator[tuple[FineTuner, Encoder, PretrainedModel]]:
    """A fine-tuner in ``run``, at its last checkpoint or at the start, with the encoder it begins from.

    Raises:
        ModelError: see :func:`laid`; or ``run`` holds another run.
    """
    with laid(data, cache, chosen, progress) as ground:
        network = ground.network(chosen)
        progress("fitting the first heads", 0, 1)
        yield FineTuner(network, ground.store, ground.lessons, chosen, run), ground.encoder, ground.pretrained


def _calibrated(task: str, head: Head, features: NDArray[np.float16], lessons: Lessons) -> HeadReport:
    rows, examples = lessons.dev_examples(task)
    logits = head.logits(features[rows])
    labels = np.array([example.targets[0] for example in examples])
    temperature = fit_temperature(logits, labels)
    return HeadReport(
        decay=0.0,
        score=round(dev_score(task, logits, examples), 2),
        temperature=round(temperature, 4),
        ece_before=round(expected_calibration_error(softmax(logits), labels), 4),
        ece_after=round(expected_calibration_error(softmax(logits / temperature), labels), 4),
        rows_train=sum(task in lesson.answers for group in lessons.train.values() for lesson in group),
        rows_dev=len(rows),
    )


def _reports(
    tuned: Encoder, heads: Mapping[str, Head], data: Path, cache: Path, chosen: FineTuning, progress: Progress
) -> tuple[dict[str, HeadReport], list[str]]:
    """Dev score and temperature of every head on the features of the int8 graph, and the languages of the text."""
    lessons = read_lessons(data, chosen.mixing, CALIBRATION_ROWS)
    texts = [lesson.text for lesson in lessons.dev]
    graph = cache / "encoder" / "tuned-features.onnx"
    key = hashlib.sha256(f"{tuned.features_model(chosen.feature_layers, graph)} {chosen.max_length}".encode()).hexdigest()
    store = FeatureCache(cache / "features", key)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("embedding dev with the int8 graph", done, len(texts))

    with Runner(graph, tuned.tokenizer_path, max_length=chosen.max_length) as runner:
        store.fill(runner, "dev", texts, advance)
    features = store.get("dev", texts)
    languages = {lang for _, lang in lessons.train} | {lesson.lang for lesson in lessons.dev}
    return {task: _calibrated(task, head, features, lessons) for task, head in heads.items()}, sorted(languages & ENCODER_LANGUAGES)


def fine_tune(
    data: Path, root: Path, cache: Path, run: Path, chosen: FineTuning, progress: Progress
) -> tuple[Artifact, dict[str, HeadReport]]:
    """Fine-tune on ``data/train`` in the folder ``run``, and write the artifact of its best weights to ``root``.

    A run that was interrupted goes on at its last checkpoint; one that is finished is only exported. The tuned encoder is kept in
    ``run`` as a Hugging Face folder, ``…-tuned``, on which linear heads may be fitted anew.

    Raises:
        ModelError: see :func:`prepared`.
    """
    with prepared(data, cache, run, chosen, progress) as (tuner, encoder, pretrained):
        history = tuner.run(progress)
        best = tuner.best()
        heads = tuner.network.heads(best)
        trained = tuner.network.tensors(best)
        tuned = dataclasses.replace(encoder, tensors={**encoder.tensors, **trained})
        write_pretrained(run / f"{Path(pretrained.name).name.removesuffix('-tuned')}-tuned", pretrained, trained)
    reports, languages = _reports(tuned, heads, data, cache, chosen, progress)
    artifact = write_artifact(
        root,
        tuned,
        chosen.feature_layers,
        heads,
        version=chosen.version,
        temperatures={task: report.temperature for task, report in reports.items()},
        max_length=chosen.max_length,
        prefix="",
        languages=languages,
        provenance={"model": pretrained.label, **{f"sha256:{name}": digest for name, digest in pretrained.sources.items()}},
    )
    record: dict[str, Any] = {
        "recipe": asdict(dataclasses.replace(chosen, model=pretrained.label)),
        "heads": {task: asdict(report) for task, report in reports.items()},
        "history": [asdict(score) for score in history],
    }
    (root / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    progress("done", 1, 1)
    return artifact, reports
