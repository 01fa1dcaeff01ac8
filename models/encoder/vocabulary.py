"""Trimming the encoder's vocabulary to the pieces that real text uses.

Two thirds of multilingual-e5-small is its embedding of 250,002 Unigram pieces. Kept are: the special tokens, every single character
(so that an unseen word falls apart into smaller pieces and never becomes ``<unk>``), and the pieces of the greatest weight.

A piece's weight is the mean of two frequencies: that in a corpus whose languages are balanced by temperature, so that a language of a
thousand texts keeps words too, and that in the text the tokenizer itself was made from (the exponent of its Unigram score; Kudo 2018,
arXiv:1804.10959), which knows words that the corpus does not hold. Going by bare counts cut Armenian, Georgian, Greek, Hebrew, Tamil and
Telugu into 1.8 to 2.2 times as many pieces, and the encoder no longer understood them.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError

__all__ = ["Vocabulary", "count_pieces", "piece_weights", "trim_vocabulary", "write_tokenizer"]

SPACE = "▁"
BATCH = 2_000
MAX_CHARACTERS = 1_000
#: A language of ``n`` pieces of text weighs ``n ** TEMPERATURE`` in the corpus.
TEMPERATURE = 0.5
#: Share of the tokenizer's own frequencies in a piece's weight; the corpus has the rest.
PRIOR = 0.5


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


def count_pieces(tokenizer: Path, texts: Iterable[tuple[str, str]]) -> dict[str, Counter[int]]:
    """Count, language by language, how often the full tokenizer uses each piece in ``texts`` (the first 1,000 characters of each).

    ``texts``: (language, text); the name of a language is only what is counted together.
    """
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer))
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    waiting: defaultdict[str, list[str]] = defaultdict(list)

    def settle(language: str) -> None:
        for encoding in loaded.encode_batch_fast(waiting[language], add_special_tokens=False):
            counts[language].update(encoding.ids)
        waiting[language].clear()

    for language, text in texts:
        waiting[language].append(text[:MAX_CHARACTERS])
        if len(waiting[language]) == BATCH:
            settle(language)
    for language in list(waiting):
        settle(language)
    return dict(counts)


def piece_weights(tokenizer: Path, counts: Mapping[str, Counter[int]]) -> dict[int, float]:
    """Weight of every piece of ``tokenizer`` for text like that of ``counts`` (language -> occurrences); they add up to 1."""
    raw = _read(tokenizer)
    special = {int(token["id"]) for token in raw["added_tokens"]}
    prior = {index: math.exp(score) for index, (_, score) in enumerate(raw["model"]["vocab"]) if index not in special}
    mass = sum(prior.values())
    shares = {language: counted.total() ** TEMPERATURE for language, counted in counts.items() if counted}
    whole = sum(shares.values())
    corpus: defaultdict[int, float] = defaultdict(float)
    for language, share in shares.items():
        total = counts[language].total()
        for index, count in counts[language].items():
            corpus[index] += share / whole * count / total
    own = PRIOR if corpus else 1.0
    return {index: own * value / mass + (1 - own) * corpus.get(index, 0.0) for index, value in prior.items()}


def _indispensable(raw: dict[str, Any]) -> set[int]:
    """Special tokens and every piece of one character, with or without the space mark."""
    pieces = [piece for piece, _ in raw["model"]["vocab"]]
    special = {int(token["id"]) for token in raw["added_tokens"]}
    return special | {index for index, piece in enumerate(pieces) if len(piece.removeprefix(SPACE)) <= 1}


def trim_vocabulary(tokenizer: Path, counts: Mapping[str, Counter[int]], size: int) -> Vocabulary:
    """Choose ``size`` pieces of ``tokenizer`` (all, where it has no more) for text like that of ``counts``.

    Raises:
        ModelError: ``size`` is too small for the special tokens and single characters.
    """
    raw = _read(tokenizer)
    kept = _indispensable(raw)
    if size < len(kept):
        raise ModelError(
            f"a vocabulary of {size} cannot hold the {len(kept)} single characters", mend=f"ask for more than {len(kept)} pieces"
        )
    for index, _ in sorted(piece_weights(tokenizer, counts).items(), key=lambda item: (-item[1], item[0])):
        if len(kept) >= size:
            break
        kept.add(index)
    total = sum(counted.total() for counted in counts.values())
    covered = sum(count for counted in counts.values() for index, count in counted.items() if index in kept)
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
