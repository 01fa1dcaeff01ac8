from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data import LABELS, Example
from models.texts.mixture import Lesson, Lessons, Mixture, class_factors, normalised, read_lessons, targets
from models.training.configuration import Mixing

NEWS = "twitter_financial_topic"


def lesson(text: str, source: str = "umsab", lang: str = "en", label: int = 0) -> Lesson:
    example = Example(text, lang, source, "train", "sentiment", (label,), (0, 1, 2))
    return Lesson(text, lang, source, {"sentiment": example})


def lessons(**sizes: int) -> Lessons:
    """``set_language=rows``: the language stands behind the last underscore."""
    groups = {}
    for name, size in sizes.items():
        source, lang = name.rsplit("_", 1)
        groups[source, lang] = [lesson(f"{name} {row}", source, lang) for row in range(size)]
    return Lessons(groups, [])


def write(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    path = folder / "train" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def row(text: str, label: str, source: str, split: str = "train", lang: str = "en") -> dict[str, str]:
    return {"text": text, "label": label, "lang": lang, "source": source, "split": split}


def test_near_duplicates_are_equal_without_case_links_mentions_and_digits() -> None:
    assert normalised("Profit UP 3%! https://t.co/abc @bank") == normalised("profit up 14% …") == "profitup"
    assert normalised("利润 增长 3%") == "利润增长"
    assert normalised("3% https://t.co/a") != normalised("4% https://t.co/b"), "nothing is left: the text itself counts"


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing_and_never_leaves_nothing(text: str) -> None:
    once = normalised(text)
    assert bool(once) == bool(text)
    assert normalised(text.upper().lower()) == normalised(text.upper().lower().casefold())


def test_one_text_teaches_topic_and_event(tmp_path: Path) -> None:
    write(tmp_path, f"topic/{NEWS}.jsonl", [row("Acme buys Bcme", "M&A | Investments", NEWS), row("Hello", "General News | Opinion", NEWS)])
    read = read_lessons(tmp_path, Mixing(), dev_rows=5)
    by_text = {one.text: one for one in read.train[NEWS, "en"]}
    assert set(by_text["Acme buys Bcme"].answers) == {"topic", "event"}
    assert set(by_text["Hello"].answers) == {"event"}, "general news has no topic"
    taught = targets([by_text["Hello"], by_text["Acme buys Bcme"]], "event")
    assert [LABELS["event"][index] for index in taught.right.argmax(1)] == ["other", "mergers and acquisitions"]
    topics = targets([by_text["Hello"], by_text["Acme buys Bcme"]], "topic")
    assert topics.universe.any(1).tolist() == [False, True]


def test_a_train_row_close_to_a_dev_row_of_another_set_or_to_an_earlier_row_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "sentiment_general/umsab.jsonl", [row("Great day 1!", "positive", "umsab"), row("Awful", "negative", "umsab")])
    rows = [row("great DAY 2", "positive", "tweeteval_sentiment", "dev"), row("awful!!", "negative", "tweeteval_sentiment")]
    write(tmp_path, "sentiment_general/tweeteval_sentiment.jsonl", [*rows, row("Fine", "neutral", "tweeteval_sentiment")])
    read = read_lessons(tmp_path, Mixing(), dev_rows=5)
    assert sorted(one.text for group in read.train.values() for one in group) == ["Fine", "awful!!"]
    assert [one.text for one in read.dev] == ["great DAY 2"]
    assert read.dev_examples("sentiment")[0] == [0]
    assert read.dev_examples("topic") == ([], [])


def test_rows_of_a_group_are_limited_and_languages_never_seen_more_so(tmp_path: Path) -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    rows = [row(f"{word} {lang}", "positive", "nusax", lang=lang) for word in words for lang in ("id", "ace")]
    write(tmp_path, "sentiment_general/nusax.jsonl", rows)
    read = read_lessons(tmp_path, Mixing(limit=6, unseen=0.5), dev_rows=5)
    assert {lang: len(group) for (_, lang), group in read.train.items()} == {"id": 6, "ace": 3}
    larger = read_lessons(tmp_path, Mixing(limit=8, unseen=0.5), dev_rows=5)
    assert read.train["nusax", "id"] == larger.train["nusax", "id"][:6]


def test_quotas_follow_the_root_of_the_size_and_never_repeat_a_row_too_often() -> None:
    mixing = Mixing(rows=100, topic=0.0, finance=0.0, repeats=2.0)
    quotas = Mixture(lessons(umsab_en=100, umsab_de=400, umsab_hi=4), mixing, 1).quotas
    assert quotas["umsab", "de"] == pytest.approx(2 * quotas["umsab", "en"], abs=1)
    assert quotas["umsab", "hi"] == 6
    scarce = Mixture(lessons(umsab_en=100, umsab_hi=2), dataclasses.replace(mixing, rows=1_000), 1).quotas
    assert scarce == {("umsab", "en"): 200, ("umsab", "hi"): 4}


def test_domains_get_their_shares_and_emphasis_moves_quotas_within_one() -> None:
    sizes = lessons(umsab_en=500, sentfin_en=500, cnbc_id_id=500, sib200_en=500)
    mixing = Mixing(rows=200, topic=0.25, finance=0.4)
    plain = Counter({source: quota for (source, _), quota in Mixture(sizes, mixing, 1).quotas.items()})
    assert plain == {"umsab": 90, "sentfin": 30, "cnbc_id": 30, "sib200": 50}
    stressed = Mixture(sizes, dataclasses.replace(mixing, emphasis={"sentfin": 3.0}), 1).quotas
    assert (stressed["sentfin", "en"], stressed["cnbc_id", "id"], stressed["umsab", "en"]) == (45, 15, 90)


@settings(max_examples=25)
@given(size=st.integers(1, 40), quota=st.integers(1, 30), passes=st.integers(1, 4))
def test_passes_go_on_where_the_last_one_stopped(size: int, quota: int, passes: int) -> None:
    mixture = Mixture(lessons(umsab_en=size), Mixing(rows=quota, topic=0.0, finance=0.0, repeats=1.0), 3)
    counts = Counter(one.text for number in range(passes) for one in mixture.of_pass(number))
    assert counts.total() == passes * mixture.rows == passes * min(quota, size)
    seen = [counts[f"umsab_en {row}"] for row in range(size)]
    assert max(seen) - min(seen) <= 1, "no row comes again before every row has come"


def test_a_pass_is_the_same_on_every_run_and_another_pass_or_seed_is_another_order() -> None:
    mixing = Mixing(rows=60, topic=0.0, finance=0.0)
    orders = [
        [one.text for one in Mixture(lessons(umsab_en=60), mixing, seed).of_pass(number)]
        for seed, number in ((1, 0), (1, 0), (1, 1), (2, 0))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]
    assert sorted(orders[0]) == sorted(orders[3])


def test_a_run_that_goes_on_from_another_begins_with_the_rows_after_it() -> None:
    sizes, mixing = lessons(umsab_en=90), Mixing(rows=30, topic=0.0, finance=0.0)
    earlier = Mixture(sizes, mixing, 1)
    later = Mixture(sizes, dataclasses.replace(mixing, passes_seen=1), 1)
    first, second = ({one.text for one in mixture.of_pass(0)} for mixture in (earlier, later))
    assert len(first) == len(second) == 30
    assert not first & second
    assert second == {one.text for one in earlier.of_pass(1)}


def test_rare_classes_weigh_more_within_bounds_and_partial_labels_do_not_count() -> None:
    rows = [lesson(str(index), label=0) for index in range(100)] + [lesson(f"n{index}", label=1) for index in range(25)]
    partial = Example("p", "en", "finnsp_zh", "train", "sentiment", (1, 2), (0, 1, 2))
    factors = class_factors(targets([*rows, Lesson("p", "zh", "finnsp_zh", {"sentiment": partial})], "sentiment"))
    assert factors[1] == pytest.approx(2 * factors[0], rel=0.01)
    assert factors[2] == 2.0
    assert np.all((factors >= 0.5) & (factors <= 2.0))
