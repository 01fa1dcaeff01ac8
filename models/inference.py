"""Running an ONNX graph of this package in process: tokenise, group by length, run. Needs onnxruntime and tokenizers only.

Texts of the same number of tokens run together and nothing is ever padded, so a text's numbers are the same, bit by bit, alone and in
any company; without the padding it is also the fastest way. Every call runs on one thread, and several calls run beside each other:
on two cores a quarter faster than one call on both, because nobody waits for the other's half of each matrix product.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from models.artifact import REINSTALL, Artifact
from models.calibration.record import load_calibration
from models.errors import ModelError

__all__ = ["Batch", "Encoder", "Runner", "Scores", "TextTokenizer", "processors"]

#: Tokens of one call; larger calls fall out of the processor's cache and gain nothing.
TOKEN_BUDGET = 256

#: Characters that are read for each token a text may have. No language comes near it; it bounds the work that a huge text makes.
CHARACTERS_PER_TOKEN = 64


@dataclass(frozen=True)
class Batch:
    """``rows``: positions in the caller's list; ``input_ids`` and ``attention_mask``: int64 ``[len(rows), sequence]``."""

    rows: NDArray[np.int64]
    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]


class Scores(NamedTuple):
    """float32 ``sentiment`` ``[n, 3]``, ``topic`` ``[n, topics]``, ``embedding`` ``[n, width]`` of unit length."""

    sentiment: NDArray[np.float32]
    topic: NDArray[np.float32]
    embedding: NDArray[np.float32]


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class TextTokenizer:
    """Texts to token ids, as the graphs of an artifact take them; usable from several threads.

    Args:
        path: a ``tokenizer.json``.
        max_length: tokens a text is cut to, the two special ones included.
        prefix: put before every text.
    """

    def __init__(self, path: Path, *, max_length: int, prefix: str = "") -> None:
        self.tokenizer = Tokenizer.from_file(str(path))
        self.tokenizer.enable_truncation(max_length)
        self.tokenizer.no_padding()
        self.prefix = prefix
        self._characters = max_length * CHARACTERS_PER_TOKEN

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to ``max_length``.

        Raises:
            ValueError: a text holds a lone surrogate, which no encoding of Unicode can express.
        """
        prepared = [self.prefix + text[: self._characters] for text in texts]
        for text in prepared:
            text.encode("utf-8")
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(prepared)]


class Runner(TextTokenizer):
    """One graph with its tokenizer; usable from several threads. Close it, or use it as a context manager.

    Args:
        onnx_path: a graph with the inputs ``input_ids`` and ``attention_mask``.
        tokenizer_path: the ``tokenizer.json`` that belongs to it.
        max_length: tokens a text is cut to, the two special ones included.
        prefix: put before every text.
        threads: calls that run at the same time; 0: as many as there are processors.
    """

    def __init__(self, onnx_path: Path, tokenizer_path: Path, *, max_length: int, prefix: str = "", threads: int = 0) -> None:
        self.threads = threads or processors()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # A plan of memory for every shape that ever came would grow for ever: shapes differ from call to call.
        options.enable_mem_pattern = False
        self.session = onnxruntime.InferenceSession(str(onnx_path), options, providers=["CPUExecutionProvider"])
        super().__init__(tokenizer_path, max_length=max_length, prefix=prefix)
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="onnx")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def beside(self, threads: int = 1) -> Self:
        """The same graph and tokenizer, with threads of its own: its calls do not queue behind this one's, and nothing is loaded again.

        Each is closed by itself.

        Args:
            threads: calls that run at the same time; 0: as many as there are processors.
        """
        other = copy.copy(self)
        other.threads = threads or processors()
        other._pool = ThreadPoolExecutor(other.threads, thread_name_prefix="onnx")
        return other

    def close(self) -> None:
        """Let the threads go; calls under way are finished. May be called twice."""
        self._pool.shutdown(cancel_futures=True)

    def batches(self, tokens: Sequence[Sequence[int]], budget: int = TOKEN_BUDGET) -> Iterator[Batch]:
        """Group texts of equal length into batches of at most ``budget`` tokens (at least one row), the longest texts first.

        A small list is cut finer, so that every thread gets a share.
        """
        share = -(-sum(map(len, tokens)) // self.threads)
        of_length: dict[int, list[int]] = {}
        for row, ids in enumerate(tokens):
            of_length.setdefault(len(ids), []).append(row)
        for length in sorted(of_length, reverse=True):
            rows = of_length[length]
            size = max(1, min(budget, share) // length)
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                input_ids = np.array([tokens[row] for row in part], np.int64)
                yield Batch(np.array(part, np.int64), input_ids, np.ones_like(input_ids))

    def run(self, batch: Batch, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """Run one batch in this thread; one array for each name in ``outputs``, rows as in ``batch.rows``."""
        feeds = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        results: list[NDArray[np.float32]] = self.session.run(list(outputs), feeds)
        return results

    def results(self, texts: Sequence[str], outputs: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.float32]]]]:
        """Positions in ``texts`` and their ``outputs``, batch after batch, on all threads."""
        batches = list(self.batches(self.tokenize(texts)))
        computed = self._pool.map(lambda batch: self.run(batch, outputs), batches)
        for batch, arrays in zip(batches, computed, strict=True):
            yield batch.rows, arrays

    def score(self, texts: Sequence[str]) -> Scores:
        """Score ``texts`` with a serving graph, in the order given: any number, any length, any Unicode.

        Raises:
            ValueError: a text holds a lone surrogate.
        """
        whole = [np.zeros((len(texts), width), np.float32) for width in self._widths()]
        for rows, arrays in self.results(texts, Scores._fields):
            for target, part in zip(whole, arrays, strict=True):
                target[rows] = part
        return Scores(*whole)

    def _widths(self) -> list[int]:
        widths = {output.name: int(output.shape[1]) for output in self.session.get_outputs()}
        return [widths[name] for name in Scores._fields]


class Encoder(Runner):
    """The model of an artifact, its files checked against their checksums.

    Args:
        artifact: see :func:`models.artifact.load_artifact`.
        threads: calls that run at the same time; 0: as many as there are processors.

    Raises:
        ModelError: a file is damaged, or the graph does not give what the artifact's config says.
    """

    def __init__(self, artifact: Artifact, threads: int = 0) -> None:
        artifact.verify()
        self.calibration = load_calibration(artifact)
        super().__init__(
            artifact.onnx_path, artifact.tokenizer_path, max_length=artifact.max_length, prefix=artifact.prefix, threads=threads
        )
        self.artifact = artifact
        promised = [len(artifact.sentiment_labels), len(artifact.topic_labels)]
        if self._widths()[:2] != promised:
            self.close()
            message = f"{artifact.onnx_path} gives {self._widths()[:2]} sentiments and topics, its config.json names {promised}"
            raise ModelError(message, mend=REINSTALL)

    def probabilities(self, head: str, texts: Sequence[str], languages: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities ``[n, classes]`` of ``head`` for texts in these languages, with the temperature of each language's group.

        Raises:
            ModelError: the model has no such head.
            ValueError: a text holds a lone surrogate.
        """
        whole = np.zeros((len(texts), len(self.artifact.labels(head))), np.float32)
        for rows, arrays in self.results(texts, (head,)):
            whole[rows] = arrays[0]
        return whole if self.calibration is None else self.calibration.apply(head, whole, languages)
