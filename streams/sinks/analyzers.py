"""The language analyzers of Elasticsearch, and for each a word by which one sees whether a server's analyzer does its work."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ANALYZERS", "LanguageAnalyzer"]


@dataclass(frozen=True, slots=True)
class LanguageAnalyzer:
    """One built-in analyzer.

    Attributes:
        name: its name in Elasticsearch.
        languages: ISO 639 codes of the languages that it serves.
        probe: a lower-case word that the analyzer changes.
        plain: the tokens that the ``standard`` analyzer makes of the probe; the same from this analyzer means that the
            server knows the name and nothing else (embedded servers accept names that they have no stemmer for).
    """

    name: str
    languages: tuple[str, ...]
    probe: str
    plain: tuple[str, ...]


def _word(name: str, language: str, probe: str) -> LanguageAnalyzer:
    return LanguageAnalyzer(name, (language,), probe, (probe,))


ANALYZERS: tuple[LanguageAnalyzer, ...] = (
    _word("arabic", "ar", "الكتب"),
    _word("armenian", "hy", "գրքերով"),
    _word("basque", "eu", "liburuak"),
    _word("bengali", "bn", "বইগুলো"),
    _word("bulgarian", "bg", "книгите"),
    _word("catalan", "ca", "llibres"),
    LanguageAnalyzer("cjk", ("zh", "ja", "ko"), "中国人民", ("中", "国", "人", "民")),
    _word("czech", "cs", "knihami"),
    _word("danish", "da", "bøgerne"),
    _word("dutch", "nl", "boeken"),
    _word("english", "en", "running"),
    _word("estonian", "et", "raamatud"),
    _word("finnish", "fi", "kirjoissa"),
    _word("french", "fr", "maisons"),
    _word("galician", "gl", "libros"),
    _word("german", "de", "häuser"),
    _word("greek", "el", "βιβλία"),
    _word("hindi", "hi", "किताबें"),
    _word("hungarian", "hu", "könyvek"),
    _word("indonesian", "id", "membacakan"),
    _word("irish", "ga", "leabharlanna"),
    _word("italian", "it", "libri"),
    _word("latvian", "lv", "grāmatas"),
    _word("lithuanian", "lt", "knygos"),
    _word("norwegian", "no", "bøkene"),
    _word("persian", "fa", "کتاب‌ها"),
    _word("portuguese", "pt", "livros"),
    _word("romanian", "ro", "cărțile"),
    _word("russian", "ru", "книгами"),
    _word("serbian", "sr", "књигама"),
    _word("sorani", "ckb", "کتێبەکان"),
    _word("spanish", "es", "libros"),
    _word("swedish", "sv", "böckerna"),
    _word("thai", "th", "การที่ได้ต้องแสดงว่างานดี"),
    _word("turkish", "tr", "kitaplarından"),
)
