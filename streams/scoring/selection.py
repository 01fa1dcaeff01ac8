"""Which scorer serves: by setting, or by what answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import stamina
import structlog

from streams.errors import BellwetherError, TransientError
from streams.scoring.contract import Lender, Scorer, Scores
from streams.settings import ScoringSettings, Settings

if TYPE_CHECKING:
    from models.inference import Encoder
    from streams.scoring.cascade import Cascade

__all__ = ["PATIENCE", "AutoScorer", "build_cascade", "build_scorer"]

PATIENCE = 3.0
"""Seconds that ``auto`` waits for Triton before the model is loaded into this process."""

_log = structlog.get_logger(__name__)


class AutoScorer:
    """Triton where it answers, else the model in this process. The choice is made once, when it is opened, and logged.

    Args:
        triton: asked first.
        onnx: serves where the first does not answer within `patience` seconds, or never will.
    """

    def __init__(self, triton: Scorer, onnx: Scorer, *, patience: float = PATIENCE) -> None:
        self._triton = triton
        self._onnx = onnx
        self._patience = patience
        self._chosen: Scorer | None = None

    @property
    def chosen(self) -> Scorer:
        """The scorer that serves. Raises BellwetherError before `open`."""
        if self._chosen is None:
            raise BellwetherError("the scorer is not open", mend="await open() first")
        return self._chosen

    @property
    def model_id(self) -> str:
        """Model id of the chosen scorer."""
        return self.chosen.model_id

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics of the chosen scorer."""
        return self.chosen.topics

    async def open(self) -> None:
        """Choose. Raises BellwetherError when neither can serve."""
        try:
            await self._wait_for_triton()
        except BellwetherError as error:
            _log.warning("scoring in this process: Triton does not serve", reason=error.message, mend=error.mend)
            await self._onnx.open()
            self._chosen = self._onnx
        else:
            _log.info("scoring by Triton", model_id=self._triton.model_id)
            self._chosen = self._triton

    async def _wait_for_triton(self) -> None:
        retries = stamina.retry_context(
            on=TransientError, attempts=None, timeout=self._patience, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1
        )
        async for attempt in retries:
            with attempt:
                await self._triton.open()

    async def score(self, texts: Sequence[str]) -> Scores:
        """By the chosen scorer. When Triton goes away later this is a TransientError: the model is not changed under way."""
        return await self.chosen.score(texts)

    def lend(self) -> Encoder | None:
        """See :class:`streams.scoring.contract.Lender`: None where Triton serves."""
        return self._chosen.lend() if isinstance(self._chosen, Lender) else None

    async def close(self) -> None:
        """Close both."""
        self._chosen = None
        await self._triton.close()
        await self._onnx.close()


def build_scorer(settings: Settings) -> Scorer:
    """The scorer that `settings.scoring.backend` names; nothing is opened yet. Libraries of the others are not loaded."""
    backend = settings.scoring.backend
    if backend == "noop":
        from streams.scoring.noop import NoopScorer

        return NoopScorer()
    if backend == "onnx":
        return _onnx(settings)
    if backend == "triton":
        return _triton(settings)
    return AutoScorer(_triton(settings), _onnx(settings))


def build_cascade(settings: ScoringSettings) -> Cascade | None:
    """The cheap stages that these settings ask for, not yet open; None where they ask for none, and its libraries are not loaded."""
    if settings.cascade == "off":
        return None
    from streams.scoring.cascade import Cascade, asked_for

    return Cascade(settings.model, threads=settings.threads) if asked_for(settings) else None


def _triton(settings: Settings) -> Scorer:
    from streams.scoring.triton import TritonScorer

    return TritonScorer(settings.triton)


def _onnx(settings: Settings) -> Scorer:
    from streams.scoring.onnx import OnnxScorer

    return OnnxScorer(settings.scoring.model, threads=settings.scoring.threads)
