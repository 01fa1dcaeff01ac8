"""``calibration.json`` of an artifact: temperatures by language group, thresholds by language, and the languages that are vouched for.

The probabilities of the graph are calibrated over all languages already; the temperatures here come on top. The file is optional: a
model without it answers with the graph's own probabilities and vouches for nothing in particular.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.artifact import CALIBRATION, REINSTALL, Artifact
from models.calibration.temperature import at_temperature
from models.errors import ModelError
from models.language_groups import canonical, group_of

__all__ = ["UNKNOWN_LANGUAGE", "Calibration", "Doubt", "HeadCalibration", "Reason", "Reliance", "load_calibration"]

UNKNOWN_LANGUAGE = "und"

#: Why an answer should not be given: nobody knows the language, the model was not found reliable in it, or it is unsure of this text.
Reason = Literal["language.unknown", "language.not_vouched", "confidence.low"]


@dataclass(frozen=True)
class Reliance:
    """How far one head is to be relied on in one language.

    Attributes:
        rows: dev texts of the language whose label is one of all classes.
        threshold_of: where the threshold comes from: the language itself, or its group where its own texts are too few for one.
        threshold: least confidence of an answer; None: no threshold keeps the risk below the target.
        coverage: share of the language's texts that it leaves. risk: share of wrong answers among them.
        vouched: whether answers are given at all.
    """

    rows: int
    threshold_of: str
    threshold: float | None
    coverage: float
    risk: float
    vouched: bool


@dataclass(frozen=True)
class Doubt:
    """Why an answer should not be given; ``threshold`` where the language has one."""

    reason: Reason
    detail: str
    confidence: float
    threshold: float | None


@dataclass(frozen=True)
class HeadCalibration:
    """One head: the ``temperature`` of all languages, those of ``groups``, and ``languages`` with labelled dev text."""

    target_risk: float
    temperature: float
    groups: Mapping[str, float]
    languages: Mapping[str, Reliance]

    def temperature_of(self, language: str) -> float:
        """The temperature of a language's group, else that of all."""
        return self.groups.get(group_of(language), self.temperature)

    @property
    def vouched(self) -> tuple[str, ...]:
        """The languages that are vouched for, in order of their codes."""
        return tuple(sorted(language for language, one in self.languages.items() if one.vouched))


@dataclass(frozen=True)
class Calibration:
    """What was found on dev for the model ``model_id``; the targets hold with the probability ``sureness``."""

    model_id: str
    sureness: float
    least_coverage: float
    heads: Mapping[str, HeadCalibration]

    def apply(self, head: str, probabilities: NDArray[np.float32], languages: Sequence[str]) -> NDArray[np.float32]:
        """The graph's ``probabilities`` ``[n, classes]`` of texts in these ``languages`` ``[n]``, calibrated for each."""
        found = self.heads.get(head)
        if found is None or len(probabilities) == 0:
            return probabilities
        return at_temperature(probabilities, np.array([found.temperature_of(language) for language in languages]))

    def doubt(self, head: str, language: str, confidence: float) -> Doubt | None:
        """Why an answer of this ``confidence`` in ``language`` should not be given; None where it may."""
        found = self.heads.get(head)
        if found is None:
            return None
        confidence = round(confidence, 4)
        if language == UNKNOWN_LANGUAGE:
            return Doubt("language.unknown", "the language of the text is not known", confidence, None)
        one = found.languages.get(canonical(language))
        if one is None or not one.vouched or one.threshold is None:
            why = "no text of all classes to measure it on" if one is None else "measured, and not reliable enough"
            return Doubt("language.not_vouched", f"{head} in {language}: {why}", confidence, None)
        if confidence < one.threshold:
            return Doubt("confidence.low", f"{head}: confidence {confidence:.2f} is below {one.threshold:.2f}", confidence, one.threshold)
        return None

    def to_json(self) -> str:
        """The file's text."""
        record = asdict(self)
        for head, one in self.heads.items():
            record["heads"][head]["vouched"] = list(one.vouched)
        return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _reliance(record: Mapping[str, Any]) -> Reliance:
    threshold = record["threshold"]
    return Reliance(
        rows=int(record["rows"]),
        threshold_of=str(record["threshold_of"]),
        threshold=None if threshold is None else float(threshold),
        coverage=float(record["coverage"]),
        risk=float(record["risk"]),
        vouched=bool(record["vouched"]),
    )


def _head(record: Mapping[str, Any]) -> HeadCalibration:
    temperatures = [float(record["temperature"]), *map(float, record["groups"].values())]
    if not all(value > 0 for value in temperatures):
        raise ValueError("a temperature is not above 0")
    return HeadCalibration(
        target_risk=float(record["target_risk"]),
        temperature=temperatures[0],
        groups={str(name): float(value) for name, value in record["groups"].items()},
        languages={str(language): _reliance(one) for language, one in record["languages"].items()},
    )


def load_calibration(artifact: Artifact) -> Calibration | None:
    """The calibration of ``artifact``; None where it has none.

    Raises:
        ModelError: the file cannot be read, is damaged, belongs to another model, or has no checksum in ``config.json``.
    """
    path: Path = artifact.calibration_path
    if not path.is_file():
        return None
    again = f"bellwether models calibrate --artifact {artifact.root}"
    if CALIBRATION not in artifact.sha256:
        raise ModelError(f"{path} has no checksum in config.json: nobody knows whose it is", mend=again)
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != artifact.sha256[CALIBRATION]:
            raise ModelError(f"{path} is damaged: its checksum is not that of config.json", mend=again)
        record = json.loads(content)
        found = Calibration(
            model_id=str(record["model_id"]),
            sureness=float(record["sureness"]),
            least_coverage=float(record["least_coverage"]),
            heads={str(head): _head(one) for head, one in record["heads"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is not a model's calibration: {error!r}", mend=REINSTALL) from error
    if found.model_id != artifact.model_id:
        message = f"{path} is of the model {found.model_id}, not of {artifact.model_id}"
        raise ModelError(message, mend=again)
    return found
