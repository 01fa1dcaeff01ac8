"""The encoder in this process: loaded and asked in a thread of its own, so that the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from models.artifact import load_artifact
from models.errors import ModelError
from models.inference import Encoder
from streams.errors import BellwetherError

__all__ = ["ResidentEncoder"]

Answer = TypeVar("Answer")


class ResidentEncoder:
    """Calls wait for each other.

    Args:
        model: folder of the artifact; None: the one that is shipped.
        threads: processors to use; 0: all.
        name: of its thread.
        absent: complaint where it is asked before `open`.
        warm_up: run once after loading.
        lend: gives the encoder of somebody else in this process, None where there is none; it is used instead of loading another.
    """

    def __init__(
        self,
        model: Path | None,
        threads: int,
        *,
        name: str,
        absent: str,
        warm_up: Callable[[Encoder], object] | None = None,
        lend: Callable[[], Encoder | None] | None = None,
    ) -> None:
        self._model = model
        self._threads = threads
        self._name = name
        self._absent = absent
        self._warm_up = warm_up
        self._lend = lend
        self._thread: ThreadPoolExecutor | None = None
        self._encoder: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The loaded encoder. Raises BellwetherError before `open`."""
        if self._encoder is None:
            raise BellwetherError(self._absent, mend="await open() first")
        return self._encoder

    @property
    def is_open(self) -> bool:
        """Whether the model is loaded."""
        return self._encoder is not None

    async def open(self) -> None:
        """Load the model.

        Raises:
            BellwetherError: the model folder is missing or damaged.
        """
        if self._encoder is None:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix=self._name)
            try:
                self._encoder = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
            except ModelError as error:
                await self.close()
                raise BellwetherError(str(error), mend=error.mend) from error

    def _load(self) -> Encoder:
        lent = self._lend() if self._lend is not None else None
        encoder = Encoder(load_artifact(self._model), threads=self._threads) if lent is None else lent.beside(self._threads)
        if self._warm_up is not None:
            self._warm_up(encoder)
        return encoder

    async def ask(self, question: Callable[[Encoder], Answer]) -> Answer:
        """The answer of `question`, which runs in the thread. Raises BellwetherError before `open`."""
        encoder = self.encoder
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: question(encoder))

    async def close(self) -> None:
        """Wait for the calls under way and let the model go. May be called twice."""
        encoder, self._encoder = self._encoder, None
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)
        if encoder is not None:
            encoder.close()
