"""Trimming the encoder's vocabulary to the pieces that real text uses.

Two thirds of multilingual-e5-small is its embedding of 250,002 Unigram pieces. Kept are: the special tokens, every single character
(so that an unseen word falls apart into smaller pieces and never becomes ``<unk>``), and the most frequent pieces of a corpus.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

__all__ = ["Vocabulary", "count_pieces", "trim_vocabulary", "write_tokenizer"]

SPACE = "▁"
BATCH = 2_000
MAX_CHARACTERS = 1_000


@dataclass(frozen=True)
class Vocabulary:
    """``kept``: ids in the full vocabulary, ascending, so that row ``i`` of the trimmed embedding is row ``kept[i]`` of the full one.

    ``corpus_share``: how much of the corpus' piece occurrences the kept pieces cover, 0 to 1.
    """

    kept: NDArray[np.int64]
    corpus_share: float

    def __len__(self) -> int:
        return int(self.kept.size)


def _read(tokenizer: Path) -> dict[str, Any]:
    try:
        raw = json.loads(tokenizer.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ModelError(f"cannot read {tokenizer}: {error}", mend="bellwether models pretrained --rebuild") from error
    if raw.get("model", {}).get("type") != "Unigram":
        raise ModelError(f"{tokenizer} is not a Unigram tokenizer", mend="use a model of the multilingual-e5 or XLM-R family")
    return dict(raw)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := [text[:MAX_CHARACTERS] for text in islice(iterator, BATCH)]:
        yield batch


def count_pieces(tokenizer: Path, texts: Iterable[str]) -> Counter[int]:
    """Count how often the full tokenizer uses each piece in ``texts`` (the first 1,000 characters of each)."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer))
    counts: Counter[int] = Counter()
    for batch in _batches(texts):
        for encoding in loaded.encode_batch(batch, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def _indispensable(raw: dict[str, Any]) -> set[int]:
    """Special tokens and every piece of one character, with or without the space mark."""
    pieces = [piece for piece, _ in raw["model"]["vocab"]]
    special = {int(token["id"]) for token in raw["added_tokens"]}
    return special | {index for index, piece in enumerate(pieces) if len(piece.removeprefix(SPACE)) <= 1}


def trim_vocabulary(tokenizer: Path, counts: Counter[int], size: int) -> Vocabulary:
    """Choose at most ``size`` pieces of ``tokenizer``.

    Raises:
        ModelError: ``size`` is too small for the special tokens and single characters.
    """
    raw = _read(tokenizer)
    kept = _indispensable(raw)
    if size < len(kept):
        raise ModelError(
            f"a vocabulary of {size} cannot hold the {len(kept)} single characters", mend=f"ask for more than {len(kept)} pieces"
        )
    for index, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(kept) >= size:
            break
        kept.add(index)
    covered = sum(count for index, count in counts.items() if index in kept)
    total = counts.total()
    return Vocabulary(kept=np.array(sorted(kept), dtype=np.int64), corpus_share=covered / total if total else 0.0)


def write_tokenizer(source: Path, vocabulary: Vocabulary, target: Path) -> None:
    """Write ``source`` with only the kept pieces, renumbered in their old order, to ``target``."""
    raw = _read(source)
    pieces = raw["model"]["vocab"]
    renumbered = {int(old): new for new, old in enumerate(vocabulary.kept)}
    raw["model"]["vocab"] = [pieces[old] for old in vocabulary.kept]
    raw["model"]["unk_id"] = renumbered[int(raw["model"]["unk_id"])]
    for token in raw["added_tokens"]:
        token["id"] = renumbered[int(token["id"])]
    for special in raw["post_processor"]["special_tokens"].values():
        special["ids"] = [renumbered[int(old)] for old in special["ids"]]
    target.write_text(json.dumps(raw, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
