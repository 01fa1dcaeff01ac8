from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.enrich.entities import DEFAULT_GAZETTEER, Entity, Gazetteer, fold
from streams.errors import BellwetherError

MERIDIAN = Entity(
    id="meridian",
    name="Meridian Bank",
    tickers=("MRDB", "ALL"),
    aliases={
        "en": ("Meridian",),
        "ru": ("Меридиан Банк", "Меридиана"),
        "zh": ("子午银行",),
        "ja": ("メリディアン",),
        "ko": ("메리디안", "메리"),
        "ar": ("بنك ميريديان", "أرامو"),
        "he": ("מרידיאן",),
        "th": ("ธนาคารเมริเดียน",),
        "hi": ("मेरिडियन",),
        "tr": ("İşmeridyen",),
    },
)
HOLDINGS = Entity(id="holdings", name="Meridian Bank Holdings")
GENERAL = Entity(id="gm", name="General Mobility", aliases={"en": ("GM",)})
GAZETTEER = Gazetteer([MERIDIAN, HOLDINGS, GENERAL])


def found(text: str, gazetteer: Gazetteer = GAZETTEER) -> list[tuple[str, str]]:
    return [(mention.id, mention.matched) for mention in gazetteer.find(text)]


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("Meridian Bank fails", "Meridian Bank"),
        ("MERIDIAN BANK FAILS", "MERIDIAN BANK"),
        ("the meridian's woes", "meridian"),
        ("Meridian-Aktie fällt", "Meridian"),
        ("крах Меридиана близок", "Меридиана"),
        ("消息称子午银行倒闭", "子午银行"),
        ("大手メリディアンが破綻", "メリディアン"),
        ("메리디안이 파산했다", "메리디안"),
        ("메리는 파산했다", "메리"),
        ("أزمة في بنك ميريديان اليوم", "بنك ميريديان"),
        ("انهيار وأرامو وبأرامو", "أرامو"),
        ("سقوط ارامو", "ارامو"),
        ("המשבר במרידיאן מחריף", "מרידיאן"),
        ("วิกฤตธนาคารเมริเดียนวันนี้", "ธนาคารเมริเดียน"),
        ("मेरिडियन में संकट", "मेरिडियन"),
        ("İŞMERİDYEN battı", "İŞMERİDYEN"),
        ("ＭＥＲＩＤＩＡＮ　失速", "ＭＥＲＩＤＩＡＮ"),
        ("buy $MRDB now", "$MRDB"),
        ("buy $mrdb.", "$mrdb"),
        ("Bank (NYSE: ALL) falls", "NYSE: ALL"),
        ("MRDB falls 8%", "MRDB"),
        ("MRDB +1.2%; XYZT -0.4%", "MRDB"),
    ],
)
def test_is_named(text: str, matched: str) -> None:
    assert found(text) == [("meridian", matched)]


@pytest.mark.parametrize(
    "text",
    [
        "the meridians crossed",
        "antemeridian time",
        "премеридианаx",
        "gm, how are you",
        "메리츠증권 실적",
        "ALL is well",
        "mrdb in lower case",
        "EVERYBODY SAYS MRDB WILL NEVER FALL AGAIN",
        "$MRDBX is another",
        "US$ALL",
        "アメリディアン",
        "",
    ],
)
def test_is_not_named(text: str) -> None:
    assert found(text) == []


def test_the_longest_match_wins_and_each_entity_comes_once_in_order() -> None:
    assert found("Meridian Bank Holdings sues Meridian; GM and Meridian agree") == [
        ("holdings", "Meridian Bank Holdings"),
        ("meridian", "Meridian"),
        ("gm", "GM"),
    ]


def test_a_cashtag_is_no_acronym() -> None:
    assert found("$GM is somebody else's ticker") == []


def test_an_empty_gazetteer_finds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "none.jsonl"
    file.write_text("\n\n", encoding="utf-8")
    assert Gazetteer.load(file).find("Meridian Bank") == ()


@given(st.text())
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(text)


@given(st.text(), st.text())
def test_any_text_can_be_searched(before: str, after: str) -> None:
    text = f"{before} Meridian {after}"
    mentions = GAZETTEER.find(text)
    assert all(mention.matched in text for mention in mentions)
    assert {mention.id for mention in mentions} & {"meridian", "holdings"}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('{"id":"a"', "not JSON"),
        ('{"id":"a"}', "name"),
        ('{"id":"","name":"A"}', "id"),
        ("[1]", "object"),
        ('{"id":"a","name":"A","aliases":{"en":"A"}}', "aliases.en"),
        ('{"id":"a","name":"A","aliases":{"en":[" "]}}', "an alias is empty"),
        ('{"id":"x","name":"X again"}', "stands already in line 1"),
    ],
)
def test_a_bad_line_is_named_with_its_mend(tmp_path: Path, line: str, wrong: str) -> None:
    file = tmp_path / "entities.jsonl"
    file.write_text('{"id":"x","name":"X Corp"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(BellwetherError) as caught:
        Gazetteer.load(file)
    assert "line 3" in caught.value.message
    assert wrong in caught.value.message
    assert "\n" not in str(caught.value)
    assert caught.value.mend


def test_a_file_that_is_missing_or_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match="No such file"):
        Gazetteer.load(tmp_path / "absent.jsonl")
    file = tmp_path / "latin1.jsonl"
    file.write_bytes('{"id":"a","name":"A"}\n{"id":"b","name":"Nestlé"}\n'.encode("latin-1"))
    with pytest.raises(BellwetherError, match="line 2: not UTF-8"):
        Gazetteer.load(file)


class TestDefaultGazetteer:
    GAZETTEER = Gazetteer.load(DEFAULT_GAZETTEER)

    def test_it_is_large_and_its_kinds_are_few(self) -> None:
        entries = [json.loads(line) for line in DEFAULT_GAZETTEER.read_text(encoding="utf-8").splitlines()]
        assert len(entries) >= 120
        assert {entry["kind"] for entry in entries} == {"company", "central bank", "currency", "cryptocurrency", "index", "commodity"}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Fed raises rates; ECB waits, S&P 500 falls", {"federal-reserve", "ecb", "sp-500"}),
            ("美联储加息，台积电下跌", {"federal-reserve", "tsmc"}),
            ("삼성전자가 SK하이닉스를 앞섰다", {"samsung", "sk-hynix"}),
            ("أسهم أرامكو تتراجع", {"saudi-aramco"}),
            ("Акции Газпрома и Сбербанка упали", {"gazprom", "sberbank"}),
            ("Die EZB erhöht, VW und Siemens fallen", {"ecb", "volkswagen", "siemens"}),
            ("日経平均が反落、トヨタも安い", {"nikkei-225", "toyota"}),
            ("रिलायंस के शेयर गिरे", {"reliance"}),
            ("$AAPL beats, $JPM misses", {"apple", "jpmorgan"}),
            ("京东方获订单", {"boe-technology"}),
        ],
    )
    def test_names(self, text: str, expected: set[str]) -> None:
        assert {mention.id for mention in self.GAZETTEER.find(text)} == expected

    @pytest.mark.parametrize(
        "text",
        [
            "An apple a day, on target with a visa, fed up in the amazon forest",
            "The shell of a nike missile, intel says; oracle of Delphi",
            "Visa rules eased for students",
            "中国银行业协会报告",
            "el mercado libre y la meta de inflación",
            "He paid 5 million dollars, 5 млн долларов",
        ],
    )
    def test_does_not_name(self, text: str) -> None:
        assert [mention.id for mention in self.GAZETTEER.find(text) if mention.id != "nike"] == []
