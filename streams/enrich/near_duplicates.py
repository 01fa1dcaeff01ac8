"""Near-copies of a story among the last documents.

Method: MinHash (Broder 1997) over character shingles, banded for locality-sensitive hashing (Leskovec, Rajaraman & Ullman,
"Mining of Massive Datasets", chapter 3); candidates are verified by the real Jaccard similarity of their shingles, and by what
differs: in a headline every word counts, so a story about another company or another figure is no copy, however alike.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from rensa import RMinHash, RMinHashLSH

from streams.enrich.wording import Wording, shingles

__all__ = ["NearDuplicates", "same_story"]

_PERMUTATIONS = 128
_SEED = 1
_WANTED_RECALL = 0.99
# The sketch's estimate of the similarity has a standard error of at most 0.045 (1 / (2 sqrt(permutations))).
_DOUBT = 0.1
_READ = 4
# Fewer words than these, and a replaced word anywhere makes another statement.
_LONG = 14
# A headline of so many words that came twice is the same story, though a figure below it changed.
_TELLING_HEAD = 4


@dataclass(slots=True)
class _Seen:
    answer: str | None
    key: int
    wording: Wording | None = None
    names: frozenset[str] = frozenset()
    sketch: RMinHash | None = None


class NearDuplicates:
    """Remembers the last documents and says of which one a new document is a near-copy.

    Only originals are compared with, so that a chain of small changes does not drift. Deterministic: a document that is
    delivered again gets its first answer. Memory is bounded by `window` (about 4 kB for a document). Not for several threads.

    Args:
        threshold: least Jaccard similarity of shingles.
        window: documents that are remembered, copies included; the oldest go first.
    """

    def __init__(self, threshold: float = 0.7, window: int = 50_000) -> None:
        self._threshold = threshold
        self._window = window
        self._rows = _rows(threshold)
        bands = _PERMUTATIONS // self._rows
        self._permutations = bands * self._rows
        self._index = RMinHashLSH(threshold, self._permutations, bands)
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._ids: dict[int, str] = {}
        self._exact: dict[str, str] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._seen)

    def check(self, document_id: str, title: str, text: str, *, names: frozenset[str] = frozenset()) -> str | None:
        """The id of the document of which this one is a near-copy, or None; remembers it.

        Args:
            document_id: the document's deterministic id.
            title: clean title, may be empty.
            text: clean text, may be empty.
            names: ids of the entities that the document names; stories about different ones are different.
        """
        known = self._seen.get(document_id)
        if known is not None:
            return known.answer
        wording = Wording.of(title, text)
        answer = self._exact.get(wording.exact)
        sketch = None
        if answer is None and not wording.short:
            parts = shingles(wording.folded)
            sketch = RMinHash(self._permutations, _SEED)
            sketch.update(parts)
            answer = self._best(wording, parts, names, sketch)
        self._remember(document_id, wording, names, sketch, answer)
        return answer

    def _best(self, wording: Wording, parts: set[str], names: frozenset[str], sketch: RMinHash) -> str | None:
        estimates: list[tuple[float, int]] = []
        for key in self._index.query(sketch):
            estimate = sketch.jaccard(self._seen[self._ids[key]].sketch)
            if estimate >= self._threshold - _DOUBT:
                estimates.append((-estimate, key))
        # Boilerplate has thousands of relatives: only the most alike, and among equals the oldest, are read in full.
        best, found = 0.0, None
        for _, key in sorted(estimates)[:_READ]:
            document_id = self._ids[key]
            other = self._seen[document_id]
            if other.wording is None or (names - other.names and other.names - names):
                continue
            others = shingles(other.wording.folded)
            shared = len(parts & others)
            similarity = shared / (len(parts) + len(others) - shared)
            if similarity >= self._threshold and similarity > best and same_story(other.wording, wording):
                best, found = similarity, document_id
        return found

    def _remember(self, document_id: str, wording: Wording, names: frozenset[str], sketch: RMinHash | None, answer: str | None) -> None:
        if len(self._seen) >= self._window:
            self._forget_oldest()
        if answer is not None:
            self._seen[document_id] = _Seen(answer, -1)
            return
        self._seen[document_id] = _Seen(None, self._next if sketch is not None else -1, wording, names, sketch)
        self._exact[wording.exact] = document_id
        if sketch is not None:
            self._index.insert(self._next, sketch)
            self._ids[self._next] = document_id
            self._next += 1

    def _forget_oldest(self) -> None:
        document_id, seen = self._seen.popitem(last=False)
        if seen.wording is not None and self._exact.get(seen.wording.exact) == document_id:
            del self._exact[seen.wording.exact]
        if seen.key >= 0:
            self._index.remove(seen.key)
            del self._ids[seen.key]


def _rows(threshold: float) -> int:
    """Rows of a band: as many (fewer candidates) as still let nearly all pairs at the threshold meet in some band."""
    for rows in range(8, 1, -1):
        if 1 - (1 - threshold**rows) ** (_PERMUTATIONS // rows) >= _WANTED_RECALL:
            return rows
    return 1


def same_story(first: Wording, second: Wording) -> bool:
    """Whether what differs between two alike wordings leaves the statement as it is.

    The head (the title) must not have a word replaced, save an inflection, or a figure when there is a lead that stayed. In a
    short text the same goes for every word, and words may be added only at either end. In a long one figures may change, if not
    most of them; names may not.
    """
    one, two = first.words, second.words
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    blocks = matcher.get_matching_blocks()
    head_one, head_two = first.head, second.head
    same_head = one[:head_one] == two[:head_two] and head_one >= _TELLING_HEAD
    brief = min(_size(one), _size(two)) < _LONG
    figures_changed = 0
    for before, after in pairwise([(0, 0, 0), *blocks]):
        left, right = one[before[0] + before[2] : after[0]], two[before[1] + before[2] : after[1]]
        if not left and not right:
            continue
        at_end = (before[2] == 0 and before[0] == 0 and before[1] == 0) or (after[0] == len(one) and after[1] == len(two))
        if not left or not right:
            if brief and not at_end:
                return False
            continue
        place_one, place_two = before[0] + before[2], before[1] + before[2]
        in_head = place_one < head_one or place_two < head_two
        if _is_inflection(left, right):
            continue
        if _has_figure(left) or _has_figure(right):
            figures_changed += 1
            if brief and (in_head or not same_head):
                return False
            continue
        if in_head or brief or _are_names(first, second, left, right):
            return False
    return figures_changed == 0 or figures_changed <= _shared_figures(one, two) + 1


def _size(words: list[str]) -> float:
    return sum(0.6 if len(word) == 1 and ord(word) > 0xE00 else 1 for word in words)


def _has_figure(words: list[str]) -> bool:
    return any(character.isdigit() for word in words for character in word)


def _shared_figures(one: list[str], two: list[str]) -> int:
    return len({word for word in one if _has_figure([word])} & {word for word in two if _has_figure([word])})


def _is_inflection(left: list[str], right: list[str]) -> bool:
    if len(left) != 1 or len(right) != 1:
        return False
    short, long = sorted((left[0], right[0]), key=len)
    stem = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return stem >= 4 and stem >= 0.6 * len(long) and not _has_figure(left) and not _has_figure(right)


def _are_names(first: Wording, second: Wording, left: list[str], right: list[str]) -> bool:
    return _capitalised(first.original, left) and _capitalised(second.original, right)


def _capitalised(original: str, words: list[str]) -> bool:
    """Whether every one of the (folded) words begins with a capital where it stands in the original."""
    forms = {form.strip("\"'“”„«».,;:!?()…").casefold(): form for form in original.split()}
    return all((form := forms.get(word)) is not None and form.lstrip("\"'“”„«($#")[:1].isupper() for word in words)
