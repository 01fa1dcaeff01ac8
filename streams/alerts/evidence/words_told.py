"""From what the model did with a text to what an alert tells of it: few words, as they stand in the document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from streams.alerts.evidence.passages import Passage
from streams.alerts.evidence.phrases import isolated, listing
from streams.documents import Alert, Explanation, WordEffect

if TYPE_CHECKING:
    from models.explanation.occlusion import Explanation as Occlusion

__all__ = ["LEAST_EFFECT", "MAX_WORDS", "as_written", "explanation_of", "telling_words"]

MAX_WORDS = 5
"""Words that are told of a document."""

LEAST_EFFECT = 0.01
"""A word that moves the score by less tells nothing."""

_TOLD = 3


def explanation_of(found: Occlusion, passage: Passage, *, negative: bool) -> Explanation:
    """The strongest words of `found` to one side, each once, at most `MAX_WORDS`, and those that would turn the answer from that side.

    Args:
        found: the words of `passage` as the model read it.
        passage: the document.
        negative: which side: words that lowered the score, or those that raised it.
    """
    if negative != (found.score < 0):
        # A near-copy carries its original's score, and a cheap stage of a cascade may have answered: their words are not the model's.
        return Explanation(score=round(found.score, 4), model_id=found.model_id, reason="other_answer")
    sign = -1 if negative else 1
    written = as_written([word.text for word in found.words], f"{passage.title}\n{passage.text}")
    moved = sorted(zip(written, found.words, strict=True), key=lambda pair: -sign * pair[1].effect)
    words: dict[str, WordEffect] = {}
    for text, word in moved:
        if sign * word.effect < LEAST_EFFECT or len(words) == MAX_WORDS:
            break
        words.setdefault(text.casefold(), WordEffect(text=text, effect=round(word.effect, 4), together=word.together))
    turns = found.label == ("negative" if negative else "positive")
    turning = tuple(written[place] for place in found.turning) if turns else ()
    return Explanation(
        words=tuple(words.values()),
        turning=turning,
        turned=found.turned if turning else None,
        score=round(found.score, 4),
        without=round(found.without, 4),
        model_id=found.model_id,
        reason=None if words or turning else "no_words",
    )


def as_written(words: Sequence[str], source: str) -> list[str]:
    """`words` with the letters that they have in `source`: what is all in capitals the model reads in small ones.

    Args:
        words: in the order in which they stand in the text; what the model reads in place of something else (an address, a mention)
            is not in it and stays as it is.
        source: the text as it was published.
    """
    folded, places = _folded(source)
    written, at = [], 0
    for word in words:
        wanted = word.casefold()
        # The earliest place from the last one on is never behind the true one, so that every later word is still found.
        bounded = re.compile(rf"(?<!\w){re.escape(wanted)}(?!\w)").search(folded, at)
        found = bounded.start() if bounded is not None else folded.find(wanted, at)
        if not wanted or found < 0:
            written.append(word)
            continue
        at = found + len(wanted)
        own = source[places[found] : places[at - 1] + 1]
        written.append(word if word in source else own)
    return written


def _folded(source: str) -> tuple[str, list[int]]:
    """`source` without case, and the character of `source` from which each of its characters comes: folding may make two of one."""
    pairs = list(_characters(source))
    return "".join(character for character, _ in pairs), [place for _, place in pairs]


def _characters(source: str) -> Iterator[tuple[str, int]]:
    for place, character in enumerate(source):
        for folded in character.casefold():
            yield folded, place


def telling_words(alert: Alert) -> tuple[int, str]:
    """The strongest words of the first document of which any are known, for people: its place in the evidence, and what is told.

    ``plunge -0.14, shares -0.03; neutral without plunge, furious``; empty where no words are known.
    """
    for place, item in enumerate(alert.evidence):
        if item.explanation is not None and item.explanation.reason is None:
            return place, _told(item.explanation)
    return 0, ""


def _told(found: Explanation) -> str:
    moved = ", ".join(f"{isolated(word.text)} {word.effect:+.2f}" for word in found.words[:_TOLD])
    turned = f"{found.turned} without {listing(found.turning)}" if found.turning else ""
    return "; ".join(part for part in (moved, turned) if part)
