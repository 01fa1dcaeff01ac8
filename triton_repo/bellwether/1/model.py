"""Triton Python backend: text in, scores out.

On a processor it tokenises and scores by the same code as the in-process scorer (``models.inference``). Where the parameter ``graph`` names
another model of this server, as on a GPU, it only tokenises and calls that model.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

# The interpreter inside the Python backend ignores PYTHONPATH in some releases (2.51 is one) and reads it in others.
sys.path.extend(folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder and folder not in sys.path)

from models.artifact import load_artifact
from models.encoder.padding import PaddedTokenizer
from models.inference import Encoder, processors

__all__ = ["TritonPythonModel"]

WARM_UP = ("warm", "a sentence to make the first document as fast as the second")


class TritonPythonModel:
    """What the backend calls: `initialize` once, `execute` for every merged batch, `finalize` at the end."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the artifact and run it once, so that the first request is as fast as the second.

        Args:
            args: of Triton; ``model_config`` and ``model_repository`` are read.
        """
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config.get("parameters", {}).items()}
        # A relative folder lies in the repository: `bellwether models build` writes it so.
        inside = Path(args["model_repository"]).parent / parameters["artifact"] if parameters.get("artifact") else None
        self.source: Encoder | _OtherModel
        if parameters.get("graph"):
            self.artifact = load_artifact(inside)
            self.source = _OtherModel(parameters["graph"], PaddedTokenizer(self.artifact, multiple=int(parameters["multiple"])))
        else:
            folder = os.environ.get("BELLWETHER_SCORING__MODEL")
            self.artifact = load_artifact(Path(folder) if folder else inside)
            instances = sum(int(group.get("count", 1)) for group in config.get("instance_group", ())) or 1
            threads = int(os.environ.get("BELLWETHER_SCORING__THREADS") or parameters.get("threads") or 0)
            self.source = Encoder(self.artifact, threads=threads or max(1, processors() // instances))
        self.heads = ["sentiment", "topic", "embedding", *(["event"] if self.artifact.event_labels else [])]
        if not parameters.get("graph"):
            # Another model may be loaded after this one, so it cannot be asked yet; it has a warm-up of its own.
            self._scores(WARM_UP)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Score the texts of all requests together. A request that cannot be read gets an error of its own."""
        answers: list[Any] = [None] * len(requests)
        texts: list[str] = []
        spans: dict[int, slice] = {}
        for number, request in enumerate(requests):
            if request.is_cancelled():
                answers[number] = _refusal("the client gave the request up", pb_utils.TritonError.CANCELLED)
                continue
            try:
                decoded = _texts(request)
            except ValueError as error:
                answers[number] = _refusal(str(error), pb_utils.TritonError.INVALID_ARG)
                continue
            spans[number] = slice(len(texts), len(texts) + len(decoded))
            texts.extend(decoded)
        try:
            scores = self._scores(texts) if texts else {}
        except _GraphError as error:
            for number in spans:
                answers[number] = _refusal(str(error), pb_utils.TritonError.UNAVAILABLE)
            return answers
        for number, span in spans.items():
            part = {name: array[span] for name, array in scores.items()}
            answers[number] = self._answer(part, set(requests[number].requested_output_names()))
        return answers

    def finalize(self) -> None:
        """Let the threads go."""
        self.source.close()

    def _scores(self, texts: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
        """Head, or ``embedding`` -> float32 ``[texts, width]``."""
        whole: dict[str, np.ndarray[Any, Any]] = {}
        for rows, arrays in self.source.results(texts, self.heads):
            for name, part in zip(self.heads, arrays, strict=True):
                if name not in whole:
                    whole[name] = np.zeros((len(texts), part.shape[1]), np.float32)
                whole[name][rows] = part
        return whole

    def _answer(self, scores: dict[str, np.ndarray[Any, Any]], wanted: set[str]) -> Any:
        rows, width = scores["embedding"].shape
        # A model without a head for finance events tells so by a width of nought.
        tensors = {"EVENT": np.zeros((rows, 0), np.float32), **{name.upper(): array for name, array in scores.items()}}
        tensors["MODEL"] = np.full((rows, 1), self.artifact.model_id.encode(), np.object_)
        if "LABELS" in wanted:
            tensors["LABELS"] = np.full((rows, 1), self._labels(width), np.object_)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in tensors.items() if name in wanted])

    def _labels(self, width: int) -> bytes:
        labels = {
            "model": self.artifact.model_id,
            "sentiment": list(self.artifact.sentiment_labels),
            "topic": list(self.artifact.topic_labels),
            "event": list(self.artifact.event_labels),
            "embedding": width,
        }
        return json.dumps(labels, ensure_ascii=False).encode()


class _GraphError(Exception):
    """The other model refused, or is not there."""


class _OtherModel:
    """Another model of this server that takes token ids, as a source of results like :class:`models.inference.Encoder`."""

    def __init__(self, name: str, tokenizer: PaddedTokenizer) -> None:
        self.name, self.tokenizer = name, tokenizer

    def results(self, texts: Sequence[str], outputs: Sequence[str]) -> Iterator[tuple[Any, list[Any]]]:
        for batch in self.tokenizer.batches(texts):
            request = pb_utils.InferenceRequest(
                model_name=self.name,
                requested_output_names=list(outputs),
                inputs=[pb_utils.Tensor("input_ids", batch.input_ids), pb_utils.Tensor("attention_mask", batch.attention_mask)],
                # The answer is read here, on the processor, wherever it was computed.
                preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
            )
            answer = request.exec()
            if answer.has_error():
                raise _GraphError(f"{self.name}: {answer.error().message()}")
            yield batch.rows, [pb_utils.get_output_tensor_by_name(answer, name).as_numpy() for name in outputs]

    def close(self) -> None:
        """Nothing is held."""


def _texts(request: Any) -> list[str]:
    """The texts of a request. Raises ValueError when one is not UTF-8."""
    values = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy().ravel()
    texts = []
    for position, value in enumerate(values):
        try:
            texts.append(bytes(value).decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"TEXT[{position}] is not UTF-8: {error.reason} at byte {error.start}") from error
    return texts


def _refusal(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
