"""Which words moved a score: every word is taken out in turn, and the score that is lost is the word's effect.

Erasure of input (Li, Monroe & Jurafsky 2016, "Understanding neural networks through representation erasure"): it needs the graph only,
so it explains exactly what runs in service, int8 and all. A long text is first read by spans of neighbouring words, then word by word
where the spans matter most. Where two words say the same, neither is missed alone; therefore words are also taken out one after the
other until the answer turns (the evidence counterfactual of Martens & Provost 2014, "Explaining data-driven document classifications").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.explanation.segmentation import Span, segment
from models.inference import CHARACTERS_PER_TOKEN, Encoder

__all__ = ["TOKENS", "Explanation", "WordEffect", "explain"]

#: Tokens that the effects may run through the encoder: less than a second of a processor. To turn the answer half as many again are spent.
TOKENS = 4_000

#: Words that are taken out at most to turn the answer: more would explain nothing.
TURNING = 6


@dataclass(frozen=True, slots=True)
class WordEffect:
    """What one word did.

    Attributes:
        text: the word as it stands, ``Explanation.text[start:end]``.
        start, end: its place, in characters.
        effect: score with the word minus score without it; above nought, the word raised the score.
        together: words that were taken out at once and share the effect evenly; 1: the word was taken out alone.
    """

    text: str
    start: int
    end: int
    effect: float
    together: int = 1


@dataclass(frozen=True, slots=True)
class Explanation:
    """What moved one score of one text.

    Attributes:
        model_id: the model that was asked.
        text: the text as given.
        read: characters of it that fit into the model; no word beyond is explained, for none was read.
        target: ``sentiment``, or the topic whose probability is explained.
        label: the model's answer, a sentiment or a topic.
        score: for sentiment positive - negative, in [-1, 1]; for a topic its probability.
        without: the score of the text without any of its words: where the words start from.
        words: in the order of the text.
        turning: places in ``words`` of a few words without which the answer is another, the strongest first; empty where the search,
            greedy and short, found none.
        turned: that other answer; empty where ``turning`` is.
    """

    model_id: str
    text: str
    read: int
    target: str
    label: str
    score: float
    without: float
    words: tuple[WordEffect, ...]
    turning: tuple[int, ...] = ()
    turned: str = ""

    def strongest(self, count: int | None = None) -> list[WordEffect]:
        """The words of the greatest effect in either direction, the first in the text first among equals."""
        return sorted(self.words, key=lambda word: -abs(word.effect))[:count]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON, figures to six places."""
        words = [
            {"text": word.text, "start": word.start, "end": word.end, "effect": round(word.effect, 6), "together": word.together}
            for word in self.words
        ]
        return {
            "model_id": self.model_id,
            "text": self.text,
            "read": self.read,
            "target": self.target,
            "label": self.label,
            "score": round(self.score, 6),
            "without": round(self.without, 6),
            "words": words,
            "turning": list(self.turning),
            "turned": self.turned,
        }


Floats = NDArray[np.float64]


class _Question:
    """What is explained about ``text``: one score, and by how much one label leads all others."""

    def __init__(self, encoder: Encoder, text: str, target: str) -> None:
        self._encoder = encoder
        labels, topics = encoder.artifact.sentiment_labels, encoder.artifact.topic_labels
        self.tone = target == "sentiment"
        self._labels = labels if self.tone else topics
        self.label = self._labels[int(self._probabilities([text])[0].argmax())]
        if not self.tone and target != "topic" and target not in topics:
            raise ModelError(f"there is no topic {target!r} to explain", mend=f"sentiment, topic, or one of: {'; '.join(topics)}")
        self.target = self.label if target == "topic" else target

    def _probabilities(self, texts: Sequence[str]) -> Floats:
        scores = self._encoder.score(texts)
        return (scores.sentiment if self.tone else scores.topic).astype(np.float64)

    def ask(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Score of each text, and the probability of :attr:`label` minus the next one's: below nought the answer is another."""
        if not texts:
            return np.zeros(0), np.zeros(0)
        found = self._probabilities(texts)
        own = self._labels.index(self.label)
        leads = found[:, own] - np.delete(found, own, axis=1).max(1)
        if self.tone:
            return found[:, self._labels.index("positive")] - found[:, self._labels.index("negative")], leads
        return found[:, self._labels.index(self.target)], leads

    def answer(self, text: str) -> str:
        return self._labels[int(self._probabilities([text])[0].argmax())]


def _without(text: str, spans: Sequence[Span]) -> str:
    """``text`` without these spans, nor the blanks that would stand twice."""
    kept, at = "", 0
    for start, end in sorted(spans):
        kept += text[at:start]
        at = end
        if (not kept or kept[-1].isspace()) and text[at : at + 1].isspace():
            at += 1
    return (kept + text[at:]).strip()


@dataclass(frozen=True, slots=True)
class _Lost:
    """Without a word: its effect, how many words shared it, and the lead that the answer kept."""

    effect: float
    together: int
    lead: float


def _lost(question: _Question, text: str, score: float, spans: Sequence[Span], runs: int) -> list[_Lost]:
    """What each span costs, by no more than ``runs`` runs of the model (at least two)."""
    if len(spans) <= runs:
        scores, leads = question.ask([_without(text, [span]) for span in spans])
        return [_Lost(score - float(one), 1, float(lead)) for one, lead in zip(scores, leads, strict=True)]
    share = -(-len(spans) // max(1, runs // 2))
    groups = [range(start, min(start + share, len(spans))) for start in range(0, len(spans), share)]
    scores, leads = question.ask([_without(text, [spans[index] for index in group]) for group in groups])
    found: dict[int, _Lost] = {}
    for group, one, lead in zip(groups, scores, leads, strict=True):
        found |= {index: _Lost((score - float(one)) / len(group), len(group), float(lead)) for index in group}
    left, closer = runs - len(groups), list[int]()
    for at in np.argsort(-np.abs(score - scores), kind="stable"):
        if len(groups[at]) > left - len(closer):
            break
        closer += groups[at]
    scores, leads = question.ask([_without(text, [spans[index]]) for index in closer])
    found |= {index: _Lost(score - float(one), 1, float(lead)) for index, one, lead in zip(closer, scores, leads, strict=True)}
    return [found[index] for index in range(len(spans))]


def _turning(question: _Question, text: str, spans: Sequence[Span], lost: Sequence[_Lost], runs: int) -> tuple[int, ...]:
    """Take words out, each time the one that costs the answer most of its lead, until the answer turns.

    So many candidates are tried at every step, those of the greatest effect alone first, that ``runs`` runs of the model suffice.
    """
    alone = sorted((index for index, one in enumerate(lost) if one.together == 1), key=lambda index: lost[index].lead)
    if not alone:
        return ()
    taken, left = [alone[0]], lost[alone[0]].lead
    rest, width = alone[1:], max(2, runs // (TURNING - 1))
    while left >= 0 and rest and len(taken) < TURNING:
        _, leads = question.ask([_without(text, [spans[index] for index in (*taken, one)]) for one in rest[:width]])
        best = int(leads.argmin())
        left = float(leads[best])
        taken.append(rest.pop(best))
    return tuple(taken) if left < 0 else ()


def _read(encoder: Encoder, text: str) -> tuple[str, list[int]]:
    """The part of ``text`` that the model reads, and where each of its tokens ends; special tokens end at nought."""
    bounded = text[: encoder.artifact.max_length * CHARACTERS_PER_TOKEN]
    bounded.encode("utf-8")
    encoded = encoder.tokenizer.encode(encoder.prefix + bounded)
    ends = [max(0, end - len(encoder.prefix)) for _, end in encoded.offsets]
    return bounded[: max(ends)] if encoded.overflowing else bounded, ends


def explain(encoder: Encoder, text: str, *, target: str = "sentiment", tokens: int = TOKENS) -> Explanation:
    """Find out which words of ``text`` moved its score. The same text always gets the same explanation.

    Args:
        encoder: the model, open.
        text: as the model is given it: cleaned, title and lead.
        target: ``sentiment``, ``topic`` (the most probable one), or the name of a topic.
        tokens: how many may run through the encoder; past it words share the effect of their span.

    Raises:
        ModelError: the model has no such topic.
        ValueError: the text holds a lone surrogate.
    """
    seen, ends = _read(encoder, text)
    question = _Question(encoder, seen, target)
    spans = segment(seen, frozenset(ends))
    scores, _ = question.ask([seen, _without(seen, spans)])
    score, bare = map(float, scores)
    runs = max(2, tokens // max(1, len(ends)))
    lost = _lost(question, seen, score, spans, runs)
    turning = _turning(question, seen, spans, lost, runs // 2)
    return Explanation(
        model_id=encoder.artifact.model_id,
        text=text,
        read=len(seen),
        target=question.target,
        label=question.label,
        score=score,
        without=bare,
        words=tuple(WordEffect(seen[a:b], a, b, one.effect, one.together) for (a, b), one in zip(spans, lost, strict=True)),
        turning=turning,
        turned=question.answer(_without(seen, [spans[index] for index in turning])) if turning else "",
    )
