from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from lexicon_encoder import LexiconEncoder

from models.data import Example
from models.robustness.measuring import BOUND, Interval, Robustness, measure_robustness
from models.robustness.report import to_json, to_markdown
from models.robustness.sentences import read_sentences

TABLE = """
companies = ["Apple", "Tesla"]
countries = ["US", "CN"]

[languages.en]
country_names = ["USA", "China"]
companies.positive = ["Good news: {company} wins again."]
companies.neutral = ["Today {company} meets."]
companies.negative = ["An awful day: {company} loses."]
countries.positive = ["Good times in {country} again."]
countries.neutral = ["Today {country} votes."]
countries.negative = ["An awful time in {country} again."]
genders = [["The chairman had a good day.", "The chairwoman had a good day."]]
negations = [["positive", "It is good.", "It isn't good."], ["negative", "It is awful.", "It isn't awful."]]
switches = [["a good day", "a buen day"]]
"""
PLAIN = {"good": 2.0, "awful": -3.0, "buen": 2.0}
REAL = [Example(text, "en", "umsab", "dev", "sentiment", (label,), (0, 1, 2)) for text, label in (("good things", 2), ("awful thing", 0))]


def measured(weights: dict[str, float], real: list[Example] | tuple[()] = ()) -> Robustness:
    encoder: Any = LexiconEncoder(weights)
    return measure_robustness(encoder, read_sentences(TABLE), lambda *_: None, real=real)


def test_a_model_that_minds_its_words_only_is_steady() -> None:
    found = measured(PLAIN)
    for change in found.sentences:
        if change.name != "typos":
            assert (change.moved.mean, change.drift.mean, change.largest, change.flips.mean) == (0, 0, 0, 0), change.name
    assert all(name.moved == Interval(0, 0, 0) and name.holds for name in found.names)
    assert [(spread.group, spread.rows, spread.largest, spread.flips) for spread in found.spreads] == [
        ("companies", 6, 0, 0),
        ("countries", 6, 0, 0),
    ]
    assert found.genders.drift.mean == 0
    assert found.genders_hold


def test_a_model_that_takes_offence_at_a_name_is_found_out() -> None:
    found = measured(PLAIN | {"tesla": -1.5, "chairwoman": -1.0})
    verdicts = {name.name: (name.holds, round(name.moved.mean, 6)) for name in found.names}
    assert verdicts["Tesla"][0] is verdicts["Apple"][0] is False
    assert verdicts["Tesla"][1] == -verdicts["Apple"][1] < -BOUND
    assert verdicts["US"] == verdicts["CN"] == (True, 0)
    companies, countries = found.spreads
    assert companies.largest > countries.largest == 0
    assert "Tesla" in companies.worst or "Apple" in companies.worst
    assert companies.flips > 0
    assert not found.genders_hold
    assert found.genders.drift.mean < -BOUND
    assert found.genders.worst == f"{'The chairman had a good day.'} → {'The chairwoman had a good day.'} ({found.genders.drift.mean:+.2f})"


def test_a_model_deaf_to_negation_is_found_out_and_one_that_hears_it_is_not() -> None:
    deaf = {one.tone: one for one in measured(PLAIN).negations}
    assert {tone: (one.turned.mean, one.left.mean, one.right) for tone, one in deaf.items()} == {
        "positive": (0, 0, 1),
        "negative": (0, 0, 1),
    }
    hears = {one.tone: one for one in measured(PLAIN | {"isn't": -2.5}).negations}
    assert (hears["positive"].turned.mean, hears["positive"].left.mean) == (1, 1)
    assert (hears["negative"].turned.mean, hears["negative"].left.mean) == (0, 0)
    assert hears["positive"].by_language == {"en": 1.0}


def test_code_switching_that_hides_the_tone_is_seen() -> None:
    (change,) = [one for one in measured({"good": 2.0}).sentences if one.name == "a part in another language"]
    assert (change.rows, change.flips.mean, change.worst.split(" (")[0]) == (1, 1, "a good day → a buen day")
    assert change.drift.mean < 0 < change.moved.mean == change.largest == change.by_language["en"]


def test_labelled_texts_show_what_the_changes_cost() -> None:
    (capitals,) = [one for one in measured(PLAIN, REAL).real if one.name == "all capitals"]
    assert (capitals.rows, capitals.f1, capitals.f1_change) == (2, (100.0, 100.0), Interval(0, 0, 0))
    typos = next(one for one in measured(PLAIN, REAL).real if one.name == "typos")
    assert typos.f1 is not None
    assert typos.f1[0] == 100.0
    assert typos.f1_change is not None
    assert typos.f1_change.low <= typos.f1_change.mean == typos.f1[1] - 100.0 <= typos.f1_change.high <= 0
    assert measured(PLAIN).real == []


def test_every_text_is_scored_once_and_progress_ends_whole() -> None:
    encoder: Any = LexiconEncoder(PLAIN)
    steps: list[tuple[int, int]] = []
    measure_robustness(encoder, read_sentences(TABLE), lambda _, done, total: steps.append((done, total)))
    assert len(encoder.asked) == len(set(encoder.asked)) == steps[-1][0] == steps[-1][1]


def test_the_same_call_gives_the_same_report() -> None:
    assert to_json(measured(PLAIN, REAL)) == to_json(measured(PLAIN, REAL))


def test_an_interval_holds_its_mean_and_narrows_with_more_sentences() -> None:
    random = np.random.default_rng(3)
    few, many = (Interval.of(random.normal(0.3, 0.1, size)) for size in (20, 2_000))
    for one in (few, many):
        assert one.low < one.mean < one.high
    assert many.high - many.low < (few.high - few.low) / 3
    assert Interval.of(np.zeros(0)) == Interval(0, 0, 0)


def test_the_markdown_names_who_is_beyond_the_bound() -> None:
    steady, biased = to_markdown(measured(PLAIN, REAL)), to_markdown(measured(PLAIN | {"tesla": -1.5}, REAL))
    assert "None of 4 names does." in steady
    assert "2 of 4 names do." in biased
    assert "**no**" in biased
    assert "**no**" not in steady
    assert "macro-F1 before → after" in steady
    assert "### The same changes on labelled text" in steady
    assert "labelled text" not in to_markdown(measured(PLAIN))


def test_tables_are_whole() -> None:
    lines = to_markdown(measured(PLAIN | {"tesla": -1.5}, REAL)).splitlines()
    tables = [list(rows) for is_table, rows in groupby(lines, lambda line: line.startswith("|")) if is_table]
    assert len(tables) == 8
    for rows in tables:
        assert len({row.count("|") for row in rows}) == 1, rows[0]


def test_the_json_says_the_verdicts() -> None:
    record = json.loads(to_json(measured(PLAIN | {"tesla": -1.5})))
    assert record["bound"] == BOUND
    assert {entry["name"]: entry["holds"] for entry in record["names"]} == {"Apple": False, "Tesla": False, "US": True, "CN": True}
    assert record["genders_hold"] is True
    assert record["model_id"] == "lexicon/1+00000000"


@pytest.mark.parametrize("weights", [PLAIN, {}])
def test_a_model_that_never_finds_the_tone_is_still_reported(weights: dict[str, float]) -> None:
    found = measured(weights)
    assert all(one.right == (1 if weights else 0) for one in found.negations)
    assert "### Negation" in to_markdown(found)
