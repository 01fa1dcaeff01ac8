from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from models.artifact import Artifact, load_artifact
from models.calibration.fitting import Rules, dev_examples, fit_head, write_calibration
from models.calibration.record import Calibration, HeadCalibration, Reliance, load_calibration
from models.calibration.temperature import at_temperature, expected_calibration_error, softmax
from models.errors import ModelError

SURE = Reliance(200, "language", 0.6, 0.8, 0.2, vouched=True)
WEAK = Reliance(200, "language", None, 0.0, 0.5, vouched=False)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "model.onnx").write_bytes(b"graph")
    (root / "tokenizer.json").write_text("{}")
    config = {
        "model_id": "tiny/0.1+abcdef12",
        "sentiment_labels": ["negative", "neutral", "positive"],
        "topic_labels": ["health", "sport"],
        "max_length": 96,
        "prefix": "",
        "temperatures": {"sentiment": 1.2},
        "languages": ["en"],
        "sha256": {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in ("model.onnx", "tokenizer.json")},
    }
    (root / "config.json").write_text(json.dumps(config))
    return load_artifact(root)


def calibration(model_id: str = "tiny/0.1+abcdef12") -> Calibration:
    tone = HeadCalibration(0.35, 1.5, {"english": 2.0}, {"en": SURE, "no": SURE, "ha": WEAK})
    return Calibration(model_id, 0.9, 0.5, {"sentiment": tone})


def test_what_is_written_is_read_again_and_verifies(artifact: Artifact) -> None:
    assert load_calibration(artifact) is None
    write_calibration(artifact, calibration())
    again = load_artifact(artifact.root)
    again.verify()
    assert load_calibration(again) == calibration()
    assert json.loads(again.calibration_path.read_text())["heads"]["sentiment"]["vouched"] == ["en", "no"]


def test_a_changed_file_is_damaged(artifact: Artifact) -> None:
    write_calibration(artifact, calibration())
    path = artifact.calibration_path
    path.write_text(path.read_text().replace("0.6", "0.1"))
    again = load_artifact(artifact.root)
    for check in (again.verify, lambda: load_calibration(again)):
        with pytest.raises(ModelError, match="damaged"):
            check()


def test_a_file_that_nobody_signed_is_not_taken(artifact: Artifact) -> None:
    artifact.calibration_path.write_text(calibration().to_json())
    with pytest.raises(ModelError, match="no checksum") as caught:
        load_calibration(artifact)
    assert "models calibrate" in caught.value.mend


def test_a_file_that_is_signed_and_gone_is_missed(artifact: Artifact) -> None:
    write_calibration(artifact, calibration())
    artifact.calibration_path.unlink()
    with pytest.raises(ModelError, match=r"no calibration\.json"):
        load_artifact(artifact.root).verify()


def test_another_models_calibration_is_refused(artifact: Artifact) -> None:
    write_calibration(artifact, calibration("tiny/0.2+00000000"))
    with pytest.raises(ModelError, match=r"of the model tiny/0\.2"):
        load_calibration(load_artifact(artifact.root))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"model_id": 1, "sureness": 1, "least_coverage": 1, "heads": {"sentiment": {}}}'])
def test_a_file_of_something_else_is_an_error(artifact: Artifact, content: str) -> None:
    artifact.calibration_path.write_text(content)
    signed = dataclasses.replace(artifact, sha256={"calibration.json": hashlib.sha256(content.encode()).hexdigest()})
    with pytest.raises(ModelError, match="not a model's calibration"):
        load_calibration(signed)


def test_each_text_has_the_temperature_of_its_languages_group() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1]] * 3, np.float32)
    found = calibration().apply("sentiment", probabilities, ["en", "pcm", "zh"])
    assert found[0] == pytest.approx(at_temperature(probabilities[:1], 2.0)[0])
    assert found[0].tolist() == found[1].tolist(), "pidgin is of the English group"
    assert found[2] == pytest.approx(at_temperature(probabilities[:1], 1.5)[0])


def test_a_head_that_was_not_measured_is_left_as_it_is() -> None:
    probabilities = np.array([[0.8, 0.2]], np.float32)
    assert calibration().apply("topic", probabilities, ["en"]) is probabilities
    assert calibration().doubt("topic", "xx", 0.1) is None


@pytest.mark.parametrize(
    ("language", "confidence", "reason"),
    [
        ("en", 0.61, None),
        ("en", 0.6, None),
        ("nb", 0.7, None),
        ("en", 0.59, "confidence.low"),
        ("ha", 0.99, "language.not_vouched"),
        ("fo", 0.99, "language.not_vouched"),
        ("und", 0.99, "language.unknown"),
    ],
)
def test_where_an_answer_is_doubted(language: str, confidence: float, reason: str | None) -> None:
    doubt = calibration().doubt("sentiment", language, confidence)
    assert (doubt.reason if doubt else None) == reason
    if doubt is not None:
        assert doubt.confidence == confidence
        assert doubt.threshold == (0.6 if reason == "confidence.low" else None)
        assert doubt.detail


def drawn(rows: int, temperature: float, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are honest at ``temperature``, and labels."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, spread, (rows, 3))
    labels = np.array([random.choice(3, p=row) for row in softmax(logits / temperature)])
    return softmax(logits).astype(np.float32), labels


def test_a_head_is_fitted_by_group_and_its_languages_are_judged_one_by_one() -> None:
    parts = {"en": drawn(800, 2.0, 6, 1), "zh": drawn(800, 0.5, 1.5, 2), "ha": drawn(300, 4.0, 2, 3), "yo": drawn(40, 1.0, 0.2, 4)}
    parts |= {"de": drawn(400, 1.0, 8, 5), "da": drawn(40, 1.0, 8, 6), "sv": drawn(10, 1.0, 8, 7)}
    languages = [language for language, (_, labels) in parts.items() for _ in labels]
    probabilities = np.concatenate([one for one, _ in parts.values()])
    labels = np.concatenate([one for _, one in parts.values()])
    head = fit_head(probabilities, labels, languages, Rules(target_risk=0.3))
    assert head.groups["english"] == pytest.approx(2.0, rel=0.25)
    assert head.groups["chinese"] == pytest.approx(0.5, rel=0.25)
    assert head.temperature_of("ja") == head.temperature
    assert {"en", "zh", "de", "da"} <= set(head.vouched)
    assert head.languages["da"].threshold_of == "group"
    assert head.languages["da"].threshold is not None
    assert not head.languages["sv"].vouched, "ten texts say nothing"
    assert head.languages["ha"].threshold is None
    assert head.languages["ha"].risk > 0.4
    assert not head.languages["yo"].vouched
    assert all(one.risk <= 0.3 and one.coverage >= 0.5 for one in head.languages.values() if one.vouched)
    of = Calibration("m", 0.9, 0.5, {"sentiment": head})
    after = of.apply("sentiment", probabilities, languages)
    assert expected_calibration_error(after, labels) < expected_calibration_error(probabilities, labels) - 0.02


@pytest.mark.parametrize(("wrong", "vouched"), [(5, True), (12, True), (19, False), (20, False)])
def test_a_language_of_few_texts_is_vouched_for_only_where_luck_is_unlikely(wrong: int, vouched: bool) -> None:
    """Of 60 texts 20 wrong are below 35 %; but where 35 % is the truth, even 16 or fewer come about once in nine times."""

    def answers(rows: int, errors: int) -> tuple[np.ndarray, np.ndarray]:
        return np.tile(np.array([[0.9, 0.05, 0.05]], np.float32), (rows, 1)), np.array([1] * errors + [0] * (rows - errors))

    many, few = answers(400, 40), answers(60, wrong)
    probabilities, labels = (np.concatenate(parts) for parts in zip(many, few, strict=True))
    head = fit_head(probabilities, labels, ["de"] * 400 + ["da"] * 60, Rules(target_risk=0.35))
    assert head.languages["da"].threshold_of == "group"
    assert head.languages["da"].risk == pytest.approx(wrong / 60, abs=1e-4)
    assert head.languages["da"].vouched is vouched
    assert head.languages["de"].vouched


def test_dev_rows_that_cannot_show_an_error_are_left_out(tmp_path: Path) -> None:
    def write(kind: str, name: str, rows: list[tuple[str, str, str]]) -> None:
        folder = tmp_path / "train" / kind
        folder.mkdir(parents=True, exist_ok=True)
        records = [
            {"text": f"{label} {lang} {split} {index}", "label": label, "lang": lang, "source": name, "split": split}
            for index, (label, lang, split) in enumerate(rows)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, records)))

    tones = [("negative", "en", "dev"), ("positive", "en", "dev"), ("neutral", "en", "train"), ("neutral", "de", "dev")]
    write("sentiment_general", "umsab", [*tones, ("negative", "hi", "dev"), ("positive", "hi", "dev")])
    write("sentiment_general", "mozetic_tweets", [("negative", "pl", "dev"), ("positive", "pl", "dev")])
    found = dev_examples(tmp_path, "sentiment", lambda source, lang: 10)
    assert sorted((one.lang, one.targets) for one in found) == [("en", (0,)), ("en", (2,))]
    assert len(dev_examples(tmp_path, "sentiment", lambda source, lang: 1)) == 1
    with pytest.raises(ModelError, match="no sets with topic"):
        dev_examples(tmp_path, "topic", lambda source, lang: 10)
