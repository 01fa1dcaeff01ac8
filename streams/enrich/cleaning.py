"""Clean text: what is stored, and what the model reads.

Stored text keeps its addresses and mentions; the model text replaces them as TweetEval does (``http``, ``@user``), so that
a model never learns a person's name or a tracking link, and says in small letters what is all in capitals. Composed by NFC, not
NFKC: NFKC folds characters that scripts need.
"""

from __future__ import annotations

import html
import re
import unicodedata

import nh3

from models.casing import unshouted

__all__ = ["LEAD", "MENTION", "URL", "clean", "has_words", "model_text", "plain", "width"]

LEAD = 400
"""Width of the model text, in columns: a wide (East Asian) character fills two, as on a terminal."""

URL = re.compile(r"(?:https?://|www\.|t\.me/)[^\s<>\"'()\[\]「」『』。、，]+", re.IGNORECASE)
"""A web address in running text."""

MENTION = re.compile(r"(?<![\w./])[@＠]\w[\w.]*\w|(?<![\w./])[@＠]\w")
"""A mention of a person's account; a mail address is none."""

# A parser's work grows with the square of the depth; past so many tags they are struck out where they stand.
_MANY_TAGS = 2000
_SILENT = re.compile(r"<(?:script|style)\b[^<]*</(?:script|style)>", re.IGNORECASE)
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|<!\[CDATA\[|<![dD][oO][cC]")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_BLOCK = re.compile(r"(?=<(?:/?(?:p|div|li|ul|ol|h[1-6]|tr|table|blockquote|article|section)\b|br\b|hr\b))", re.IGNORECASE)
_CELL = re.compile(r"(?=<(?:td|th)\b)", re.IGNORECASE)

# Controls, invisible format characters, bidi marks, private use in the tag plane, noncharacters. The two joiners stand apart.
_JUNK = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_LINES = re.compile("[\u0085\u2028\u2029\x0b\x0c\r]+")
# Arabic, Syriac, Indic, Sinhala, Tibetan, Myanmar, Khmer, Mongolian spell with joiners; emoji are glued with U+200D.
_JOINED = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ua8e0-\uabff\ufb50-\ufdcf\ufe70-\ufefc"
_STRAY_NON_JOINER = re.compile(f"(?<![{_JOINED}])\u200c|\u200c(?![{_JOINED}])")
_STRAY_JOINER = re.compile(f"(?<![{_JOINED}\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])\u200d|\u200d(?=\\s|$)")
_BLANKS = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r" ?\n[ \n]*")

_LINK = re.compile(r"!?\[([^\[\]]*)\]\(\s*(?:https?://|tg://|mailto:|/)[^()\s]*(?:\([^()\s]*\)[^()\s]*)*\s*\)")
_EMPHASIS = re.compile(r"\*\*+|__+|~~+|\|\|+|`+")
_STYLED = re.compile("[\U0001d400-\U0001d7ff]+")
_HEADING = re.compile(r"^#{1,6} +|^> ?", re.MULTILINE)
_AROUND_LINKS = " \t\n|•·—–-"
_SIGNATURE_WIDTH = 60

_SENTENCE_END = re.compile(r"[.!?…؟۔।॥។။։።](?=\s|[\"'»”’)\]]|$)|[。！？｡]")
_SPACE = re.compile(r"\s")
_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\u303f\u3040-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\U00020000-\U0003ffff]"
)


def clean(text: str) -> str:
    """The text as it is stored: no markup, no invisible characters, NFC, single blanks, lines kept."""
    if text.isascii() and text.isprintable() and "<" not in text and "&" not in text:
        return " ".join(text.split())
    if "<" in text or "&" in text:
        text = _without_markup(text)
    text = _LINES.sub("\n", text)
    text = _JUNK.sub("", text)
    if "\u200c" in text:
        text = _STRAY_NON_JOINER.sub("", text)
    if "\u200d" in text:
        text = _STRAY_JOINER.sub("", text)
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return _BREAKS.sub("\n", _BLANKS.sub(" ", text)).strip()


def _without_markup(text: str) -> str:
    # Twice, because feeds escape markup that was escaped before.
    for _ in range(2):
        if "<" in text and _MARKUP.search(text):
            text = _CELL.sub(" ", _BLOCK.sub("\n", text.replace("<![CDATA[", "").replace("]]>", "")))
            if text.count("<") <= _MANY_TAGS:
                text = nh3.clean(text, tags=set(), clean_content_tags={"script", "style"})
            else:
                text = _MARKUP.sub("", _SILENT.sub("", text))
            text = html.unescape(text)
        elif "&" in text and _REFERENCE.search(text):
            text = html.unescape(text)
        else:
            break
    return text


def plain(text: str, *, url: str = "", mention: str = "") -> str:
    """`text` (clean) in one line, without the residue of Markdown and Telegram, addresses and mentions replaced.

    A chain of bare links at the end ("Subscribe | Send us news") is a channel's signature, not news, and falls away.
    """
    if "](" in text:
        # Control characters mark what was a link, until the signature at the end is told from links in the text.
        text = _without_signature(_LINK.sub("\x01\\1\x02", text)).replace("\x01", "").replace("\x02", "")
    if "**" in text or "__" in text or "~~" in text or "||" in text or "`" in text:
        text = _EMPHASIS.sub("", text)
    if not text.isascii():
        # Letters of mathematics, used as bold or italic type where a platform has none.
        text = _STYLED.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    if "#" in text or ">" in text:
        text = _HEADING.sub("", text)
    if "/" in text or "www." in text:
        text = URL.sub(url, text)
    if "@" in text or "＠" in text:
        text = MENTION.sub(mention, text)
    return " ".join(text.split())


def _without_signature(marked: str) -> str:
    end = len(marked)
    while True:
        rest = marked[:end].rstrip(_AROUND_LINKS)
        start = rest.rfind("\x01")
        if not rest.endswith("\x02") or len(rest) - start > _SIGNATURE_WIDTH:
            break
        before = marked[:start].rstrip()
        if before[-1:].isalnum() or before[-1:] in {",", ":", "("}:
            break  # the last words of a sentence, that happen to be a link
        end = start
    return marked[:end] if marked[:end].strip(_AROUND_LINKS) else marked


def model_text(title: str, text: str, limit: int = LEAD) -> str:
    """What the model reads: the title and as much of the lead as fits, each in small letters if it is all in capitals.

    Args:
        title: clean title; may be empty.
        text: clean text; a repetition of the title at its beginning is left out.
        limit: greatest width in columns (wide characters fill two). Cut after a sentence where one ends in the second half, else
            between words, else (scripts without blanks) between characters; never between a letter and its marks.
    """
    head = unshouted(plain(title[: 2 * limit], url="http", mention="@user"))
    # Markup residue may take half of the text: read more than is kept, but never a whole book.
    lead = unshouted(plain(text[: 6 * limit], url="http", mention="@user"))
    if head and lead[: len(head)].casefold() == head.casefold():
        head, lead = "", head + lead[len(head) :]
    if not head or not lead:
        return _cut(head or lead, limit)
    joint = " " if _SENTENCE_END.match(head[-1]) or head[-1] in ":;,-–—" else ". "
    if _WIDE.match(head[-1]) and joint == ". ":
        joint = "。"
    room = limit - width(head) - len(joint)
    return f"{head}{joint}{_cut(lead, room)}" if room >= limit // 10 else _cut(head, limit)


def width(text: str) -> int:
    """Columns that `text` fills: wide characters (Unicode East Asian Width, by block) count two."""
    if text.isascii():
        return len(text)
    return len(text) + len(_WIDE.findall(text))


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit and width(text) <= limit:
        return text
    end = limit
    if _WIDE.search(text, 0, limit):
        room, end = limit, 0
        for character in text[:limit]:
            room -= 2 if _WIDE.match(character) else 1
            if room < 0:
                break
            end += 1
    sentence = 0
    for match in _SENTENCE_END.finditer(text, end // 2, end):
        sentence = match.end()
    if sentence:
        return text[:sentence]
    if not _SPACE.match(text[end : end + 1]):
        blank = text.rfind(" ", end // 2, end)
        if blank > 0:
            end = blank
    while end > 1 and (unicodedata.category(text[end : end + 1] or " ")[0] == "M" or text[end - 1] in "\u200c\u200d"):
        end -= 1
    return text[:end].rstrip()


def has_words(text: str) -> bool:
    """Whether `text` (clean) says anything in letters, addresses and mentions aside."""
    # Nearly every text says something at its beginning.
    return any(map(str.isalpha, plain(text[:LEAD]))) or (len(text) > LEAD and any(map(str.isalpha, plain(text))))
