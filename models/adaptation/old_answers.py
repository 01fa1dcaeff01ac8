"""What the base model answered on old texts, by every head: what moved layers are held by, and what they are measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.adaptation.decay import Decay, measure_decay
from models.adaptation.old_texts import OldText
from models.adaptation.problem import Kin
from models.calibration.temperature import softmax
from models.errors import ModelError
from models.training.heads import Head

__all__ = ["LEAST", "MEND", "OldAnswers", "complaint", "split_old"]

#: Old texts that must be there, of each kind: below, not even their coordinates could be found.
LEAST = 160
#: Of the texts that are not measured on, and whose labels are drawn.
SEED = 29
MEND = (
    "--replay ../shared/data (a folder with train/), or --replay FILE.jsonl with text and lang, thousands of lines of what the model reads "
    "today; labels are not needed"
)


def split_old(old: Sequence[OldText]) -> tuple[list[OldText], list[OldText]]:
    """Those that hold the model, and those to measure decay on.

    Raises:
        ModelError: there are too few of either.
    """
    fit, check = [one for one in old if not one.check], [one for one in old if one.check]
    for kind, found in (("to hold the model", fit), ("to measure decay on", check)):
        if len(found) < LEAST:
            raise ModelError(f"{len(found)} old texts {kind}: fewer than {LEAST} say nothing of what is forgotten", mend=MEND)
    return fit, check


@dataclass(frozen=True)
class OldAnswers:
    """The texts to measure decay on.

    Attributes:
        langs: of each text.
        labels: head -> class of each text, -1 where nothing is known.
        before: head -> class that the base model answers.
        drawn: heads for which no text bears a label. Theirs are drawn from the base model's own calibrated probabilities, so that a lost
            answer counts as much as the base model would have trusted it.
    """

    langs: NDArray[np.str_]
    labels: Mapping[str, NDArray[np.int64]]
    before: Mapping[str, NDArray[np.int64]]
    drawn: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[OldText], heads: Mapping[str, Head], features: NDArray[np.float16]) -> OldAnswers:
        """``features`` of ``texts`` by the base model, whose calibrated ``heads`` read them."""
        labels, before, drawn = {}, {}, []
        random = np.random.default_rng(SEED)
        for name, head in heads.items():
            logits = head.logits(features)
            before[name] = logits.argmax(1).astype(np.int64)
            labels[name] = np.array([one.answers.get(name, -1) for one in texts], np.int64)
            if (labels[name] < 0).all():
                drawn.append(name)
                bounds = softmax(logits).astype(np.float64).cumsum(1)
                place = (random.random((len(texts), 1)) * bounds[:, -1:] > bounds).sum(1)
                labels[name] = np.minimum(place, logits.shape[1] - 1).astype(np.int64)
        return cls(np.array([one.lang for one in texts]), labels, before, tuple(drawn))

    def known(self, head: str) -> NDArray[np.int64]:
        """Rows with a label for ``head``."""
        return np.flatnonzero(self.labels[head] >= 0)

    def decays(self, heads: Mapping[str, Head], features: NDArray[np.float16], task: str, kin: Kin) -> dict[str, Decay]:
        """What became of every head's answers: ``heads`` on ``features`` by the moved layers, classes of ``task`` counted by ``kin``."""
        found = {}
        for name, head in heads.items():
            rows = self.known(name)
            before, labels = self.before[name][rows], self.labels[name][rows]
            after = head.logits(features[rows]).argmax(1).astype(np.int64)
            if name == task:
                before, labels, after = (kin.measured[values] for values in (before, labels, after))
            found[name] = measure_decay(before, after, labels, self.langs[rows], by_class=name == "sentiment")
        return found


def complaint(decays: Mapping[str, Decay]) -> str | None:
    """What has decayed, in words, head by head; ``None`` if nothing has."""
    said = [f"{name}: {decay.complaint}" for name, decay in decays.items() if decay.complaint is not None]
    return "; ".join(said) if said else None
