"""Which documents of a window bear an alert out, and how many independent voices they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streams.alerts.judgement import Judgement, Witness

__all__ = ["Support", "support"]


@dataclass(frozen=True, slots=True)
class Support:
    """The documents that bear an alert out.

    Attributes:
        noun: what they are called in a sentence: ``negative documents``, ``documents`` …
        all: all of them, near-copies and what is beyond a cap included, ascending by (minute, id).
        counted: those of them that counted.
        independent: one of each family of near-copies, the first that counted.
        rising: the best evidence is the highest score, not the lowest.
    """

    noun: str
    all: tuple[Witness, ...]
    counted: tuple[Witness, ...]
    independent: tuple[Witness, ...]
    rising: bool = False

    @property
    def sources(self) -> dict[str, int]:
        """Counted documents by source, the most frequent first."""
        return _ranked(witness.source for witness in self.counted)

    @property
    def languages(self) -> dict[str, int]:
        """Counted documents by language, the most frequent first."""
        return _ranked(witness.language for witness in self.counted)

    @property
    def topics(self) -> dict[str, int]:
        """Counted documents by topic, the most frequent first; those without one are left out."""
        return _ranked(witness.topic for witness in self.counted if witness.topic)

    @property
    def independent_sources(self) -> int:
        """Sources that said something of their own."""
        return len({witness.source for witness in self.independent})

    @property
    def independent_languages(self) -> int:
        """Languages in which something was said that is no near-copy."""
        return len({witness.language for witness in self.independent})


def support(judgement: Judgement) -> Support:
    """The documents that bear `judgement` out: what its signal counts, on the side to which the signal moved."""
    signal, assessment = judgement.rule.signal, judgement.assessment
    better = (signal == "mean_score" and assessment.value > assessment.expected) or (
        signal == "negative_share" and assessment.value < assessment.expected
    )
    if signal == "documents":
        return _of("documents", judgement.witnesses, rising=False)
    if better:
        return _of("positive documents", [witness for witness in judgement.witnesses if witness.scored and witness.score > 0], rising=True)
    return _of("negative documents", [witness for witness in judgement.witnesses if witness.negative], rising=False)


def _of(noun: str, witnesses: Sequence[Witness], *, rising: bool) -> Support:
    counted = tuple(witness for witness in witnesses if witness.weight > 0)
    families: dict[str, Witness] = {}
    for witness in counted:
        families.setdefault(witness.original, witness)
    return Support(noun, tuple(witnesses), counted, tuple(families.values()), rising)


def _ranked(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
