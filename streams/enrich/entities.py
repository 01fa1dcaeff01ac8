"""Known entities that a text names: a gazetteer matched by one automaton over all aliases (Aho & Corasick 1975)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ahocorasick_rs import AhoCorasick, MatchKind
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from streams.documents import EntityMention
from streams.enrich.scripts import script_of
from streams.errors import BellwetherError

__all__ = ["DEFAULT_GAZETTEER", "Entity", "Gazetteer", "fold"]

DEFAULT_GAZETTEER: Path = Path(__file__).resolve().parent / "gazetteer.jsonl"
"""Well-known companies, central banks, currencies and indices of the world."""

_MAX_LINE = 65_536
_MEND = 'one JSON object a line, for example {"id":"acme","name":"Acme Corp","kind":"company","tickers":["ACME"],"aliases":{"en":["Acme"]}}'

# One character for one character, so that a match in the folded text has the same place in the text.
_FOLD = {
    "İ": "i",
    "ı": "i",
    "ς": "σ",
    "ё": "е",
    "Ё": "е",
    "أ": "ا",
    "إ": "ا",
    "آ": "ا",
    "ٱ": "ا",
    "ى": "ي",
    "ی": "ي",
    "ک": "ك",
    "ة": "ه",
    "’": "'",
    "ʼ": "'",
    "\u2010": "-",
    "\u2011": "-",
    "\u00a0": " ",
    **{chr(0xFF01 + place): chr(0x21 + place) for place in range(94)},
}
_FOLDED = re.compile("[" + "".join(map(re.escape, _FOLD)) + "]")

_UNSPACED = frozenset({"CJK", "HIRAGANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
# Short words that Semitic scripts and Korean write together with a name.
_PROCLITICS: Mapping[str, frozenset[str]] = {
    "ARABIC": frozenset("و ف ب ل ك ال وال بال فال كال لل ولل وب ول".split()),  # noqa: SIM905
    "HEBREW": frozenset("ו ה ב ל מ ש כ וה של מה בה".split()),  # noqa: SIM905
}
_PARTICLES = frozenset(
    (  # noqa: SIM905 - a table of words reads best as words
        "은 는 이 가 을 를 의 에 와 과 도 로 으로 만 서 에서 에게 까지 부터 보다 측 사 주 에도 에는 에선 라는 이라는 "
        "이라고 라고 이나 나 이란 란 엔 과의 와의 으로부터 로부터 에서는 에서도 만의 조차 마저 뿐 처럼 대 발 등 및 들 "
    ).split()
)
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Za-z][A-Za-z0-9]{0,9}(?:[.\-][A-Za-z]{1,3})?|\d{4,6}(?:\.[A-Za-z]{1,3})?)(?!\w)")
_LISTED = re.compile(r"\b[A-Z]{2,8} ?: ?([A-Z0-9]{1,10}(?:[.\-][A-Z]{1,3})?)(?!\w)")
_CAPITALS = re.compile(r"[^\W\d_]+")
_SHORT_TICKER = 3


class Entity(BaseModel):
    """One line of a gazetteer. `aliases` by language: every form that names the entity, inflected ones included."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    id: str = Field(min_length=1, max_length=128)
    name: str = Field(min_length=1, max_length=256)
    kind: str = "company"
    tickers: tuple[str, ...] = ()
    aliases: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @field_validator("aliases")
    @classmethod
    def _not_empty(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not all(alias.strip() for aliases in value.values() for alias in aliases):
            raise ValueError("an alias is empty")
        return value


@dataclass(frozen=True, slots=True)
class _Alias:
    entity: int
    surface: str
    exact: bool  # upper case only: an acronym or a ticker
    ticker: bool  # counts only in text that is not all upper case


def fold(text: str) -> str:
    """`text` as it is compared: lower case without the distinctions that headlines do not keep; as long as `text`."""
    if not text.isascii():
        text = _FOLDED.sub(lambda match: _FOLD[match.group()], text)
    return text.lower()


class Gazetteer:
    """Finds the known entities that a text names. Safe for several threads.

    Args:
        entities: what to look for; may be empty.
    """

    def __init__(self, entities: Iterable[Entity] = ()) -> None:
        self._entities = tuple(entities)
        self._tickers: dict[str, int] = {}
        patterns: dict[str, list[_Alias]] = {}
        for number, entity in enumerate(self._entities):
            for ticker in entity.tickers:
                self._tickers.setdefault(ticker.upper(), number)
                if len(ticker) > _SHORT_TICKER and not ticker.isdigit():
                    self._add(patterns, ticker.upper(), number, ticker=True)
            for alias in (entity.name, *(alias for aliases in entity.aliases.values() for alias in aliases)):
                self._add(patterns, alias, number, ticker=False)
        self._aliases = list(patterns.values())
        self._automaton = AhoCorasick(list(patterns), matchkind=MatchKind.Standard) if patterns else None

    @staticmethod
    def _add(patterns: dict[str, list[_Alias]], alias: str, number: int, *, ticker: bool) -> None:
        surface = " ".join(unicodedata.normalize("NFC", alias).split())
        exact = ticker or (len(surface) <= 5 and surface.isascii() and surface.isupper())
        found = patterns.setdefault(fold(surface), [])
        if not any(other.entity == number and other.exact <= exact for other in found):
            found.append(_Alias(number, surface, exact, ticker))

    def __len__(self) -> int:
        return len(self._entities)

    @classmethod
    def load(cls, path: Path) -> Gazetteer:
        """Read a gazetteer: JSON Lines, UTF-8, empty lines allowed.

        Raises:
            BellwetherError: the file cannot be read, or a line is wrong; names the line and what to do.
        """
        try:
            content = path.read_text(encoding="utf-8")
        except OSError as error:
            raise BellwetherError(f"entities: {path}: {error.strerror or error}", mend="name a readable file in enrich.entities") from error
        except UnicodeDecodeError as error:
            place = error.object[: error.start].count(b"\n") + 1
            raise BellwetherError(f"entities: {path}, line {place}: not UTF-8", mend="save the file as UTF-8") from error
        entities: list[Entity] = []
        seen: dict[str, int] = {}
        for number, line in enumerate(content.split("\n"), 1):
            entry = line.lstrip("\ufeff").strip()
            if not entry:
                continue
            entity = _read(path, number, entry)
            if entity.id in seen:
                raise BellwetherError(
                    f"entities: {path}, line {number}: the id {entity.id!r} stands already in line {seen[entity.id]}",
                    mend="join the two lines, or give one of them another id",
                )
            seen[entity.id] = number
            entities.append(entity)
        return cls(entities)

    def find(self, text: str) -> tuple[EntityMention, ...]:
        """The entities that `text` (NFC) names, in the order of their first mention, each once.

        Where matches overlap the longest wins. ``matched`` is the form as it stands in the text.
        """
        if self._automaton is None:
            return ()
        spans: list[tuple[int, int, int]] = []
        if "$" in text:
            spans += self._by_ticker(_CASHTAG, text)
        if ":" in text:
            spans += self._by_ticker(_LISTED, text)
        folded = fold(text)
        shouting: bool | None = None
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            for alias in self._aliases[pattern]:
                if alias.exact and text[start:end] != alias.surface:
                    continue
                if alias.ticker:
                    shouting = self._is_shouting(text) if shouting is None else shouting
                    if shouting:
                        continue
                if _stands_alone(text, start, end):
                    spans.append((start, end, alias.entity))
        return self._mentions(text, spans) if spans else ()

    def _is_shouting(self, text: str) -> bool:
        """Whether `text` is prose in capitals, where a ticker (COST, LOVE) may be any word; a list of tickers is none."""
        if not text.isupper():
            return False
        words = _CAPITALS.findall(text)
        return 2 * sum(word in self._tickers for word in words) < len(words)

    def _by_ticker(self, form: re.Pattern[str], text: str) -> list[tuple[int, int, int]]:
        found = ((match, self._tickers.get(match.group(1).upper())) for match in form.finditer(text))
        return [(*match.span(), number) for match, number in found if number is not None]

    def _mentions(self, text: str, spans: list[tuple[int, int, int]]) -> tuple[EntityMention, ...]:
        spans.sort(key=lambda span: (span[0] - span[1], span[0], span[2]))
        taken: list[tuple[int, int]] = []
        chosen: list[tuple[int, int, int]] = []
        for start, end, entity in spans:
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            taken.append((start, end))
            chosen.append((start, end, entity))
        mentions: dict[int, EntityMention] = {}
        for start, end, number in sorted(chosen):
            if number not in mentions:
                named = self._entities[number]
                mentions[number] = EntityMention(id=named.id, name=named.name, matched=text[start:end])
        return tuple(mentions.values())


def _read(path: Path, number: int, text: str) -> Entity:
    place = f"entities: {path}, line {number}"
    if len(text) > _MAX_LINE:
        raise BellwetherError(f"{place}: {len(text)} characters; at most {_MAX_LINE} are read", mend=_MEND)
    try:
        return Entity.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "object"
        raise BellwetherError(f"{place}: {field}: {first['msg']}", mend=_MEND) from error
    except (ValueError, RecursionError) as error:
        raise BellwetherError(f"{place}: not JSON: {error}", mend=_MEND) from error


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is a word of its own, by the habits of the script on either side."""
    return _begins(text, start) and _ends(text, start, end)


def _joins(inner: str, outer: str) -> bool:
    """Whether `outer` continues the word that `inner` stands in."""
    if not outer.isalnum():
        return unicodedata.category(outer)[0] == "M" or (outer == "_" and inner.isalnum())
    first, second = script_of(inner), script_of(outer)
    if not inner.isalnum() and not first:
        return False
    if first in _UNSPACED or second in _UNSPACED:
        return False
    # A Latin name beside Hangul or Katakana (LG전자) ends where the script changes.
    return first == second or not first or not second


def _begins(text: str, start: int) -> bool:
    if start and text[start - 1] == "$":
        return False  # a cashtag is a ticker, not a name
    if start == 0 or not _joins(text[start], text[start - 1]):
        return True
    proclitics = _PROCLITICS.get(script_of(text[start]))
    if proclitics is None:
        return False
    for length in (1, 2, 3):
        if start < length:
            return False
        if text[start - length : start] in proclitics and (start == length or not _joins(text[start], text[start - length - 1])):
            return True
    return False


def _ends(text: str, start: int, end: int) -> bool:
    if end == len(text) or not _joins(text[end - 1], text[end]):
        return True
    script = script_of(text[end - 1])
    if script == "KATAKANA":
        return end - start >= 4
    if script != "HANGUL":
        return False
    if end - start >= 4:
        return True
    rest = end
    while rest < len(text) and script_of(text[rest]) == "HANGUL":
        rest += 1
    return text[end:rest] in _PARTICLES
