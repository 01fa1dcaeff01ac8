"""Which words moved the score of a document, for the command line and for documents that raise alerts.

The explanation runs in this process whatever scores the stream: it asks the same artifact dozens of times about one text, which would only
fill the server's queue.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from models.errors import ModelError
from models.explanation.occlusion import Explanation, explain
from models.inference import Encoder
from streams.documents import ScoredDocument
from streams.enrich.cleaning import clean, model_text
from streams.errors import BellwetherError
from streams.scoring.resident import ResidentEncoder

__all__ = ["Explainer"]

_PRECISION = re.compile(r"-(?:fp32|fp16|int8)$")


class Explainer:
    """Explains one text at a time, in a thread of its own; calls wait for each other.

    Args:
        model: folder of the artifact; None: the one that is shipped.
        threads: processors to use; 0: all.
        lend: gives the encoder that scores in this process, None where none does: then the model is not loaded a second time.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 0, lend: Callable[[], Encoder | None] | None = None) -> None:
        self._resident = ResidentEncoder(model, threads, name="explain", absent="the explainer is not open", lend=lend)

    def speaks_for(self, model_id: str) -> bool:
        """Whether `model_id` names this model, or another precision of it (``…-fp16``), as a GPU is given.

        Raises:
            BellwetherError: not open.
        """
        own = self._resident.encoder.artifact.model_id
        mine, theirs = own.partition("+")[0], model_id.partition("+")[0]
        return own == model_id or (mine != theirs and _PRECISION.sub("", mine) == _PRECISION.sub("", theirs))

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
        return await self.explain_read(clean(title), clean(text), target=target)

    async def explain_read(self, title: str, text: str, *, target: str = "sentiment") -> Explanation:
        """Explain a title and a text that are clean already, as those of a document are. Raises as `explain`."""
        read = model_text(title, text)
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
        return await self.explain_read(document.title, document.text, target=target)

    async def close(self) -> None:
        """Wait for the call under way and let the model go. May be called twice."""
        await self._resident.close()
