"""Calibrating an artifact by language: temperatures and thresholds from the dev rows of the train sets, by the numbers of its own graph.

Benchmarks are never read here: what is chosen on them could not be reported on them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.artifact import CALIBRATION, Artifact
from models.calibration.abstention import risk_bound, risk_coverage, select
from models.calibration.record import Calibration, HeadCalibration, Reliance
from models.calibration.temperature import at_temperature, fit_temperature, logs
from models.data import Example, examples, read_rows
from models.encoder.pretrained import file_sha256
from models.errors import ModelError
from models.inference import Runner
from models.language_groups import canonical, group_of
from models.languages import ENCODER_LANGUAGES
from models.mislabelled import trusted
from models.progress import Progress
from models.texts.sampling import UNSEEN_SHARE, Limit, choose

__all__ = ["Rules", "calibrate", "dev_examples", "fit_head", "write_calibration"]

STEP = 512
#: How far a temperature may be from 1.
FARTHEST = 4.0


@dataclass(frozen=True)
class Rules:
    """What is asked of an answer before it may be given.

    Attributes:
        target_risk: the most wrong answers among those given, as a share.
        sureness: how probable it must be that the target holds, given how few texts it was measured on.
        least_coverage: the least share of a language's texts that must get an answer for the language to be vouched for.
        own_rows: dev texts from which a language has a threshold of its own; with fewer, its group's is tried on them.
        least_rows: with fewer than this nothing can be said of a language.
        group_rows: dev texts from which a group has a temperature of its own.
    """

    target_risk: float = 0.35
    sureness: float = 0.9
    least_coverage: float = 0.33
    own_rows: int = 100
    least_rows: int = 30
    group_rows: int = 150


def dev_examples(data: Path, task: str, allowed: Limit) -> list[Example]:
    """At most ``allowed(source, language)`` dev rows of each train set and language whose label is one of all classes of ``task``.

    Two-class sets are left out: a set without neutral texts cannot show the most common error, a tone seen where there is none. So are
    languages whose rows have one class only (for event most say "other"), and the rows of :mod:`models.mislabelled`.

    Raises:
        ModelError: there is no train folder, or it holds a label or source that the tables do not know.
    """
    kind = "sentiment" if task == "sentiment" else "topic"
    paths = sorted((data / "train").glob(f"{kind}*/*.jsonl*"))
    if not paths:
        raise ModelError(f"no sets with {kind} under {data / 'train'}", mend="give the folder that holds train/ with --data")
    rows = [one for path in paths for one in examples((row for row in read_rows(path) if row.split == "dev"), task)]
    told = [one for one in rows if one.label is not None and trusted(one)]
    classes: defaultdict[str, set[int]] = defaultdict(set)
    for one in told:
        classes[one.lang].update(one.targets)
    return choose((one for one in told if len(classes[one.lang]) > 1), allowed)


def _allowed(limit: int, task: str) -> Limit:
    """``limit`` rows a set and language; for topic and event a tenth in languages that the encoder never saw: there are a hundred."""

    def allowed(source: str, lang: str) -> int:
        return limit if task == "sentiment" or lang in ENCODER_LANGUAGES else max(1, round(limit * UNSEEN_SHARE))

    return allowed


def _temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Within a factor of four of the graph's own: where the model knows nothing of a language, no temperature mends that."""
    return round(fit_temperature(logits, labels, low=1 / FARTHEST, high=FARTHEST), 4)


def _temperatures(probabilities: NDArray[np.float32], labels: NDArray[np.int64], groups: Sequence[str], rules: Rules) -> HeadCalibration:
    """The temperature of all rows, and of each group with enough of them."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        rows[group].append(index)
    logits = logs(probabilities)
    return HeadCalibration(
        target_risk=rules.target_risk,
        temperature=_temperature(logits, labels),
        groups={group: _temperature(logits[of], labels[of]) for group, of in sorted(rows.items()) if len(of) >= rules.group_rows},
        languages={},
    )


def _reliance(confidence: NDArray[np.float32], wrong: NDArray[np.bool_], group: float | None, rules: Rules) -> Reliance:
    """What the rows of one language say; ``group``: the threshold of its group."""
    curve = risk_coverage(confidence, wrong)
    rows = len(confidence)
    if rows >= rules.own_rows:
        chosen = select(confidence, wrong, target=rules.target_risk, doubt=1 - rules.sureness)
        if chosen is None:
            return Reliance(rows, "language", None, 0.0, round(curve.at(1.0), 4), vouched=False)
        enough = chosen.coverage >= rules.least_coverage
        return Reliance(rows, "language", chosen.threshold, round(chosen.coverage, 4), round(chosen.risk, 4), vouched=enough)
    if group is None:
        return Reliance(rows, "group", None, 0.0, round(curve.at(1.0), 4), vouched=False)
    given = confidence >= group
    coverage, risk = float(given.mean()), float(wrong[given].mean()) if given.any() else 1.0
    bound = risk_bound(int(wrong[given].sum()), int(given.sum()), 1 - rules.sureness)
    vouched = rows >= rules.least_rows and coverage >= rules.least_coverage and bound <= rules.target_risk
    return Reliance(rows, "group", group, round(coverage, 4), round(risk, 4), vouched=vouched)


def fit_head(probabilities: NDArray[np.float32], labels: NDArray[np.int64], languages: Sequence[str], rules: Rules) -> HeadCalibration:
    """Temperatures and thresholds of one head, from the graph's ``probabilities`` ``[n, classes]`` of rows in these ``languages``."""
    codes = [canonical(language) for language in languages]
    groups = [group_of(code) for code in codes]
    head = _temperatures(probabilities, labels, groups, rules)
    calibrated = at_temperature(probabilities, np.array([head.temperature_of(code) for code in codes]))
    confidence, wrong = calibrated.max(axis=1), calibrated.argmax(axis=1) != labels
    named, grouped = np.array(codes), np.array(groups)
    thresholds = {}
    for group in sorted(set(groups)):
        of = grouped == group
        chosen = select(confidence[of], wrong[of], target=rules.target_risk, doubt=1 - rules.sureness)
        thresholds[group] = None if chosen is None else chosen.threshold
    measured = {
        code: _reliance(confidence[named == code], wrong[named == code], thresholds[group_of(code)], rules) for code in sorted(set(codes))
    }
    return replace(head, languages=measured)


def calibrate(artifact: Artifact, data: Path, *, limits: Mapping[str, int], rules: Rules, progress: Progress) -> Calibration:
    """Measure ``artifact`` on dev, by its graph alone, whatever ``calibration.json`` it has.

    Args:
        limits: task -> dev rows a set and language at most.
        progress: called with (what is done, texts done, texts in all).

    Raises:
        ModelError: a file of the artifact is damaged, or there is no labelled text.
    """
    bare = replace(artifact, sha256={name: digest for name, digest in artifact.sha256.items() if name != CALIBRATION})
    bare.verify()
    tasks = [task for task in ("sentiment", "topic", "event") if task in limits and (task != "event" or artifact.event_labels)]
    rows = {task: dev_examples(data, task, _allowed(limits[task], task)) for task in tasks}
    total, done = sum(map(len, rows.values())), 0
    heads: dict[str, HeadCalibration] = {}
    with Runner(bare.onnx_path, bare.tokenizer_path, max_length=bare.max_length, prefix=bare.prefix) as runner:
        for task, chosen in rows.items():
            chosen.sort(key=lambda example: len(example.text))
            found = np.zeros((len(chosen), len(artifact.labels(task))), np.float32)
            for start in range(0, len(chosen), STEP):
                texts = [example.text for example in chosen[start : start + STEP]]
                for positions, arrays in runner.results(texts, (task,)):
                    found[start + positions] = arrays[0]
                done += len(texts)
                progress("scoring dev", done, total)
            labels = np.array([example.targets[0] for example in chosen])
            heads[task] = fit_head(found, labels, [example.lang for example in chosen], rules)
    return Calibration(artifact.model_id, rules.sureness, rules.least_coverage, heads)


def write_calibration(artifact: Artifact, calibration: Calibration) -> None:
    """Write ``calibration.json`` and its checksum in ``config.json``, the file first: a break in between is noticed when it is loaded.

    Raises:
        ModelError: the folder cannot be written to.
    """
    try:
        artifact.calibration_path.write_text(calibration.to_json(), encoding="utf-8")
        path = artifact.root / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config["sha256"][CALIBRATION] = file_sha256(artifact.calibration_path)
        path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{artifact.root} cannot be written to: {error.strerror}", mend="copy the model to a folder of yours") from error
