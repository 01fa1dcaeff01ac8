"""What becomes of the model's answers where it is not to be relied on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import structlog

from models.calibration.record import Calibration, HeadCalibration, Reliance
from streams.documents import Abstention
from streams.errors import BellwetherError
from streams.scoring.contract import Scores
from streams.scoring.reliability import Reliability
from streams.settings import ScoringSettings

MODEL = "tiny/0.1+abcdef12"


def head(threshold: float, temperature: float = 1.0) -> HeadCalibration:
    return HeadCalibration(0.35, temperature, {}, {"en": Reliance(200, "language", threshold, 0.8, 0.2, vouched=True)})


def calibration(**heads: HeadCalibration) -> Calibration:
    return Calibration(MODEL, 0.9, 0.5, heads or {"sentiment": head(0.6), "topic": head(0.5)})


def scores(*sentiments: Sequence[float], topic: Sequence[float] = (0.9, 0.1)) -> Scores:
    rows = len(sentiments)
    return Scores(np.array(sentiments, np.float32), np.array([topic] * rows, np.float32), np.ones((rows, 2), np.float32))


def judged(reliability: Reliability, given: Scores, languages: Sequence[str], model_id: str = MODEL) -> list[tuple[Abstention, ...]]:
    return reliability.abstentions(given, model_id, ("health", "sport"), languages)


def test_each_head_abstains_for_itself() -> None:
    found = judged(Reliability(calibration(), "confidence"), scores([0.9, 0.05, 0.05], [0.4, 0.3, 0.3]), ["en", "en"])
    assert found[0] == ()
    (only,) = found[1]
    assert (only.head, only.reason, only.threshold) == ("sentiment", "confidence.low", 0.6)
    assert only.confidence == pytest.approx(0.4)
    assert only.probabilities == {"negative": 0.4, "neutral": 0.3, "positive": 0.3}
    unsure = judged(Reliability(calibration(), "confidence"), scores([0.9, 0.05, 0.05], topic=(0.45, 0.45)), ["en"])
    assert [one.head for one in unsure[0]] == ["topic"]
    assert set(unsure[0][0].probabilities) == {"health", "sport"}


@pytest.mark.parametrize(
    ("abstain", "reasons"),
    [
        ("off", [None, None, None]),
        ("languages", [None, "language.not_vouched", "language.unknown"]),
        ("confidence", ["confidence.low", "language.not_vouched", "language.unknown"]),
    ],
)
def test_how_much_is_withheld_is_a_setting(abstain: str, reasons: list[str | None]) -> None:
    given = scores([0.5, 0.3, 0.2], [0.99, 0.005, 0.005], [0.99, 0.005, 0.005])
    found = judged(Reliability(calibration(sentiment=head(0.6)), abstain), given, ["en", "fo", "und"])
    assert [one[0].reason if one else None for one in found] == reasons


def test_scores_are_calibrated_for_the_language_before_they_are_judged() -> None:
    reliability = Reliability(calibration(sentiment=head(0.6, temperature=4.0)), "confidence")
    after = reliability.calibrated(scores([0.7, 0.2, 0.1]), MODEL, ["en"])
    assert after.sentiment[0, 0] < 0.6
    assert after.sentiment.sum() == pytest.approx(1)
    assert judged(reliability, after, ["en"])[0][0].reason == "confidence.low"


def test_a_model_that_was_not_measured_is_taken_at_its_word_and_said_once() -> None:
    reliability = Reliability(calibration(sentiment=head(0.6, temperature=4.0)), "confidence")
    given = scores([0.4, 0.3, 0.3])
    with structlog.testing.capture_logs() as logs:
        assert reliability.calibrated(given, "other/2", ["fo"]) is given
        assert judged(reliability, given, ["fo"], "other/2") == [()]
    assert [log["answers"] for log in logs] == ["other/2"]


def test_a_model_without_topics_abstains_on_none() -> None:
    given = Scores(np.array([[0.9, 0.05, 0.05]], np.float32), np.zeros((1, 0), np.float32), np.ones((1, 2), np.float32))
    reliability = Reliability(calibration(), "confidence")
    assert reliability.abstentions(given, MODEL, (), ["en"]) == [()]


def folder(root: Path, content: str | None) -> Path:
    root.mkdir()
    (root / "model.onnx").write_bytes(b"graph")
    (root / "tokenizer.json").write_text("{}")
    config: dict[str, object] = {"model_id": MODEL, "max_length": 9, "prefix": "", "temperatures": {}, "languages": ["en"]}
    config |= {"sentiment_labels": ["negative", "neutral", "positive"], "topic_labels": ["health", "sport"], "sha256": {}}
    if content is not None:
        (root / "calibration.json").write_text(content)
        config["sha256"] = {"calibration.json": hashlib.sha256(content.encode()).hexdigest()}
    (root / "config.json").write_text(json.dumps(config))
    return root


def test_the_calibration_is_that_of_the_model_folder(tmp_path: Path) -> None:
    settings = ScoringSettings(model=folder(tmp_path / "with", calibration().to_json()))
    found = judged(Reliability.of_settings(settings), scores([0.99, 0.005, 0.005]), ["fo"])
    assert [one.reason for one in found[0]] == ["language.not_vouched"] * 2


def test_a_folder_without_one_or_no_folder_withholds_nothing(tmp_path: Path) -> None:
    for model in (folder(tmp_path / "without", None), tmp_path / "absent"):
        reliability = Reliability.of_settings(ScoringSettings(model=model))
        assert judged(reliability, scores([0.4, 0.3, 0.3]), ["fo"]) == [()]


def test_a_broken_calibration_is_a_fault_with_a_mend(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match="not a model's calibration") as caught:
        Reliability.of_settings(ScoringSettings(model=folder(tmp_path / "broken", "{}")))
    assert caught.value.mend
