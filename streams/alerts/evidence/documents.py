"""The documents that an alert shows: few, telling, and of different voices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from streams.alerts.evidence.support import Support
from streams.alerts.judgement import Witness
from streams.documents import Evidence

__all__ = ["MAX_EVIDENCE", "choose", "evidence"]

MAX_EVIDENCE = 20
"""Documents that an alert shows at most."""

_PER_SOURCE = 5
_PER_FAMILY = 2
_CANDIDATES = 2000


def evidence(support: Support) -> tuple[Evidence, ...]:
    """The documents that an alert shows, the best first, at most `MAX_EVIDENCE`."""
    return tuple(
        Evidence(
            id=witness.id,
            title=witness.title,
            url=witness.url or None,
            source=witness.source,
            language=witness.language,
            published_at=datetime.fromtimestamp(witness.minute * 60, UTC),
            score=witness.score,
            duplicate_of=witness.original if witness.copy else None,
        )
        for witness in choose(support.all, rising=support.rising)
    )


def choose(witnesses: Sequence[Witness], *, rising: bool = False, limit: int = MAX_EVIDENCE) -> list[Witness]:
    """The best `limit` of `witnesses`, the best first.

    What counted comes before what did not, an original before its copies, what can be read (a title was kept) before what
    cannot; then the source and the language that were shown least, then the most negative score (`rising`: the highest).
    A source shows a few documents and a family of near-copies two, and more of them only when nobody else is left:
    twenty copies of one site do not fill the list.
    """
    ranked = sorted(witnesses, key=lambda witness: _rank(witness, rising))
    pool = _candidates(ranked)
    chosen: list[Witness] = []
    sources: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    families: Counter[str] = Counter()
    while pool and len(chosen) < limit:
        # Ranks are unique and `pool` is in their order: min takes the first of equals, which is the best of them.
        best = min(
            range(len(pool)),
            key=lambda place: (
                max(sources[pool[place].source] // _PER_SOURCE, families[pool[place].original] // _PER_FAMILY),
                _tier(pool[place]),
                sources[pool[place].source],
                languages[pool[place].language],
            ),
        )
        witness = pool.pop(best)
        chosen.append(witness)
        sources[witness.source] += 1
        languages[witness.language] += 1
        families[witness.original] += 1
    return chosen


def _tier(witness: Witness) -> tuple[bool, bool, bool]:
    return witness.weight <= 0, witness.copy, not witness.title


def _rank(witness: Witness, rising: bool) -> tuple[object, ...]:
    return *_tier(witness), -witness.score if rising else witness.score, witness.minute, witness.id


def _candidates(ranked: Sequence[Witness]) -> list[Witness]:
    """The best of every source; a window of a hundred thousand documents is not searched twenty times."""
    taken: defaultdict[str, int] = defaultdict(int)
    pool: list[Witness] = []
    for witness in ranked:
        if taken[witness.source] < MAX_EVIDENCE:
            taken[witness.source] += 1
            pool.append(witness)
            if len(pool) == _CANDIDATES:
                break
    return pool
