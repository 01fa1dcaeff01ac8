"""Texts of documents that were watched lately: an alert names its evidence by title only, and the index may not have it yet."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from streams.documents import ScoredDocument

__all__ = ["REMEMBERED_PASSAGES", "Passage", "RecentPassages"]

REMEMBERED_PASSAGES = 2_000
"""A few batches of the index agent, which may be that far behind; with some 2,400 characters each a few megabytes."""

_TITLE_REACH = 800
_TEXT_REACH = 2_400
"""Characters of a text that the model's reading of it depends on at most (see `streams.enrich.cleaning.model_text`)."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What of a document its score rests on: its clean title and the begin of its clean text; and who scored it.

    `scored` is False where the service gave no sentiment.
    """

    title: str
    text: str
    model_id: str
    scored: bool

    @classmethod
    def of(cls, title: str, text: str, model_id: str, *, scored: bool) -> Passage:
        """The passage of a whole text."""
        return cls(title[:_TITLE_REACH], text[:_TEXT_REACH], model_id, scored)


class RecentPassages:
    """Passages of the last documents, by their ids.

    Args:
        capacity: how many are remembered.
    """

    def __init__(self, capacity: int = REMEMBERED_PASSAGES) -> None:
        self._capacity = capacity
        self._found: OrderedDict[str, Passage] = OrderedDict()

    def remember(self, document: ScoredDocument) -> None:
        """Keep the passage of `document`; the oldest makes room."""
        scored = document.sentiment is not None
        self._found[document.id] = Passage.of(document.title, document.text, document.model_id, scored=scored)
        self._found.move_to_end(document.id)
        while len(self._found) > self._capacity:
            self._found.popitem(last=False)

    def get(self, id: str) -> Passage | None:
        """The passage of a document; None where it is not, or no longer, remembered."""
        return self._found.get(id)
