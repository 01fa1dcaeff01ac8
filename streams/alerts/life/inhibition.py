"""One crisis, one alert: which entity explains a window.

A bank in trouble also turns the tag ``banking`` and whoever is named beside the bank. Such a window is judged again without
the documents that name the bank; if nothing unusual is left, the bank's alert explains it. A move of the whole sector
leaves enough documents that name none of them, and is told.

Not all witnesses are known by their entities: only the most negative of every hour are kept as evidence. What the known
ones say is taken for the rest of their kind, as a share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from streams.alerts.detectors.contract import Assessment
from streams.alerts.judgement import Judgement, Witness
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Tally, View
from streams.documents import Key

__all__ = ["NO_SUSPICION", "Assess", "Suspect", "Suspicion", "entity_of", "suspicion", "without"]

Assess: TypeAlias = Callable[[Rule, View], Assessment]
"""Judges a view by the detector of a rule."""

MAX_SUSPECTS = 5
_PART_OF_A_TAG = 0.2
"""Least share of a tag's documents that must name an entity which is to explain it, be it together with others."""
_ENOUGH_KNOWN = 5
_MORE_THAN_HALF_COUNTS = 0.5


class Suspect(NamedTuple):
    """An entity that may explain a window.

    Attributes:
        share: part of the window's negative documents that name it.
        alone: without them nothing unusual is left.
    """

    entity: str
    share: float
    alone: bool


class Suspicion(NamedTuple):
    """All that may explain a window: the strongest first.

    Attributes:
        together: entities of which none suffices alone, but without all of which nothing unusual is left; empty: there are none.
    """

    suspects: tuple[Suspect, ...] = ()
    together: tuple[str, ...] = ()


NO_SUSPICION = Suspicion()


def entity_of(key: Key) -> str | None:
    """The entity that a key is about; None where entities are no dimension of it."""
    kinds = key.kind.split("+")
    return key.value.split("|")[kinds.index("entity")] if "entity" in kinds else None


def suspicion(judgement: Judgement, assess: Assess) -> Suspicion:
    """Who may explain the judged window, whether or not they have an alert of their own.

    Of an entity's window only another entity may that is named in half of its negative documents; of a tag's or topic's
    any that is named in a fifth of them, be it together with others. Windows of other keys (a source, a language, everything)
    are explained by nobody: there a single entity's crisis may be just what is wanted.
    """
    own = entity_of(judgement.key)
    if own is None and not {"tag", "topic"} & set(judgement.key.kind.split("+")):
        return NO_SUSPICION
    telling = [witness for witness in judgement.witnesses if _tells(judgement.rule, witness) and _is_known(witness)]
    total = sum(witness.weight for witness in telling)
    named: Counter[str] = Counter()
    for witness in telling:
        for entity in set(witness.entities):
            named[entity] += witness.weight  # type: ignore[assignment]  # weights are real numbers
    if own is not None:
        named.pop(own, None)
    least = total * (_PART_OF_A_TAG if own is None else 0.5)
    strongest = sorted(((weight, entity) for entity, weight in named.items() if weight >= least), key=lambda item: (-item[0], item[1]))
    suspects = tuple(
        Suspect(entity, weight / total, _nothing_left(judgement, {entity}, assess)) for weight, entity in strongest[:MAX_SUSPECTS]
    )
    return Suspicion(suspects, _together(judgement, suspects, assess) if own is None else ())


def _together(judgement: Judgement, suspects: Sequence[Suspect], assess: Assess) -> tuple[str, ...]:
    if any(suspect.alone for suspect in suspects):
        return ()
    for count in range(2, len(suspects) + 1):
        entities = [suspect.entity for suspect in suspects[:count]]
        if _nothing_left(judgement, entities, assess):
            return tuple(entities)
    return ()


def _nothing_left(judgement: Judgement, entities: Collection[str], assess: Assess) -> bool:
    rest = without(judgement, entities)
    window, needed = rest.window, judgement.rule.evidence
    if window.documents < needed.documents or window.negative < needed.negative:
        return True
    if rest.sources < needed.sources or rest.languages < needed.languages:
        return True
    return not assess(judgement.rule, rest).holds


def without(judgement: Judgement, entities: Collection[str]) -> View:
    """What would have been seen without the documents that name one of `entities`. The past stays as it was."""
    view, rule = judgement.view, judgement.rule
    recent = view.recent
    removal = _Removal(rule, judgement.witnesses, entities)
    taken = np.zeros((4, len(recent)))
    kept: list[Witness] = []
    for witness in judgement.witnesses:
        part = removal.of(witness)
        if part < _MORE_THAN_HALF_COUNTS:
            kept.append(witness)
        place = (witness.minute - recent.start) // recent.step
        if len(recent) - view.size <= place < len(recent):
            lost = part * witness.weight
            taken[:, place] += (
                lost,
                lost * witness.scored,
                lost * (witness.scored and witness.negative),
                lost * witness.scored * witness.score,
            )
    left = replace(
        recent,
        documents=np.maximum(recent.documents - taken[0], 0.0),
        scored=np.maximum(recent.scored - taken[1], 0.0),
        negative=np.maximum(recent.negative - taken[2], 0.0),
        score=recent.score - taken[3],
    )
    lost = taken.sum(axis=1)
    counted = [witness for witness in kept if witness.weight > 0]
    negatives = [witness for witness in counted if witness.negative]
    window = Tally(
        max(view.window.documents - lost[0], 0.0),
        max(view.window.scored - lost[1], 0.0),
        max(view.window.negative - lost[2], 0.0),
        view.window.score - lost[3],
    )
    return replace(
        view,
        window=window,
        recent=left,
        sources=min(view.sources, len({witness.source for witness in counted})),
        languages=min(view.languages, len({witness.language for witness in counted})),
        negative_sources=min(view.negative_sources, len({witness.source for witness in negatives})),
        negative_languages=min(view.negative_languages, len({witness.language for witness in negatives})),
    )


class _Removal:
    """Which part of each witness goes: all or nothing of the known ones, of the others the share of the known ones of their kind."""

    def __init__(self, rule: Rule, witnesses: Sequence[Witness], entities: Collection[str]) -> None:
        self._rule = rule
        self._entities = frozenset(entities)
        known = [witness for witness in witnesses if _is_known(witness) and witness.weight > 0]
        over_all = self._share(known, 0.0)
        kinds = {kind: [witness for witness in known if witness.negative is kind] for kind in (True, False)}
        self._shares = {kind: self._share(found, over_all) for kind, found in kinds.items()}

    def _share(self, known: Sequence[Witness], otherwise: float) -> float:
        total = sum(witness.weight for witness in known)
        named = sum(witness.weight for witness in known if self._names(witness))
        return named / total if len(known) >= _ENOUGH_KNOWN or (known and not otherwise) else otherwise

    def _names(self, witness: Witness) -> bool:
        return not self._entities.isdisjoint(witness.entities)

    def of(self, witness: Witness) -> float:
        if _is_known(witness):
            return 1.0 if self._names(witness) else 0.0
        return self._shares[witness.negative]


def _tells(rule: Rule, witness: Witness) -> bool:
    """Whether `witness` is one of those that moved: any document of a rule that counts documents, else a negative one."""
    return witness.weight > 0 and (witness.negative or rule.signal == "documents")


def _is_known(witness: Witness) -> bool:
    return bool(witness.entities or witness.title or witness.url)
