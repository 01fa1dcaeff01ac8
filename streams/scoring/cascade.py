"""The cheap stages before the encoder, in this process whatever serves the encoder: they answer the texts that they are sure of.

Their files and their plan (``cascade.json``, see :mod:`models.cascade.plan`) stand in the folder of the model that they were fitted to, and
serve that model only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import structlog

from models.artifact import load_artifact
from models.cascade.gates import Gates
from models.cascade.plan import PLAN, Plan
from models.errors import ModelError
from models.inference import Scores as ModelScores
from models.language_groups import canonical
from streams.errors import BellwetherError
from streams.scoring.contract import Scores
from streams.scoring.texts import as_utf8
from streams.settings import ScoringSettings

__all__ = ["Cascade", "Heard", "asked_for", "check_plan"]

_OFF = "or set scoring.cascade=off"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the cheap stages say of a batch.

    Attributes:
        scores: of the texts that one of them answers; nought for the others.
        stage: [batch], position in `Cascade.names` of the stage that answers; the last one is the encoder.
        first: what the first stage says of each text, sure or not.
    """

    scores: Scores
    stage: npt.NDArray[np.int64]
    first: Scores


def asked_for(settings: ScoringSettings) -> bool:
    """Whether these settings ask for the cascade in the model's folder: ``auto`` does where there is one."""
    if settings.cascade == "auto":
        try:
            return (load_artifact(settings.model).root / PLAN).is_file()
        except ModelError:
            return False  # who needs the folder says so when it is opened; a Triton server may be all there is
    return settings.cascade == "on"


def check_plan(plan: Plan, model_id: str) -> None:
    """Whether a cascade of this plan can stand before the model `model_id`.

    Raises:
        BellwetherError: it was fitted to another one, or does not say in which languages.
    """
    again = f"fit it with `bellwether models cascade`, {_OFF}"
    if plan.model_id != model_id:
        raise BellwetherError(f"the cascade was fitted to {plan.model_id}, but {model_id} scores", mend=f"serve that model, {again}")
    if plan.stages and not plan.languages:
        raise BellwetherError(f"the cascade of {model_id} does not say in which languages it was fitted", mend=again)


class Cascade:
    """Asks the stages in a thread of its own, so that the event loop goes on meanwhile; calls wait for each other.

    Args:
        model: folder of the artifact with the cascade; None: the one that is shipped.
        threads: processors that a stage with a graph may use; 0: all.
    """

    def __init__(self, model: Path | None = None, *, threads: int = 0) -> None:
        self._model = model
        self._threads = threads
        self._thread: ThreadPoolExecutor | None = None
        self._opened: Gates | None = None
        self._languages: frozenset[str] = frozenset()
        self._stranger: str | None = None

    @property
    def _gates(self) -> Gates:
        if self._opened is None:
            raise BellwetherError("the cascade is not open", mend="await open() first")
        return self._opened

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in the order they are asked, the last of them ``encoder``. Raises BellwetherError before `open`."""
        return self._gates.names

    async def open(self, model_id: str) -> None:
        """Load the stages.

        Args:
            model_id: of the model that answers what they leave.

        Raises:
            BellwetherError: the folder has no cascade, a damaged one, or one that cannot stand before this model.
        """
        if self._opened is None:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="cascade")
            try:
                self._opened = await asyncio.get_running_loop().run_in_executor(self._thread, self._load)
            except ModelError as error:
                await self.close()
                raise BellwetherError(str(error), mend=f"{error.mend}, {_OFF}") from error
        plan = self._gates.plan
        try:
            check_plan(plan, model_id)
        except BellwetherError:
            await self.close()
            raise
        self._languages = frozenset(map(canonical, plan.languages))
        _log.info("a cascade scores", stages=self.names, languages=len(self._languages), model_id=model_id)

    def _load(self) -> Gates:
        gates = Gates(load_artifact(self._model), self._threads)
        gates.ask(["a sentence to make the first document as fast as the second"])
        return gates

    def knows(self, language: str) -> bool:
        """Whether its thresholds were chosen on texts of this language, among others."""
        return canonical(language) in self._languages

    def stands_before(self, model_id: str) -> bool:
        """Whether it was fitted to this model: a server may have been started again with another one."""
        fitted = self._gates.plan.model_id
        if fitted != model_id and self._stranger != model_id:
            self._stranger = model_id
            _log.warning("the encoder scores everything: it is not the one that the cascade was fitted to", scores=model_id, fitted=fitted)
        return fitted == model_id

    async def hear(self, texts: Sequence[str]) -> Heard:
        """What the stages say; a text's result does not depend on the others.

        Raises:
            PermanentError: a text holds a lone surrogate.
        """
        given, gates = list(texts), self._gates
        as_utf8(given)
        asked = await asyncio.get_running_loop().run_in_executor(self._thread, gates.ask, given)
        return Heard(Scores(*asked.scores), asked.stage, Scores(*asked.first))

    def blended(self, encoder: Scores, first: Scores) -> Scores:
        """What is given where the encoder answers: its scores, with the plan's share of the first stage's for the same texts."""
        return Scores(*self._gates.blended(_of_models(encoder), _of_models(first)))

    async def close(self) -> None:
        """Wait for the calls under way and let the stages go. May be called twice."""
        opened, self._opened = self._opened, None
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.shutdown)
        if opened is not None:
            opened.close()


def _of_models(scores: Scores) -> ModelScores:
    return ModelScores(scores.sentiment, scores.topic, scores.embedding)
