"""Frozen features of the labelled text, computed once and kept on disk text by text, so that an interrupted or a larger run resumes."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.inference import Runner

__all__ = ["FeatureCache"]

CHUNK = 512
DIGEST_BYTES = 16


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:DIGEST_BYTES]


class FeatureCache:
    """Features float16 of texts under one encoder, in one folder a set, in files of at most :data:`CHUNK` texts.

    Args:
        folder: where the files are kept.
        encoder: what makes the features valid: a digest of the graph, the tokenizer, the length and the prefix.
    """

    def __init__(self, folder: Path, encoder: str) -> None:
        self.folder = folder / encoder[:16]

    def _stored(self, name: str) -> tuple[dict[bytes, int], list[NDArray[np.float16]]]:
        """Row of each text digest in the concatenation of the set's files. A damaged file is removed and counts as absent."""
        rows: dict[bytes, int] = {}
        parts: list[NDArray[np.float16]] = []
        total = 0
        for path in sorted((self.folder / name).glob("*.npz")):
            try:
                with np.load(path) as stored:
                    digests, features = stored["digests"], stored["features"]
            except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile):
                path.unlink()
                continue
            for offset, digest in enumerate(digests):
                rows[digest.tobytes()] = total + offset
            parts.append(features)
            total += len(features)
        return rows, parts

    def missing(self, name: str, texts: Sequence[str]) -> list[str]:
        """Those of ``texts`` that are not stored, each once."""
        rows, _ = self._stored(name)
        return [text for text in dict.fromkeys(texts) if _digest(text) not in rows]

    def fill(self, runner: Runner, name: str, texts: Sequence[str], advance: Callable[[int], None]) -> None:
        """Compute and store what is missing of ``texts`` with ``runner``, a graph with the output ``features``.

        ``advance`` is called with the number of texts done.
        """
        missing = self.missing(name, texts)
        advance(len(texts) - len(missing))
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        # Texts of like length side by side make full batches out of small chunks.
        missing.sort(key=len)
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            features = self._compute(runner, chunk)
            digests = np.frombuffer(b"".join(map(_digest, chunk)), np.uint8).reshape(len(chunk), DIGEST_BYTES)
            partial = folder / f".{os.getpid()}.partial"
            with partial.open("wb") as stream:
                np.savez(stream, digests=digests, features=features)
            partial.replace(folder / f"{hashlib.sha256(digests.tobytes()).hexdigest()[:16]}.npz")
            advance(len(chunk))

    def get(self, name: str, texts: Sequence[str]) -> NDArray[np.float16]:
        """Features ``[len(texts), width]`` of texts that :meth:`fill` has stored.

        Raises:
            KeyError: a text is not stored.
        """
        rows, parts = self._stored(name)
        order = [rows[_digest(text)] for text in texts]
        features: NDArray[np.float16] = np.concatenate(parts)[order]
        return features

    @staticmethod
    def _compute(runner: Runner, texts: Sequence[str]) -> NDArray[np.float16]:
        width = int(runner.session.get_outputs()[0].shape[1])
        features = np.zeros((len(texts), width), np.float16)
        for rows, (computed,) in runner.results(texts, ["features"]):
            features[rows] = computed
        return features
