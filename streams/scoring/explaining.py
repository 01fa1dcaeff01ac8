"""Which words moved the score of a document, for the command line and for documents that raise alerts.

The explanation runs in this process whatever scores the stream: it asks the same artifact dozens of times about one text, which would only
fill the server's queue.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.artifact import load_artifact
from models.errors import ModelError
from models.explanation import Explanation, explain
from models.inference import Encoder
from streams.documents import ScoredDocument
from streams.enrich.cleaning import clean, model_text
from streams.errors import BellwetherError

__all__ = ["Explainer"]


class Explainer:
    """Explains one text at a time, in a thread of its own; calls wait for each other.

    Args:
        model: folder of the artifact; None: the one that is shipped.
        threads: processors to use; 0: all.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 0) -> None:
        self._model = model
        self._threads = threads
        self._thread: ThreadPoolExecutor | None = None
        self._encoder: Encoder | None = None

    async def open(self) -> None:
        """Load the model.

        Raises:
            BellwetherError: the model folder is missing or damaged.
        """
        if self._encoder is None:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="explain")
            try:
                self._encoder = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
            except ModelError as error:
                await self.close()
                raise BellwetherError(str(error), mend=error.mend) from error

    def _load(self) -> Encoder:
        return Encoder(load_artifact(self._model), threads=self._threads)

    async def explain(self, text: str, *, title: str = "", target: str = "sentiment") -> Explanation:
        """Explain what the service would score: `title` and `text` are cleaned, and cut to title and lead.

        Args:
            target: ``sentiment``, ``topic`` (the most probable one), or the name of a topic.

        Raises:
            BellwetherError: not open, or the model has no such topic.
        """
        encoder = self._encoder
        if encoder is None:
            raise BellwetherError("the explainer is not open", mend="await open() first")
        read = model_text(clean(title), clean(text))
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: explain(encoder, read, target=target))
        except ModelError as error:
            raise BellwetherError(str(error), mend=error.mend) from error

    async def explain_document(self, document: ScoredDocument, *, target: str = "sentiment") -> Explanation:
        """Explain a document's own text. A near-copy carries its original's score; what its own words do is told here.

        Raises:
            BellwetherError: the document has no score, and why.
        """
        if document.unscored is not None:
            raise BellwetherError(f"document {document.id} has no score: {document.unscored.reason}")
        return await self.explain(document.text, title=document.title, target=target)

    async def close(self) -> None:
        """Wait for the call under way and let the model go. May be called twice."""
        encoder, self._encoder = self._encoder, None
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)
        if encoder is not None:
            encoder.close()
