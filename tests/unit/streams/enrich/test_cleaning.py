from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.enrich.cleaning import LEAD, clean, has_words, model_text, plain, width

SENTENCES = {
    "Latin": "The bank raised its forecast for the second time this year. Analysts had expected less. ",
    "Vietnamese": "Ngân hàng nâng dự báo lần thứ hai trong năm nay. Giới phân tích đã kỳ vọng ít hơn. ",
    "Cyrillic": "Банк повысил прогноз во второй раз за год. Аналитики ожидали меньшего. ",
    "Arabic": "رفع البنك توقعاته للمرة الثانية هذا العام. وكان المحللون يتوقعون أقل من ذلك. ",
    "Persian": "بانک برای دومین بار پیش‌بینی خود را افزایش داد. تحلیلگران کمتر انتظار داشتند. ",
    "Hebrew": "הבנק העלה את התחזית בפעם השנייה השנה. האנליסטים ציפו לפחות. ",
    "Devanagari": "बैंक ने इस साल दूसरी बार अपना अनुमान बढ़ाया। विश्लेषकों को कम की उम्मीद थी। ",
    "Bengali": "ব্যাংক এ বছর দ্বিতীয়বার পূর্বাভাস বাড়িয়েছে। বিশ্লেষকরা কম আশা করেছিলেন। ",
    "Tamil": "வங்கி இந்த ஆண்டு இரண்டாவது முறையாக கணிப்பை உயர்த்தியது. ஆய்வாளர்கள் குறைவாக எதிர்பார்த்தனர். ",
    "Thai": "ธนาคารปรับเพิ่มคาดการณ์เป็นครั้งที่สองของปีนี้ นักวิเคราะห์คาดไว้น้อยกว่านี้ ",
    "Han": "银行今年第二次上调预期。分析师此前预期更低。",
    "Kana": "銀行は今年二度目の予想引き上げを発表した。アナリストの予想を上回った。",
    "Hangul": "은행은 올해 두 번째로 전망치를 올렸다. 분석가들은 더 낮게 예상했다. ",
    "Georgian": "ბანკმა წელს მეორედ გაზარდა პროგნოზი. ანალიტიკოსები ნაკლებს ელოდნენ. ",
    "Armenian": "Բանկն այս տարի երկրորդ անգամ բարձրացրեց կանխատեսումը։ Վերլուծաբանները սպասում էին ավելի քիչ։ ",
    "Ethiopic": "ባንኩ በዚህ ዓመት ለሁለተኛ ጊዜ ትንበያውን ከፍ አደረገ። ተንታኞች ያነሰ ጠብቀው ነበር። ",
    "Greek": "Η τράπεζα αύξησε την πρόβλεψη για δεύτερη φορά φέτος. Οι αναλυτές περίμεναν λιγότερα. ",
    "Khmer": "ធនាគារបានដំឡើងការព្យាករណ៍ជាលើកទីពីរក្នុងឆ្នាំនេះ។ អ្នកវិភាគរំពឹងតិចជាងនេះ។ ",
    "Myanmar": "ဘဏ်သည် ယခုနှစ်တွင် ဒုတိယအကြိမ် ခန့်မှန်းချက်ကို မြှင့်တင်ခဲ့သည်။ ",
}


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("<p>One</p><p>Two &amp; three</p>", "One\nTwo & three"),
        ("&lt;p&gt;Escaped twice&lt;/p&gt;", "Escaped twice"),
        ("<b>bold</b> move<script>alert(1)</script>", "bold move"),
        ("<![CDATA[<b>Wrapped</b> text]]>", "Wrapped text"),
        ("Price < 5 & rising; a<b", "Price < 5 & rising; a<b"),
        ("AT&T; R&D; Q&A", "AT&T; R&D; Q&A"),
        ("a\u200bb\ufeffc\u00add\u202ee", "abcde"),
        ("tab\tand\u00a0blank  twice", "tab and blank twice"),
        ("one\r\n\r\n two\u2028three", "one\ntwo\nthree"),
        ("cafe\u0301", "café"),
        ("ﬁn ① Ⅳ ２０", "ﬁn ① Ⅳ ２０"),  # NFC keeps what NFKC would fold
        ("پیش\u200cبینی", "پیش\u200cبینی"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d💻 works", "👩\u200d💻 works"),
        ("pay\u200cpal pay\u200dpal", "paypal paypal"),
        ("x\ue0001", "x\ue0001"),  # private use is somebody's letter
        ("tail\U000e0041\ufffe", "tail"),
    ],
)
def test_clean(given_text: str, expected: str) -> None:
    assert clean(given_text) == expected


def test_the_stored_text_keeps_addresses_and_mentions() -> None:
    text = "@bank_help see https://bank.example/x?y=1 **now**"
    assert clean(text) == text


@given(st.text())
def test_clean_is_stable_and_composed(text: str) -> None:
    once = clean(text)
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()
    assert "  " not in once
    if "<" not in text and "&" not in text:
        assert clean(once) == once


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see https://a.example/b?c=d, now", "see http now"),
        ("www.bank.example is down", "http is down"),
        ("@anna and @ben_k: look", "@user and @user: look"),
        ("write to info@bank.example", "write to info@bank.example"),
        ("**Bank** cuts __rates__", "Bank cuts rates"),
        ("[the report](https://x.example/r_(1)) says", "the report says"),
        ("Rates rise. 🔴 [Subscribe](https://t.me/a) | [Send us news](https://t.me/b_bot)", "Rates rise. 🔴"),
        ("You need to [apply here](https://x.example)", "You need to apply here"),
        ("[All of it](https://x.example)", "All of it"),
        ("𝐁𝐑𝐄𝐀𝐊𝐈𝐍𝐆: 𝑏𝑎𝑛𝑘 fails", "BREAKING: bank fails"),
        ("# Heading\nline", "Heading line"),
        ("#bitcoin falls", "#bitcoin falls"),
    ],
)
def test_model_text_without_residue(text: str, expected: str) -> None:
    assert model_text("", clean(text)) == expected


@pytest.mark.parametrize("script", SENTENCES)
def test_the_lead_is_cut_at_a_sentence_or_a_word_in_every_script(script: str) -> None:
    whole = clean(SENTENCES[script] * 30)
    short = model_text("", whole)
    assert width(short) <= LEAD
    assert width(short) >= LEAD // 2
    assert whole.startswith(short)
    rest = whole[len(short) :]
    if script in {"Han", "Kana"}:
        assert short.endswith("。")
    elif script in {"Thai", "Khmer", "Myanmar"}:
        assert unicodedata.category(rest[0])[0] != "M"
    else:
        assert rest.startswith(" ")


def test_a_cut_never_parts_a_letter_from_its_marks() -> None:
    text = "ก" + "กำ้" * 200
    short = model_text("", text, limit=50)
    assert unicodedata.category(text[len(short)])[0] != "M"


def test_title_and_lead_are_joined_once() -> None:
    assert model_text("Bank fails", "Savers wait.") == "Bank fails. Savers wait."
    assert model_text("Bank fails!", "Savers wait.") == "Bank fails! Savers wait."
    assert model_text("Bank fails", "Bank fails, savers wait.") == "Bank fails, savers wait."
    assert model_text("银行倒闭", "储户等待。") == "银行倒闭。储户等待。"
    assert model_text("Only a title", "") == "Only a title"
    assert model_text("", "Only text") == "Only text"


@given(st.text(), st.text(), st.integers(20, 500))
def test_model_text_keeps_its_limit_and_its_line(title: str, text: str, limit: int) -> None:
    result = model_text(clean(title), clean(text), limit)
    assert width(result) <= limit
    assert "\n" not in result


@pytest.mark.parametrize("text", ["😀🔥🚀", "$$$ +++ 12.5%", "https://t.co/abc", "@someone", "1,234.5 — !!!", "", "🔴 https://t.me/x @y"])
def test_no_words(text: str) -> None:
    assert not has_words(clean(text))


@pytest.mark.parametrize("text", ["ok", "银", "#bitcoin", "$AAPL", "1 б", "😀 " * 300 + "late word"])
def test_words(text: str) -> None:
    assert has_words(clean(text))


@pytest.mark.parametrize("piece", ["<div>", "<a ", "<![CDATA[", "<script", "[a](https://b) | ", "[[", "@a.", "&amp;", "\u200d", "(", "*_`"])
def test_hostile_text_takes_no_more_than_its_length(piece: str) -> None:
    text = piece * (500_000 // len(piece))
    started = time.process_time()
    cleaned = clean(text)
    model_text(cleaned[:100], cleaned)
    has_words(cleaned)
    assert time.process_time() - started < 3


def test_plain_drops_addresses_by_default() -> None:
    assert plain("read https://a.example now @me") == "read now"


def test_a_headline_in_capitals_is_read_in_small_letters_and_the_lead_as_it_is() -> None:
    read = model_text("SHARES OF ACME PLUNGE AFTER WARNING", "ACME Corp. of New York said on Monday that @ceo resigned.")
    assert read == "Shares of acme plunge after warning. ACME Corp. of New York said on Monday that @user resigned."


def test_a_lead_that_repeats_the_title_in_other_capitals_is_read_once() -> None:
    read = model_text("BANK OF NOWHERE FREEZES DEPOSITS", "Bank of Nowhere freezes deposits. Customers queue.")
    assert read == "Bank of nowhere freezes deposits. Customers queue."
