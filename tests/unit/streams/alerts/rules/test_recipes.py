"""The recipes of docs/rules: each is read, finds its case in the languages of the world, and lets its look-alikes pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.alerts.rules.doubts import doubts, known_entities
from streams.alerts.rules.matching import Matcher
from streams.alerts.rules.reading import read_rules
from streams.alerts.rules.trying import Attempt, Recogniser
from streams.delivery.channels import read_channels
from streams.enrich.entities import DEFAULT_GAZETTEER
from streams.settings import WebhookSettings

DOCS = Path(__file__).resolve().parents[5] / "docs"
RECIPES = sorted((DOCS / "rules").glob("*.yaml"))
NAMES = ["bank-run", "currency-panic", "earnings-shock", "product-recall", "short-seller-report", "silent-feed"]

CASES = [
    ("bank-run", "Customers queue outside the bank as bank run fears grip Deutsche Bank", "entity:deutsche-bank"),
    ("bank-run", "Aus Angst vor der Pleite: Kunden ziehen Gelder ab, Commerzbank beschwichtigt", "entity:commerzbank"),
    ("bank-run", "Panique bancaire : les clients de BNP Paribas retirent leur argent", "entity:bnp-paribas"),
    ("bank-run", "中国工商银行多家网点出现挤兑，储户彻夜排队", "entity:icbc"),
    ("bank-run", "Вкладчики в панике снимают деньги: очереди в отделениях Сбербанка", "entity:sberbank"),
    ("bank-run", "三菱UFJ銀行で取り付け騒ぎ、窓口に長い列", "entity:mufg"),
    ("product-recall", "Toyota recalls vehicles worldwide over faulty airbags", "entity:toyota"),
    ("product-recall", "Volkswagen ruft zurück: Rückruf für 200.000 Autos wegen Brandgefahr", "entity:volkswagen"),
    ("product-recall", "Renault rappelle ses modèles électriques après plusieurs incendies", "entity:renault"),
    ("product-recall", "トヨタ自動車、ブレーキ不具合で大規模リコール", "entity:toyota"),
    ("product-recall", "比亚迪因安全隐患召回数万辆汽车", "entity:byd"),
    ("product-recall", "현대자동차, 화재 위험으로 전기차 리콜", "entity:hyundai-motor"),
    ("earnings-shock", "Chipmaker Intel shocks investors with deep quarterly loss and suspends dividend", "entity:intel"),
    ("earnings-shock", "Gewinnwarnung schockt Anleger: Bayer-Aktie bricht ein", "entity:bayer"),
    ("earnings-shock", "ソニー、通期業績を下方修正 株価急落", "entity:sony"),
    ("earnings-shock", "腾讯财报远逊预期，净亏损扩大", "entity:tencent"),
    ("earnings-shock", "삼성전자 실적 쇼크…영업이익 90% 급감", "entity:samsung"),
    ("earnings-shock", "Газпром получил рекордный убыток за квартал", "entity:gazprom"),
    ("short-seller-report", "Short seller accuses Adani Group of brazen accounting fraud", "entity:adani"),
    ("short-seller-report", "Leerverkäufer wirft Wirecard Bilanzfälschung vor", "entity:wirecard"),
    ("short-seller-report", "做空机构发布报告，指控百度虚增收入", "entity:baidu"),
    ("short-seller-report", "空売りファンド、ソフトバンクグループの粉飾を告発", "entity:softbank"),
    ("short-seller-report", "공매도 보고서, 네이버 분식회계 의혹 제기", "entity:naver"),
    ("currency-panic", "Turkish lira plunges to record low as trust evaporates", "entity:try"),
    ("currency-panic", "Türkische Lira stürzt ab und erreicht Rekordtief", "entity:try"),
    ("currency-panic", "Рубль рухнул: исторический минимум к доллару", "entity:rub"),
    ("currency-panic", "日元汇率暴跌至34年新低", "entity:jpy"),
    ("currency-panic", "El peso y el real brasileño se desploma ante el dólar", "entity:brl"),
    ("silent-feed", "Quiet trading on Monday", "source:wire"),
    ("silent-feed", "市场交投清淡", "source:wire"),
    ("silent-feed", "Спокойный день на бирже", "source:wire"),
]

DECOYS = [
    ("bank-run", "Deutsche Bank sponsors a charity run along the Main"),
    ("bank-run", "Blood bank supplies: Pfizer helps a bank run out of reserves"),
    ("bank-run", "Commerzbank-Lauf: Tausende ziehen durch Frankfurt"),
    ("bank-run", "工商银行推出新的储蓄产品"),
    ("product-recall", "Analysts recall that Toyota once led the market"),
    ("product-recall", "Tesla engineer joins recall election campaign against the governor after recall of its mayor"),
    ("product-recall", "トヨタの城下町で市長リコール署名が始まる 大規模リコール運動"),
    ("earnings-shock", "Nvidia opens a new plant in Ohio"),
    ("earnings-shock", "Apple Inc reports record earnings"),
    ("earnings-shock", "ソニー、新型カメラを発表"),
    ("short-seller-report", "Short sellers lost two billion dollars as Tesla rallied"),
    ("short-seller-report", "Prosecutors drop fraud charges against former Wirecard manager"),
    ("short-seller-report", "百度发布新款人工智能模型"),
    ("currency-panic", "Turkish lira steady as central bank holds rates"),
    ("currency-panic", "Bitcoin plunges to record low for the year"),
    ("currency-panic", "Schweizer Franken wird auch am Montag als sicherer Hafen gesucht"),
]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(DEFAULT_GAZETTEER)


@pytest.fixture(scope="module")
def matchers() -> dict[str, Matcher]:
    return {path.stem: Matcher(read_rules(path).rules) for path in RECIPES}


def test_there_are_six_and_the_page_explains_each() -> None:
    assert [path.stem for path in RECIPES] == NAMES
    page = (DOCS / "rules.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"(rules/{name}.yaml)" in page
        assert f"### {name.replace('-', ' ').capitalize().replace('Short seller', 'Short-seller')}" in page
    assert {name for name, *_ in CASES} == {name for name, _ in DECOYS} | {"silent-feed"} == set(NAMES)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_good_and_leaves_no_doubt(path: Path) -> None:
    found = read_rules(path)
    assert [rule.name for rule in found.rules] == [path.stem]
    assert list(doubts(found.rules, known_entities(DEFAULT_GAZETTEER))) == []
    assert all(rule.description and rule.channels for rule in found.rules)
    for channel in found.channels.values():
        secrets = channel.get("secrets", [])
        assert all(value.startswith("env:") for value in [channel["url"], *secrets]), "a recipe holds no secret"
    variables = {
        value.removeprefix("env:") for channel in found.channels.values() for value in [channel["url"], *channel.get("secrets", [])]
    }
    channels = read_channels(found.channels, WebhookSettings(), dict.fromkeys(variables, "https://ops.example/hook"))
    assert set(found.channels) <= set(channels.all)


@pytest.mark.parametrize(("name", "text", "key"), CASES)
def test_a_recipe_finds_its_case(recogniser: Recogniser, matchers: dict[str, Matcher], name: str, text: str, key: str) -> None:
    for attempt in (Attempt("", title=text, source="wire"), Attempt(f"Frankfurt.\n{text}\nMore to follow.", source="wire")):
        assert key in [str(found) for _, found in matchers[name].match(recogniser.sighting(attempt))]


@pytest.mark.parametrize(("name", "text"), DECOYS)
def test_a_recipe_lets_a_look_alike_pass(recogniser: Recogniser, matchers: dict[str, Matcher], name: str, text: str) -> None:
    assert matchers[name].match(recogniser.sighting(Attempt("", title=text))) == []


def test_the_silence_of_a_test_source_is_nobodys_business(recogniser: Recogniser, matchers: dict[str, Matcher]) -> None:
    assert matchers["silent-feed"].match(recogniser.sighting(Attempt("hello", source="test"))) == []


def test_a_decoy_names_what_the_rule_groups_by(recogniser: Recogniser) -> None:
    # Otherwise it would pass for want of a key, and prove nothing about the terms.
    assert [text for _, text in DECOYS if not recogniser.sighting(Attempt("", title=text)).entities] == []
