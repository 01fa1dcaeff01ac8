"""Which words moved: the headlines of a window against those of the stream.

Method: log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, "Fightin' Words", *Political Analysis*
16, 2008, section 3.5.1). The prior of a word is its frequency in both texts together, with the weight of `PRIOR_WORDS` words,
and never less than half an occurrence, so that a word nobody used before has a finite variance. What stands everywhere moves
nowhere: no list of stop words is needed, in any language.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from streams.alerts.evidence.background import Background
from streams.alerts.evidence.words import words
from streams.documents import Term

__all__ = ["MAX_TERMS", "MIN_BACKGROUND", "PRIOR_WORDS", "moved"]

MAX_TERMS = 10
PRIOR_WORDS = 500.0
MIN_BACKGROUND = 50
"""Documents of the past without which no word can be said to have moved."""

_LEAST_PRIOR = 0.5
_LEAST_Z = 2.6
_FEWEST_DOCUMENTS = 2


def moved(titles: Sequence[str], background: Background, own: str = "") -> tuple[Term, ...]:
    """The words of `titles` that are more frequent than in `background`, the surest first, at most `MAX_TERMS`.

    Args:
        titles: headlines of the window, of near-copies one.
        background: headlines of the stream; those of the window may be among them.
        own: name of the key: its words stand in every headline and say nothing.
    """
    found = [words(title) for title in titles]
    here = Counter(word for title in found for word in title)
    past = background.counts(here)
    # The stream saw the window's headlines too: they are no part of the past.
    before = {word: max(0.0, past.words[word] - count) for word, count in here.items()}
    documents = past.documents - len(found)
    if documents < MIN_BACKGROUND:
        return ()
    total, past_total = float(here.total()), max(1.0, past.total - here.total())
    known = set(words(own))
    scored: list[tuple[float, str]] = []
    for word, count in here.items():
        if count < _FEWEST_DOCUMENTS or word in known:
            continue
        z = _z(count, total, before[word], past_total)
        if z >= _LEAST_Z:
            scored.append((-z, word))
    terms = [
        Term(
            term=word,
            documents=here[word],
            before=round(before[word]),
            lift=round(here[word] / len(found) / ((before[word] + _LEAST_PRIOR) / (documents + 1.0)), 2),
        )
        for _, word in sorted(scored)
    ]
    return tuple(terms[:MAX_TERMS])


def _z(count: float, total: float, before: float, past_total: float) -> float:
    """Standardised log-odds ratio of a word; positive where it is more frequent here. Equation 22 of the paper."""
    prior = max(_LEAST_PRIOR, PRIOR_WORDS * (count + before) / (total + past_total))
    here = math.log((count + prior) / (total + PRIOR_WORDS - count - prior))
    there = math.log((before + prior) / (past_total + PRIOR_WORDS - before - prior))
    return (here - there) / math.sqrt(1.0 / (count + prior) + 1.0 / (before + prior))
