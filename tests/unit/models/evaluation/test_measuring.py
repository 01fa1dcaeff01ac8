from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from models.artifact import Artifact, load_artifact
from models.data import LABELS
from models.errors import ModelError
from models.evaluation.comparison import compare
from models.evaluation.measuring import Evaluation, ScoredSet, known_classes, score_sets, summarise
from models.evaluation.metrics import Figures
from models.evaluation.picture import draw
from models.evaluation.report import headline, to_json, to_markdown
from models.languages import ENCODER_LANGUAGES, REPORTED_LANGUAGES

ARTIFACT = Artifact(
    Path("nowhere"),
    "tiny/1",
    ("negative", "neutral", "positive"),
    ("health", "sport"),
    96,
    "",
    MappingProxyType({}),
    MappingProxyType({}),
    ("en",),
)


def figures(accuracy: float, macro_f1: float) -> Figures:
    return Figures(10, accuracy, macro_f1, 2.0, 0.05, 0.7, 0.4, 0.2)


def bare(sets: dict[str, dict[str, Figures]], unseen: dict[str, Figures] | None = None) -> Evaluation:
    return Evaluation("tiny/1", None, sets, unseen or {}, {name: figures(50, 40) for name in sets}, {}, {})


def evaluation(languages: tuple[str, ...] = REPORTED_LANGUAGES) -> Evaluation:
    sib = {lang: figures(70 + index, 1) for index, lang in enumerate(languages)}
    umsab = {"all": figures(1, 99), "de": figures(1, 50), "en": figures(1, 60)}
    return bare({"umsab": umsab, "sib200": {"all": figures(1, 1), "tr": figures(0, 0), **sib}}, {"umsab": figures(33.3, 30)})


def test_headlines_are_means_over_languages_without_the_whole() -> None:
    assert evaluation().umsab_macro_f1() == pytest.approx(55)
    assert evaluation().sib200_accuracy() == pytest.approx(75)


def test_a_headline_with_a_language_missing_is_no_figure() -> None:
    assert evaluation(REPORTED_LANGUAGES[:-1]).sib200_accuracy() is None
    assert set(headline(bare({})).values()) == {None}


def test_the_reported_languages_are_the_encoders() -> None:
    assert len(REPORTED_LANGUAGES) == 11
    assert set(REPORTED_LANGUAGES) < ENCODER_LANGUAGES
    assert "tw" not in ENCODER_LANGUAGES


def scored(task: str, labels: list[int], answers: list[int], langs: list[str], sure: float = 0.8) -> ScoredSet:
    classes = 3 if task == "sentiment" else 2
    probabilities = np.full((len(labels), classes), (1 - sure) / (classes - 1), np.float32)
    probabilities[np.arange(len(labels)), answers] = sure
    names = ARTIFACT.labels(task)
    return ScoredSet(task, langs, np.array(labels), probabilities, names, {"of the train split": 3}, "the whole text is scored")


@pytest.fixture
def measured() -> Evaluation:
    tone = scored("sentiment", [0, 1, 2, 0], [0, 1, 1, 0], ["en", "en", "de", "tw"])
    topic = scored("topic", [0, 1], [0, 0], ["und", "und"], sure=0.6)
    return summarise(ARTIFACT, {"masakhanews": topic, "mine": tone}, None)


def test_figures_are_by_language_with_the_unseen_apart(measured: Evaluation) -> None:
    table = measured.sets["mine"]
    assert set(table) == {"all", "en", "de", "tw"}
    assert (table["all"].rows, table["all"].accuracy) == (3, pytest.approx(100 * 2 / 3))
    assert (measured.unseen["mine"].rows, measured.unseen["mine"].accuracy) == (1, 100)
    assert (measured.whole["mine"].rows, measured.whole["mine"].accuracy) == (4, 75)
    assert measured.sets["masakhanews"]["all"].rows == 2, "a language that is not stated is not an unseen one"
    assert "masakhanews" not in measured.unseen


def test_behind_a_set_stand_its_confusion_its_curves_and_what_was_left_out(measured: Evaluation) -> None:
    detail = measured.details["mine"]
    assert detail.classes == ["negative", "neutral", "positive"]
    assert detail.confusion == [[2, 0, 0], [0, 1, 0], [0, 1, 0]]
    (only,) = detail.reliability
    assert (only.rows, only.confidence, only.accuracy) == (4, pytest.approx(0.8), 0.75)
    assert detail.risk == pytest.approx([0.25] * 10), "answers of one confidence go together"
    pooled, mean = measured.calibration["sentiment"]
    assert pooled == pytest.approx(mean) == pytest.approx(0.05)


def test_json_and_markdown_carry_the_same_figures(measured: Evaluation) -> None:
    report = json.loads(to_json(measured))
    assert report["rows_a_set_and_language"] == "all"
    assert report["headline"]["masakhanews_weighted_f1"] == pytest.approx(33.33)
    assert report["headline"]["sentiment_ece_all_rows"] == 0.05
    assert report["headline"]["finfe_zh_accuracy"] is None
    one = report["sets"]["mine"]["de"]
    assert (one["rows"], one["accuracy"], one["ece"], one["nll"]) == (1, 0.0, 0.8, pytest.approx(-np.log(0.1), abs=1e-3))
    assert report["details"]["mine"]["confusion"] == [[2, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert report["details"]["mine"]["risk_at_coverage"]["100%"] == 0.25
    table = to_markdown(measured)
    assert "| mine | de | 1 | 0.0 | 0.0 | 0.0 | 0.800 |" in table
    assert "| mine | never seen by the encoder | 1 | 100.0 |" in table
    assert "| mine | every language | 4 | 75.0 |" in table
    assert "| positive | 0 | 1 | 0 |" in table
    assert "The whole text is scored." in table
    assert "Left out: 3 of the train split." in table


def test_the_picture_is_drawn_and_is_the_same_each_time(measured: Evaluation, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        draw(measured, tmp_path / name)
    first = (tmp_path / "one.svg").read_text(encoding="utf-8")
    assert first == (tmp_path / "two.svg").read_text(encoding="utf-8")
    assert first.startswith("<?xml")
    with pytest.raises(ModelError, match="no picture"):
        draw(measured, tmp_path / "one.txt")
    with pytest.raises(ModelError, match="cannot be written"):
        draw(measured, tmp_path / "absent" / "one.svg")


def test_a_set_of_two_classes_is_never_answered_with_the_third() -> None:
    from models.evaluation.measuring import _among

    given = np.array([[0.2, 0.7, 0.1], [0.0, 1.0, 0.0]], np.float32)
    kept = _among(given, (0, 2))
    assert kept[0] == pytest.approx([2 / 3, 0, 1 / 3])
    assert np.isfinite(kept).all()
    assert _among(given, (0, 1, 2)) is given


def test_an_evaluation_is_not_changed_by_its_report(measured: Evaluation) -> None:
    before = dataclasses.asdict(measured)
    to_json(measured)
    to_markdown(measured)
    assert dataclasses.asdict(measured) == before


def silent(what: str, done: int, total: int) -> None:
    """No progress is shown."""


def test_an_adapted_model_is_measured_by_its_own_classes_beside_one_without_them(tmp_path: Path) -> None:
    try:
        plain = load_artifact()
    except ModelError as error:
        pytest.skip(str(error))
    names = tuple("cricket" if name == "sport" else name for name in plain.topic_labels)
    adapted = dataclasses.replace(plain, topic_labels=names)
    texts = {"The striker scored twice as the team won the cup final": "Cricket", "Doctors warn of a new flu wave": "health"}
    lines = [json.dumps({"text": text, "label": label, "lang": "en"}) for text, label in texts.items()]
    (tmp_path / "desk.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ModelError, match="'Cricket'"):
        score_sets(plain, tmp_path, limit=None, progress=silent)
    alone = score_sets(adapted, tmp_path, limit=None, progress=silent)["desk"]
    assert alone.classes == (*LABELS["topic"], "cricket")
    classes = known_classes(plain, adapted)
    assert classes["sentiment"] == LABELS["sentiment"]
    found = score_sets(adapted, tmp_path, limit=None, progress=silent, classes=classes)
    before = score_sets(plain, tmp_path, limit=None, progress=silent, classes=classes)
    assert summarise(plain, found, None).whole["desk"].accuracy == 100
    assert summarise(plain, before, None).details["desk"].classes == ["health", "sport", "cricket"]
    accuracy = compare(("plain", before), ("adapted", found)).differences[0]
    assert (accuracy.first, accuracy.second) == (50, 100)
