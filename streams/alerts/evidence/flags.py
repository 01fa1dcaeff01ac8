"""What makes an alert doubtful: one voice behind many documents, one source, copies of one story."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streams.alerts.evidence.phrases import isolated
from streams.alerts.evidence.support import Support
from streams.alerts.judgement import Witness

__all__ = ["Doubt", "doubts"]

_MOST = 0.5
_FEWEST = 6
"""Below it, most of the documents are too few to speak of a campaign or of copies."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A flag of an alert, and a sentence with its numbers."""

    flag: str
    sentence: str


def doubts(support: Support) -> tuple[Doubt, ...]:
    """The doubts about the documents that bear an alert out, the gravest first.

    ``possible_campaign``: one author, or one source that is no platform of many authors, gave more than half of them before
    capping. A story that an agency wrote and many sites print is one document of that author. ``single_source``: what counted
    and is no copy came from one source. ``mostly_copies``: more than half are near-copies of another one.
    """
    found: list[Doubt] = []
    campaign = _campaign(support)
    if campaign is not None:
        found.append(campaign)
    if support.independent_sources == 1 and len(support.counted) > 1:
        source = support.independent[0].source
        found.append(Doubt("single_source", f"All that counts is from one source ({isolated(source)})."))
    copies, total = sum(witness.copy for witness in support.all), len(support.all)
    if total >= _FEWEST and copies > _MOST * total:
        found.append(Doubt("mostly_copies", f"{copies} of {total} {support.noun} repeat another one."))
    return tuple(found)


def _campaign(support: Support) -> Doubt | None:
    total = sum(_own_words(support.all).values())
    if total < _FEWEST:
        return None
    for by_author in (True, False):
        voices: defaultdict[str, list[Witness]] = defaultdict(list)
        for witness in support.all:
            if not by_author:
                voices[witness.source].append(witness)
            elif witness.author:
                voices[str(witness.author)].append(witness)
        loudest = max(((sum(_own_words(said).values()), name) for name, said in voices.items()), default=(0, ""))
        count, name = loudest
        if count <= _MOST * total:
            continue
        if by_author:
            return Doubt("possible_campaign", f"Possibly a campaign: one author wrote {count} of {total} {support.noun}.")
        if len(voices) > 1 and not _is_platform(voices[name]):
            return Doubt(
                "possible_campaign", f"Possibly a campaign: one source ({isolated(name)}) published {count} of {total} {support.noun}."
            )
    return None


def _own_words(witnesses: Iterable[Witness]) -> Counter[str]:
    """Documents of each family, where printing one story in several sources adds nothing."""
    places: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for witness in witnesses:
        places[witness.original][witness.source] += 1
    return Counter({family: sources.total() - len(sources) + 1 for family, sources in places.items()})


def _is_platform(witnesses: Sequence[Witness]) -> bool:
    """Whether many people write there: half as many authors as documents."""
    return 2 * len({witness.author for witness in witnesses if witness.author}) >= len(witnesses)
