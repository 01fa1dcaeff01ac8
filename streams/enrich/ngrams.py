"""Character n-grams of a text as numbers: the features of the language model that stands beside fastText's.

An n-gram of one to five characters (a blank stands for a word's edge) is hashed into a table of fixed size, as fastText does
(Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information"). All n-grams of a text are hashed at once, by a
polynomial over its code points that is the same on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUCKETS_LOG2", "ngrams"]

BUCKETS_LOG2 = 17
"""Binary logarithm of the number of buckets."""

_LONGEST = 5
_BASE = np.uint32(0x01000193)
_MIX = np.uint32(0x9E3779B1)
_FOLD = np.uint32(15)
_SHIFT = np.uint32(32 - BUCKETS_LOG2)


def ngrams(words: str) -> NDArray[np.uint32]:
    """Buckets of all n-grams of `words` (lower case, single blanks), one entry for each occurrence, in no order of use.

    A blank alone, or an n-gram that begins before a word and ends behind the next, counts like any other. Empty for no words.
    """
    if not words:
        return np.empty(0, np.uint32)
    points = np.frombuffer(f" {words} ".encode("utf-32-le", "replace"), np.uint32)
    hashed = points + _FOLD
    parts = [hashed]
    for _ in range(1, min(_LONGEST, len(points))):
        hashed = hashed[:-1] * _BASE + points[len(points) - len(hashed) + 1 :]
        parts.append(hashed)
    found = np.concatenate(parts)
    return np.asarray(((found ^ (found >> _FOLD)) * _MIX) >> _SHIFT, np.uint32)
