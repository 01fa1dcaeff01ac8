"""What the newswire says: languages, companies, the bank's crisis, the control bank and the copies, against the ground truth."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from streams import newswire
from streams.newswire import SampleEntity, Truth

BANK = "caldrava-bank"
CONTROL = "ostwen-bank"
NOON = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)
EVENING = datetime(2026, 3, 4, 19, 0, tzinfo=UTC)
LANGUAGES = {"en", "zh", "ja", "ko", "ar", "hi", "ru", "de", "fr", "es", "pt", "id", "tr", "vi", "it", "fa", "uk"}

ITEMS: dict[str, dict[str, Any]] = {item["url"]: item for item in map(json.loads, newswire.NEWSWIRE.read_bytes().splitlines())}
TRUTH = newswire.truths()
ENTITIES = newswire.entities()

REAL_NAMES = (
    *("Deutsche Bank", "Commerzbank", "Credit Suisse", "Silicon Valley Bank", "Santander", "BBVA", "HSBC", "Barclays", "JPMorgan"),
    *("Goldman", "Société Générale", "BNP Paribas", "UniCredit", "Itaú", "Bradesco", "Garanti", "Vietcombank", "ПриватБанк", "Сбербанк"),
    *("Apple", "Google", "Microsoft", "Amazon", "Samsung", "Sony", "Nintendo", "Huawei", "Alibaba", "Tencent", "Netflix", "Telegram"),
    *("Toyota", "Tesla", "Volkswagen", "Nestlé", "Pfizer", "Shell", "BP", "Petrobras", "Lufthansa", "Ryanair", "Emirates", "Gojek"),
    *("Binance", "Coinbase", "Real Madrid", "Barcelona", "Bayern", "Reuters", "Bloomberg", "Facebook", "Twitter", "Газпром", "Яндекс"),
    *("工商银行", "阿里巴巴", "腾讯", "华为", "三菱", "トヨタ", "任天堂", "ソニー", "삼성", "현대자동차"),
    *("टाटा", "रिलायंस", "أرامكو", "الراجحي"),
)


def said(url: str) -> str:
    return f"{ITEMS[url]['title']}\n{ITEMS[url]['text']}"


def at(url: str) -> datetime:
    return datetime.fromisoformat(ITEMS[url]["published_at"]).astimezone(UTC)


def about(entity: str) -> list[Truth]:
    return sorted((truth for truth in TRUTH.values() if entity in truth.entities), key=lambda truth: at(truth.url))


def names(entity: SampleEntity) -> tuple[str, ...]:
    return (*entity.names, *entity.tickers)


def test_there_is_a_truth_for_every_item_and_no_other() -> None:
    assert set(TRUTH) == set(ITEMS)
    assert len(newswire.TRUTH.read_bytes().splitlines()) == len(TRUTH)
    assert [at(url) for url in TRUTH] == sorted(at(url) for url in TRUTH)


def test_languages() -> None:
    languages = Counter(truth.language for truth in TRUTH.values())
    assert languages.most_common(1)[0][0] == "en"
    assert languages["en"] >= 70
    assert {language for language, count in languages.items() if count >= 18} == LANGUAGES
    assert {"he", "th", "sw", "und"} <= set(languages)


def test_each_language_has_its_originals_and_a_copy() -> None:
    for language in LANGUAGES:
        mine = [truth for truth in TRUTH.values() if truth.language == language]
        assert sum(truth.near_copy_of is None for truth in mine) >= 18, language
        assert any(truth.near_copy_of is not None for truth in mine), language


@pytest.mark.parametrize(
    ("language", "letters"),
    [
        ("zh", "[一-鿿]"),
        ("ja", "[ぁ-ヿ草]"),
        ("ko", "[가-힣ㅋ]"),
        ("ar", "[ء-ي]"),
        ("fa", "[ء-یپچژگ]"),
        ("ru", "[а-яё]"),
        ("uk", "[а-яіїєґ]"),
        ("hi", "[ऀ-ॿ]|Train"),
        ("th", "[ก-๛]"),
        ("he", "[א-ת]"),
    ],
)
def test_texts_are_in_the_script_of_their_language(language: str, letters: str) -> None:
    for truth in TRUTH.values():
        if truth.language == language:
            assert re.search(letters, said(truth.url)), said(truth.url)


def test_sentiment_is_mixed_and_ordinary_before_the_crisis() -> None:
    before = Counter(truth.sentiment for truth in TRUTH.values() if at(truth.url) < NOON)
    total = sum(before.values())
    assert before["neutral"] / total > 0.3
    assert before["positive"] / total > 0.3
    assert 0.04 < before["negative"] / total < 0.15


def test_counts_are_those_of_the_files() -> None:
    counts = newswire.counts()
    lines = newswire.NEWSWIRE.read_bytes().splitlines()
    assert counts.messages == len(list(newswire.documents())) == counts.items + counts.exact_duplicates + counts.unreadable
    assert counts.items == len(set(lines)) == sum(counts.languages.values())
    assert counts.exact_duplicates == len(lines) - len(set(lines))
    assert counts.near_copies == sum(truth.near_copy_of is not None for truth in TRUTH.values())
    assert counts.unreadable == len(newswire.UNREADABLE.read_bytes().splitlines())
    assert counts.languages == Counter(truth.language for truth in TRUTH.values())


def test_about_25_companies_of_every_kind() -> None:
    assert newswire.entities_path() == newswire.ENTITIES
    assert len(ENTITIES) >= 25
    assert len({entity.id for entity in ENTITIES}) == len(ENTITIES)
    assert Counter(entity.kind for entity in ENTITIES) >= Counter({"company": 15, "bank": 2, "club": 3})
    tickers = [ticker for entity in ENTITIES for ticker in entity.tickers]
    assert len(tickers) == len(set(tickers))


def test_every_company_is_in_the_news() -> None:
    named = {entity for truth in TRUTH.values() for entity in truth.entities}
    assert named == {entity.id for entity in ENTITIES}


def test_no_name_hides_in_the_name_of_another() -> None:
    for one in ENTITIES:
        for other in ENTITIES:
            if one.id != other.id:
                assert not [(a, b) for a in names(one) for b in names(other) if a.casefold() in b.casefold()]


def test_the_texts_name_exactly_the_entities_of_the_truth() -> None:
    for truth in TRUTH.values():
        text = said(truth.url)
        found = {entity.id for entity in ENTITIES if any(name in text for name in names(entity))}
        assert found == set(truth.entities), text


def test_latin_names_stand_as_whole_words() -> None:
    for truth in TRUTH.values():
        text = said(truth.url)
        for entity in ENTITIES:
            if entity.id in truth.entities:
                latin = [name for name in names(entity) if name.isascii() and name in text]
                assert not latin or any(re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", text) for name in latin), text


def test_no_real_company_is_named() -> None:
    everything = "\n".join(said(url) for url in ITEMS) + "\n".join(name for entity in ENTITIES for name in names(entity))
    found = [name for name in REAL_NAMES if re.search(rf"(?<!\w){re.escape(name)}", everything, re.IGNORECASE if len(name) > 4 else 0)]
    assert found == []


def test_the_bank_has_an_ordinary_past_in_many_languages() -> None:
    past = [truth for truth in about(BANK) if at(truth.url) < NOON]
    assert {truth.sentiment for truth in past} == {"neutral", "positive"}
    assert sum(truth.near_copy_of is None for truth in past) >= 25
    assert {truth.language for truth in past} >= LANGUAGES
    for day in (2, 3):
        assert sum(at(truth.url).day == day for truth in past) >= 12


def test_the_crisis_is_the_negative_news_of_that_bank_on_the_third_afternoon() -> None:
    crisis = [truth for truth in TRUTH.values() if truth.crisis]
    assert crisis
    for truth in crisis:
        assert truth.sentiment == "negative"
        assert BANK in truth.entities
        assert NOON <= at(truth.url) < EVENING
    assert {truth.url for truth in crisis} == {truth.url for truth in about(BANK) if truth.sentiment == "negative"}


def test_the_crisis_turns_opinion_in_many_languages_for_about_six_hours() -> None:
    crisis = sorted((truth for truth in TRUTH.values() if truth.crisis and truth.near_copy_of is None), key=lambda truth: at(truth.url))
    assert len(crisis) >= 45
    languages = Counter(truth.language for truth in crisis)
    assert set(languages) == {"en", "de", "es", "zh", "ar", "ru", "fr", "ja", "pt"}
    assert min(languages[language] for language in ("en", "de", "es", "zh", "ar")) >= 6
    dates = [at(truth.url) for truth in crisis]
    assert timedelta(hours=5) <= dates[-1] - dates[0] <= timedelta(hours=7)
    assert max(later - earlier for earlier, later in pairwise(dates)) < timedelta(minutes=30)
    assert {ITEMS[truth.url]["source"].split(".")[0] for truth in crisis} >= {"wire", "news", "social"}


def test_some_neutral_news_of_the_bank_stands_between() -> None:
    between = [truth for truth in about(BANK) if NOON <= at(truth.url) < EVENING and not truth.crisis]
    assert len(between) >= 3
    assert {truth.sentiment for truth in between} == {"neutral"}


def test_the_control_bank_keeps_its_good_name() -> None:
    control = about(CONTROL)
    assert {truth.sentiment for truth in control} == {"neutral", "positive"}
    third = [truth for truth in control if at(truth.url).day == 4]
    assert len({truth.language for truth in third}) >= 10
    assert any(at(truth.url) >= NOON for truth in third)


def test_bad_news_of_the_others_is_thin_and_spread() -> None:
    bad: defaultdict[str, list[datetime]] = defaultdict(list)
    for truth in TRUTH.values():
        if truth.sentiment == "negative":
            for entity in truth.entities:
                if entity != BANK:
                    bad[entity].append(at(truth.url))
    assert len(bad) >= 8, "ordinary bad news of several companies"
    for entity, dates in bad.items():
        assert len(dates) <= 3, entity
        assert all(later - earlier >= timedelta(hours=6) for earlier, later in pairwise(sorted(dates))), entity


def test_near_copies_point_to_originals_and_repeat_them() -> None:
    copies = [truth for truth in TRUTH.values() if truth.near_copy_of is not None]
    assert len(copies) >= 40
    assert sum(truth.crisis for truth in copies) >= 8
    for truth in copies:
        assert truth.near_copy_of is not None
        original = TRUTH[truth.near_copy_of]
        assert original.near_copy_of is None
        assert (truth.language, truth.sentiment, truth.entities) == (original.language, original.sentiment, original.entities)
        assert ITEMS[truth.url]["source"] != ITEMS[original.url]["source"]
        assert timedelta(minutes=0) < at(truth.url) - at(original.url) <= timedelta(minutes=91)
        one, other = said(original.url), said(truth.url)
        assert one != other
        assert difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() > 0.6


def test_originals_are_not_copies_of_one_another() -> None:
    by_language: defaultdict[str, list[str]] = defaultdict(list)
    for truth in TRUTH.values():
        if truth.near_copy_of is None and len(said(truth.url)) > 30:
            by_language[truth.language].append(said(truth.url))
    for texts in by_language.values():
        for index, one in enumerate(texts):
            for other in texts[:index]:
                matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
                assert matcher.quick_ratio() < 0.8 or matcher.ratio() < 0.6, (one, other)
