"""Triton Python backend: tokenises and scores text by the same code as the in-process scorer (``models.inference``)."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

# The interpreter inside the Python backend ignores PYTHONPATH in some releases (2.51 is one) and reads it in others.
sys.path.extend(folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder and folder not in sys.path)

from models.artifact import load_artifact
from models.inference import Encoder, Scores, processors

__all__ = ["TritonPythonModel"]

WARM_UP = ("warm", "a sentence to make the first document as fast as the second")


class TritonPythonModel:
    """What the backend calls: `initialize` once, `execute` for every merged batch, `finalize` at the end."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the artifact and run it once, so that the first request is as fast as the second.

        Args:
            args: of Triton; ``model_config`` is read.
        """
        config = json.loads(args["model_config"])
        parameters = config.get("parameters", {})
        folder = _setting("BELLWETHER_SCORING__MODEL", parameters, "artifact")
        instances = sum(int(group.get("count", 1)) for group in config.get("instance_group", ())) or 1
        threads = int(_setting("BELLWETHER_SCORING__THREADS", parameters, "threads") or 0) or max(1, processors() // instances)
        self.encoder = Encoder(load_artifact(Path(folder) if folder else None), threads=threads)
        width = self.encoder.score(WARM_UP).embedding.shape[1]
        artifact = self.encoder.artifact
        self.model_id = artifact.model_id.encode()
        labels = {
            "model": artifact.model_id,
            "sentiment": list(artifact.sentiment_labels),
            "topic": list(artifact.topic_labels),
            "embedding": width,
        }
        self.labels = json.dumps(labels, ensure_ascii=False).encode()

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
        scores = self.encoder.score(texts)
        for number, span in spans.items():
            part = Scores(*(array[span] for array in scores))
            answers[number] = self._answer(part, set(requests[number].requested_output_names()))
        return answers

    def finalize(self) -> None:
        """Let the threads go."""
        self.encoder.close()

    def _answer(self, scores: Scores, wanted: set[str]) -> Any:
        rows = len(scores.sentiment)
        tensors = {
            "SENTIMENT": scores.sentiment,
            "TOPIC": scores.topic,
            "EMBEDDING": scores.embedding,
            "MODEL": np.full((rows, 1), self.model_id, np.object_),
            "LABELS": np.full((rows, 1), self.labels, np.object_),
        }
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in tensors.items() if name in wanted])


def _setting(variable: str, parameters: dict[str, dict[str, str]], name: str) -> str:
    return os.environ.get(variable) or parameters.get(name, {}).get("string_value", "")


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
