from __future__ import annotations

import json

import pytest

from models.evaluation import Evaluation
from models.languages import ENCODER_LANGUAGES, REPORTED_LANGUAGES
from models.metrics import Figures


def figures(accuracy: float, macro_f1: float) -> Figures:
    return Figures(10, accuracy, macro_f1, 0.05)


def evaluation(languages: tuple[str, ...] = REPORTED_LANGUAGES) -> Evaluation:
    sib = {lang: figures(70 + index, 1) for index, lang in enumerate(languages)}
    return Evaluation(
        "tiny/1",
        None,
        {
            "umsab": {"all": figures(1, 99), "de": figures(1, 50), "en": figures(1, 60)},
            "sib200": {"all": figures(1, 1), "tr": figures(0, 0), **sib},
        },
        {"afrisenti": figures(33.3, 30)},
    )


def test_headlines_are_means_over_languages_without_the_whole() -> None:
    assert evaluation().umsab_macro_f1() == pytest.approx(55)
    assert evaluation().sib200_accuracy() == pytest.approx(75)


def test_a_headline_with_a_language_missing_is_no_figure() -> None:
    assert evaluation(REPORTED_LANGUAGES[:-1]).sib200_accuracy() is None
    assert Evaluation("tiny/1", 5, {}, {}).umsab_macro_f1() is None


def test_json_and_markdown_carry_the_same_figures() -> None:
    report = json.loads(evaluation().to_json())
    assert report["rows_a_set_and_language"] == "all"
    assert report["headline"] == {"umsab_macro_f1_mean_over_languages": 55.0, "sib200_accuracy_mean_of_eleven": 75.0}
    assert report["sets"]["umsab"]["de"] == {"rows": 10, "accuracy": 1.0, "macro_f1": 50.0, "ece": 0.05}
    table = evaluation().to_markdown()
    assert "| umsab | de | 10 | 1.0 | 50.0 | 0.050 |" in table
    assert "| afrisenti | never seen by the encoder | 10 | 33.3 | 30.0 | 0.050 |" in table


def test_the_reported_languages_are_the_encoders() -> None:
    assert len(REPORTED_LANGUAGES) == 11
    assert set(REPORTED_LANGUAGES) < ENCODER_LANGUAGES
    assert "tw" not in ENCODER_LANGUAGES
