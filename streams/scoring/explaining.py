"""Which words moved the score of a document, for the command line and for documents that raise alerts.

The explanation runs in this process whatever scores the stream: it asks the same artifact dozens of times about one text, which would only
fill the server's queue.
"""

from __future__ import annotations

from pathlib import Path

from models.errors import ModelError
from models.explanation.occlusion import Explanation, explain
from streams.documents import ScoredDocument
from streams.enrich.cleaning import clean, model_text
from streams.errors import BellwetherError
from streams.scoring.resident import ResidentEncoder

__all__ = ["Explainer"]


class Explainer:
    """Explains one text at a time, in a thread of its own; calls wait for each other.

    Args:
        model: folder of the artifact; None: the one that is shipped.
        threads: processors to use; 0: all.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 0) -> None:
        self._resident = ResidentEncoder(model, threads, name="explain", absent="the explainer is not open")

    async def open(self) -> None:
        """Load the model.

        Raises:
            BellwetherError: the model folder is missing or damaged.
        """
        await self._resident.open()

    async def explain(self, text: str, *, title: str = "", target: str = "sentiment") -> Explanation:
        """Explain what the service would score: `title` and `text` are cleaned, and cut to title and lead.

        Args:
            target: ``sentiment``, ``topic`` (the most probable one), or the name of a topic.

        Raises:
            BellwetherError: not open, or the model has no such topic.
        """
        read = model_text(clean(title), clean(text))
        try:
            return await self._resident.ask(lambda encoder: explain(encoder, read, target=target))
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
        await self._resident.close()
