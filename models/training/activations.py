"""States of the frozen lower layers, computed once a text by the int8 graph that ships, and kept on disk.

What is frozen in training is then, to the bit, what runs below the trained layers in the artifact, noise of its quantisation included.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.encoder.trimmed import Encoder
from models.inference import Runner

__all__ = ["ActivationStore", "States", "states_model"]

STATES = "states"
ENTRY = np.dtype([("digest", "V16"), ("start", "<i8"), ("tokens", "<i8")])


class States(NamedTuple):
    """``states`` float32 ``[n, sequence, hidden]``, zero behind each text's end; ``lengths`` int64 ``[n]``: tokens of each text."""

    states: NDArray[np.float32]
    lengths: NDArray[np.int64]


def states_model(encoder: Encoder, layers: int, path: Path) -> str:
    """Write the graph of the lowest ``layers`` layers, output ``states``, to ``path``; return the digest its states are valid under."""
    graph = encoder.graph(layers=layers)
    graph.node("Identity", [graph.state(layers)], STATES)
    graph.output(STATES, ["batch", "sequence", graph.hidden])
    content = graph.model().SerializeToString(deterministic=True)
    path.write_bytes(content)
    return hashlib.sha256(content + encoder.tokenizer_path.read_bytes()).hexdigest()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[: ENTRY["digest"].itemsize]


class ActivationStore:
    """States float16 of texts, appended to one file as they are asked for; a run that is killed loses at most the last chunk.

    Close it, or use it as a context manager; one process at a time.

    Args:
        folder: where the two files are kept.
        runner: runs the graph of :func:`states_model`.
        hidden: width of a state.
    """

    def __init__(self, folder: Path, runner: Runner, hidden: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.runner, self.hidden = runner, hidden
        self._row_bytes = hidden * np.dtype(np.float16).itemsize
        self._index_path = folder / "index.bin"
        self._states_path = folder / "states.bin"
        self._places: dict[bytes, tuple[int, int]] = {}
        self._end = 0
        self._recover()
        self._states = self._states_path.open("r+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file of states."""
        self._states.close()

    def _recover(self) -> None:
        """Read the index, and cut both files back to the last text that both hold whole."""
        self._states_path.touch()
        self._index_path.touch()
        stored = self._states_path.stat().st_size // self._row_bytes
        content = self._index_path.read_bytes()
        entries = np.frombuffer(content[: len(content) // ENTRY.itemsize * ENTRY.itemsize], ENTRY)
        whole = 0
        for entry in entries:
            start, tokens = int(entry["start"]), int(entry["tokens"])
            if start != self._end or start + tokens > stored:
                break
            self._places[entry["digest"].tobytes()] = (start, tokens)
            self._end = start + tokens
            whole += 1
        os.truncate(self._index_path, whole * ENTRY.itemsize)
        os.truncate(self._states_path, self._end * self._row_bytes)

    def __contains__(self, text: str) -> bool:
        return _digest(text) in self._places

    def fill(self, texts: Sequence[str]) -> int:
        """Compute and store what is missing of ``texts``; return how many that were."""
        missing = [text for text in dict.fromkeys(texts) if text not in self]
        entries: list[tuple[bytes, int, int]] = []
        self._states.seek(self._end * self._row_bytes)
        end = self._end
        for rows, (states,) in self.runner.results(missing, [STATES]):
            self._states.write(np.ascontiguousarray(states, np.float16).tobytes())
            for row in rows:
                entries.append((_digest(missing[row]), end, states.shape[1]))
                end += states.shape[1]
        # The states go before the index: an index entry always has its states.
        self._states.flush()
        with self._index_path.open("ab") as index:
            index.write(np.array(entries, ENTRY).tobytes())
        self._end = end
        self._places.update({digest: (start, tokens) for digest, start, tokens in entries})
        return len(missing)

    def lengths(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each of ``texts``, which :meth:`fill` has stored."""
        return np.array([self._places[_digest(text)][1] for text in texts], np.int64)

    def get(self, texts: Sequence[str]) -> States:
        """States of texts that :meth:`fill` has stored.

        Raises:
            KeyError: a text is not stored.
        """
        places = [self._places[_digest(text)] for text in texts]
        lengths = np.array([tokens for _, tokens in places], np.int64)
        states = np.zeros((len(texts), int(lengths.max(initial=0)), self.hidden), np.float32)
        for row, (start, tokens) in enumerate(places):
            self._states.seek(start * self._row_bytes)
            content = self._states.read(tokens * self._row_bytes)
            states[row, :tokens] = np.frombuffer(content, np.float16).reshape(tokens, self.hidden)
        return States(states, lengths)
