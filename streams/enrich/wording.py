"""The wording of a story, as it is compared with another's: without what agencies put around it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import chain

from streams.enrich.cleaning import plain, width

__all__ = ["Wording", "shingles"]

_REACH = 400
"""Characters of the text that are compared: as much as the model reads."""

_SHORT_WIDTH = 20
_SHORT_WORDS = 4

# Labels before a headline, by which agencies number and hurry their stories. Any script; a closed list, for "ACME: profit up" is no label.
_LABELS = "|".join(
    (
        "update updated wrapup wrap-up wrap breaking breaking_news flash newsflash alert urgent "
        "exclusive just_in developing correction corrected refile recast rpt brief factbox live "
        "watch video snap eil eilmeldung aktualisiert korrektur exklusiv liveblog última_hora "
        "ultima_hora urgente ampliación ampliacion actualización actualizacion actualiza "
        "atualização atualizacao atualiza exclusivo exclusiva en_directo ao_vivo en_direct exclusif "
        "actualisation mise_à_jour maj aggiornamento ultim'ora esclusiva срочно молния обновлено "
        "дополнено эксклюзив терміново оновлено ексклюзив acil son_dakika güncelleme özel_haber "
        "pembaruan terkini eksklusif terbaru cập_nhật nóng tin_nóng mới_nhất pilne aktualizacja "
        "laatste_nieuws عاجل تحديث محدث حصري خبر_فوری فوری به‌روزرسانی अपडेट ब्रेकिंग "
        "ब्रेकिंग_न्यूज़ ब्रेकिंग_न्यूज ताज़ा 속보 단독 종합 긴급 업데이트 1보 2보 3보 速報 独自 更新 続報 訂正 快讯 快訊 突发 突發 "
        "独家 獨家 滚动 即时 ด่วน อัปเดต "
    )
    .replace("'", ".")
    .split()
).replace("_", " ")
_LABEL = re.compile(
    rf"^(?:[\[【(（〔<《]\s*(?:{_LABELS})(?:[\s-]*\d+)?\s*[\]】)）〕>》]\s*[:：]?|(?:{_LABELS})[\s-]*\d{{0,2}}\s*[-–—:：|!]+)\s*",
    re.IGNORECASE,
)
_TAIL_LABEL = re.compile(rf"\s*[\[【(（]\s*(?:{_LABELS})(?:\s*\d+)?\s*[\]】)）]$", re.IGNORECASE)
# "LONDON, March 3 (Reuters) - ", "(Northlight) ", "[Seoul=Yonhap] ": a place and an agency before the lead.
_DATELINE = re.compile(
    r"^(?:[^\W\d_][^().:;!?\n]{1,40}\s?)?[(（\[【][^()（）\[\]【】.!?]{2,40}[)）\]】]\s*[-–—:：]+\s*|^[(（\[【][^\d()（）\[\]【】.!?]{2,30}[)）\]】]\s*"
)
_CITY = re.compile(r"^[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ .'/-]{2,30}(?:, [A-Z][a-z]{2,8}\.? \d{1,2})?\s+[-–—]+\s+")
# "(Reporting by …; Editing by …)", "（编辑：小禾）", "(jb)" after the last sentence.
_BYLINE = re.compile(r"(?<=[.!?。！？…।۔\"”»」])\s*[(（\[【][^()（）\[\]【】]{1,100}[)）\]】]\s*$")
_AGENCY = re.compile(
    r"\s+[-–—|·]\s+(?:reuters|afp|ap|ap news|bloomberg|dpa|efe|ansa|tass|тасс|риа новости|интерфакс|kyodo|xinhua|"
    r"新华社|共同通信|yonhap|연합뉴스|lusa|antara|anadolu|aa|ukrinform|укрінформ|bbc(?: news)?|cnn|cnbc|ft|financial times|wsj)$",
    re.IGNORECASE,
)

_OPENING = re.compile(r"[(（\[【]")
_DASH = re.compile(r"\s[-–—|·]+\s")
_CLOSING = frozenset(")）]】")

_PUNCTUATION = re.compile(
    "["
    + "".join(
        re.escape(chr(code))
        for code in chain(range(0x21, 0x3100), range(0xFE10, 0xFF66))
        if unicodedata.category(chr(code))[0] == "P" and chr(code) not in "%.,-'’+&@#"
    )
    + "]+|(?<!\\d)[.,]+|[.,]+(?!\\d)|(?<![^\\s])-(?!\\d)|(?<=\\s)[-–—]+(?=\\s)|(?<=\\w)-(?=\\w)"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(
    f"\\d+(?:[.,]\\d+)*%?|{_UNSPACED.pattern}|[^\\s\\d\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """What is compared of a story.

    `exact` is equal for exact copies; `folded` is what shingles are made of; `original` and `title` keep their capitals. In scripts
    without blanks every character is a word.
    """

    exact: str
    folded: str
    original: str
    title: str

    @classmethod
    def of(cls, title: str, text: str) -> Wording:
        """The wording of a clean title and text."""
        head = _bare_title(plain(title)) if title else ""
        lead = _bare_lead(plain(text[: 2 * _REACH]))[:_REACH]
        if head and lead.startswith(head):
            lead = lead[len(head) :].lstrip(" .:-–—")
        elif not head:
            lead = _bare_title(lead)
        original = f"{head} {lead}".strip() or plain(f"{title} {text}"[:_REACH], url="http", mention="@user")
        return cls(exact=original.casefold(), folded=_folded(original), original=original, title=head)

    @property
    def head(self) -> int:
        """How many of the words are the title's; without a title, the first ten."""
        return len(_words(_folded(self.title))) if self.title else 10

    @property
    def short(self) -> bool:
        """Too short to tell a near-copy from another statement: compared for equality only."""
        if width(self.folded) < _SHORT_WIDTH:
            return True
        return not _UNSPACED.search(self.folded) and self.folded.count(" ") + 1 < _SHORT_WORDS

    @property
    def words(self) -> list[str]:
        """The words, folded."""
        return _words(self.folded)


def shingles(folded: str) -> set[str]:
    """Character shingles of a folded wording: of four characters, of two where a character is a syllable or a word."""
    size = 2 if not folded.isascii() and width(folded) > 1.5 * len(folded) else 4
    return {folded[place : place + size] for place in range(max(1, len(folded) - size + 1))}


def _words(folded: str) -> list[str]:
    return _WORD.findall(folded)


def _folded(text: str) -> str:
    return " ".join(_PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).casefold()).split())


def _bare_title(title: str) -> str:
    for _ in range(2):
        title = _LABEL.sub("", title, count=1)
    if title[-1:] in _CLOSING:
        title = _TAIL_LABEL.sub("", title)
    return _AGENCY.sub("", title) if _DASH.search(title) else title


def _bare_lead(lead: str) -> str:
    if _OPENING.search(lead, 0, 80):
        lead = _DATELINE.sub("", lead, count=1)
    if _DASH.search(lead, 0, 80):
        lead = _CITY.sub("", lead, count=1)
    for _ in range(2):
        if lead[-1:] in _CLOSING:
            start = max(0, len(lead) - 120)
            lead = lead[:start] + _BYLINE.sub("", lead[start:])
    return lead
