"""Which words moved: the headlines of a window against those of the stream.

Method: log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, "Fightin' Words", *Political Analysis*
16, 2008, section 3.5.1). The prior of a word is its frequency in both texts together, with the weight of `PRIOR_WORDS` words,
and never less than half an occurrence, so that a word nobody used before has a finite variance. What stands everywhere moves
nowhere: no list of stop words is needed, in any language.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from streams.alerts.evidence.background import Background, Past
from streams.alerts.evidence.words import bare, overlap, whole, words
from streams.documents import Term

__all__ = ["MAX_TERMS", "MIN_BACKGROUND", "PRIOR_WORDS", "moved"]

MAX_TERMS = 10
PRIOR_WORDS = 100.0
MIN_BACKGROUND = 50
"""Documents of the past without which no word can be said to have moved."""

_LEAST_PRIOR = 0.5
_LEAST_Z = 1.96
_LEAST_LIFT = 2.0
_FEWEST_DOCUMENTS = 2


@dataclass(slots=True)
class _Stratum:
    """Headlines of the window that are compared with the same headlines of the past: those of one language, or the rest."""

    titles: list[list[str]]
    own: Counter[str]
    past: Past

    @property
    def documents(self) -> float:
        return self.past.documents - len(self.titles)

    @property
    def total(self) -> float:
        return max(1.0, self.past.total - self.own.total())

    def before(self, word: str) -> float:
        """Headlines of the past that hold `word`. The stream saw the window's headlines too: they are no part of the past."""
        return max(0.0, self.past.words.get(word, 0.0) - self.own[word])


def moved(titles: Sequence[tuple[str, str]], background: Background, own: str = "") -> tuple[Term, ...]:
    """The words of `titles` that are more frequent than in `background`, the surest first, at most `MAX_TERMS`.

    Words are compared within their language, as far as the stream has enough of it, and the past is weighed as the languages of
    the window are: a crisis that English papers write about does not make "the" a word that moved.

    Args:
        titles: headlines of the window with their languages, of near-copies one.
        background: headlines of the stream; those of the window may be among them.
        own: name of the key: its words stand in every headline and say nothing.
    """
    strata = _strata(titles, background)
    found = [title for stratum in strata for title in stratum.titles]
    if not found:
        return ()
    here = Counter(word for title in found for word in title)
    total, past_total = float(here.total()), sum(stratum.total for stratum in strata)
    known = set(words(own))
    scored: list[tuple[float, str]] = []
    for word, count in here.items():
        if count < _FEWEST_DOCUMENTS or word in known:
            continue
        shares = [(sum(map(len, stratum.titles)) / total, stratum) for stratum in strata]
        before = past_total * sum(share * stratum.before(word) / stratum.total for share, stratum in shares)
        z = _z(count, total, before, past_total)
        if z >= _LEAST_Z:
            scored.append((-z, word))
    texts = [bare(title) for title, _ in titles]
    terms: dict[str, Term] = {}
    for _, word in sorted(scored):
        name = whole(word, texts)
        if any(overlap(name, other) for other in terms):
            continue
        ordinary = sum(
            len(stratum.titles) / len(found) * (stratum.before(word) + _LEAST_PRIOR) / (stratum.documents + 1.0) for stratum in strata
        )
        lift = here[word] / len(found) / ordinary
        if lift < _LEAST_LIFT:
            continue
        times = sum(stratum.before(word) for stratum in strata)
        terms[name] = Term(term=name, documents=here[word], before=round(times), lift=round(lift, 2))
        if len(terms) == MAX_TERMS:
            break
    return tuple(terms.values())


def _strata(titles: Sequence[tuple[str, str]], background: Background) -> list[_Stratum]:
    """The languages of which the stream has enough, and one of all languages for the other headlines; none where all is too little."""
    by_language: defaultdict[str, list[list[str]]] = defaultdict(list)
    for title, language in titles:
        by_language[language].append(words(title))
    everything = Counter(word for found in by_language.values() for title in found for word in title)
    strata: list[_Stratum] = []
    rest: list[list[str]] = []
    for language, spoken in by_language.items():
        own = Counter(word for title in spoken for word in title)
        past = background.past(own, language)
        if past.documents - len(spoken) >= MIN_BACKGROUND:
            strata.append(_Stratum(spoken, own, past))
        else:
            rest += spoken
    if rest:
        past = background.past(everything)
        if past.documents - len(titles) >= MIN_BACKGROUND:
            strata.append(_Stratum(rest, everything, past))
    return [stratum for stratum in strata if any(stratum.titles)]


def _z(count: float, total: float, before: float, past_total: float) -> float:
    """Standardised log-odds ratio of a word; positive where it is more frequent here. Equation 22 of the paper."""
    prior = max(_LEAST_PRIOR, PRIOR_WORDS * (count + before) / (total + past_total))
    # The other words together weigh at least as much as the lightest prior: there may be none.
    here = math.log((count + prior) / max(total + PRIOR_WORDS - count - prior, _LEAST_PRIOR))
    there = math.log((before + prior) / max(past_total + PRIOR_WORDS - before - prior, _LEAST_PRIOR))
    return (here - there) / math.sqrt(1.0 / (count + prior) + 1.0 / (before + prior))
