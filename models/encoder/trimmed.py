"""The frozen, trimmed encoder as files: what embedding runs on and what export ends in."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.encoder.graph import EncoderGraph, Precision
from models.encoder.pretrained import PretrainedModel
from models.encoder.vocabulary import Vocabulary, count_pieces, trim_vocabulary, write_tokenizer
from models.errors import require
from models.texts.corpus import vocabulary_texts

__all__ = ["Encoder", "prepare_encoder"]


@dataclass(frozen=True)
class Encoder:
    """A trimmed encoder: tensors with the word embedding cut to ``vocabulary``, and the tokenizer file that fits it."""

    tensors: dict[str, NDArray[np.float32]]
    config: dict[str, Any]
    vocabulary: Vocabulary
    tokenizer_path: Path

    def graph(self, precision: Precision = "int8", layers: int | None = None) -> EncoderGraph:
        """A fresh graph of the lowest ``layers`` layers (all by default), outputs still to be declared."""
        return EncoderGraph(self.tensors, self.config, precision=precision, layers=layers)

    def features_model(self, layers: tuple[int, ...], path: Path, precision: Precision = "int8") -> str:
        """Write the graph whose only output is ``features`` to ``path``; return the digest that its features are valid under."""
        graph = self.graph(precision)
        graph.features(layers)
        graph.output("features", ["batch", len(layers) * graph.hidden])
        content = graph.model().SerializeToString(deterministic=True)
        path.write_bytes(content)
        return hashlib.sha256(content + self.tokenizer_path.read_bytes()).hexdigest()


def _counts(pretrained: PretrainedModel, data: Path, folder: Path) -> dict[str, Counter[int]]:
    """Piece counts of the corpus by language, kept on disk under a digest of the tokenizer and the sets' names and sizes."""
    listing = [(path.name, path.stat().st_size) for path in sorted(data.rglob("*.jsonl*"))]
    digest = hashlib.sha256(json.dumps([pretrained.sha256["tokenizer.json"], listing]).encode()).hexdigest()
    stored = folder / f"pieces-by-language-{digest[:16]}.json"
    if not stored.is_file():
        counted = count_pieces(pretrained.tokenizer_path, vocabulary_texts(data))
        stored.write_text(json.dumps({lang: sorted(counts.items()) for lang, counts in sorted(counted.items())}), encoding="utf-8")
    return {lang: Counter(dict(pairs)) for lang, pairs in json.loads(stored.read_text(encoding="utf-8")).items()}


def prepare_encoder(pretrained: PretrainedModel, data: Path, folder: Path, *, pieces: int) -> Encoder:
    """Trim ``pretrained`` to ``pieces`` vocabulary entries by the text under ``data``; its tokenizer is written to ``folder``."""
    require("onnx")
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = trim_vocabulary(pretrained.tokenizer_path, _counts(pretrained, data, folder), pieces)
    tokenizer_path = folder / f"tokenizer-{pieces}.json"
    write_tokenizer(pretrained.tokenizer_path, vocabulary, tokenizer_path)
    tensors = pretrained.tensors()
    tensors["embeddings.word_embeddings.weight"] = tensors["embeddings.word_embeddings.weight"][vocabulary.kept]
    config = {**pretrained.config(), "vocab_size": len(vocabulary)}
    return Encoder(tensors, config, vocabulary, tokenizer_path)
