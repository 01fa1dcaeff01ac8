"""The model in this process, by ONNX Runtime: for machines without a Triton server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.artifact import Artifact, load_artifact
from models.errors import ModelError
from models.inference import Encoder
from streams.errors import BellwetherError
from streams.scoring.contract import Scores
from streams.scoring.texts import as_utf8

__all__ = ["OnnxScorer"]

WARM_UP = ("warm", "a sentence to make the first document as fast as the second")


class OnnxScorer:
    """Scores in a thread of its own, so that the event loop goes on meanwhile; calls wait for each other.

    Args:
        model: folder of the artifact; None: the one that is shipped.
        threads: processors to use; 0: all.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 0) -> None:
        self._model = model
        self._threads = threads
        self._thread: ThreadPoolExecutor | None = None
        self._encoder: Encoder | None = None

    @property
    def model_id(self) -> str:
        """Id of the artifact. Raises BellwetherError before `open`."""
        return self._artifact.model_id

    @property
    def topics(self) -> tuple[str, ...]:
        """Topic labels of the artifact. Raises BellwetherError before `open`."""
        return self._artifact.topic_labels

    @property
    def _artifact(self) -> Artifact:
        return self._opened.artifact

    @property
    def _opened(self) -> Encoder:
        if self._encoder is None:
            raise BellwetherError("the in-process model is not open", mend="await open() first")
        return self._encoder

    async def open(self) -> None:
        """Load the model and run it once.

        Raises:
            BellwetherError: the model folder is missing or damaged.
        """
        if self._encoder is None:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="score")
            try:
                self._encoder = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
            except ModelError as error:
                await self.close()
                raise BellwetherError(str(error), mend=error.mend) from error

    def _load(self) -> Encoder:
        encoder = Encoder(load_artifact(self._model), threads=self._threads)
        encoder.score(WARM_UP)
        return encoder

    async def score(self, texts: Sequence[str]) -> Scores:
        """See the contract. Raises PermanentError for a text with a lone surrogate."""
        encoder = self._opened
        as_utf8(texts)
        scores = await asyncio.get_running_loop().run_in_executor(self._thread, encoder.score, list(texts))
        return Scores(*scores)

    async def close(self) -> None:
        """Wait for the calls under way and let the model go."""
        encoder, self._encoder = self._encoder, None
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)
        if encoder is not None:
            encoder.close()
