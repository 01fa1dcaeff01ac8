"""The explain stage: the words that moved the scores of an alert's first documents, before it is told.

It stands behind everything that decides: no rule, fingerprint or revision knows of it, so a run that is repeated tells the same
alerts, with or without words. It holds an alert up for a moment at most, and never keeps one: where the model is not at hand, busy
or too slow, the alert goes out and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from streams.alerts.evidence.passages import Passage, RecentPassages
from streams.alerts.evidence.words_told import explanation_of
from streams.alerts.life.grouping import is_recorded_only
from streams.cancellation import end_tasks
from streams.documents import Alert, AlertStatus, Evidence, Explanation
from streams.errors import BellwetherError, TransientError
from streams.metrics import Metrics

if TYPE_CHECKING:
    from streams.scoring.explaining import Explainer

__all__ = ["ALLOWED_SHARE", "LATE_SECONDS", "REMEMBERED_EXPLANATIONS", "ExplainStage", "PassageReader"]

REMEMBERED_EXPLANATIONS = 2_000
"""Explanations kept for the amendments of an alert, and for other alerts that show the same documents."""

ALLOWED_SHARE = 0.1
"""Of the time may be spent on explaining when alerts come one upon the other: a storm of them is told without words."""

LATE_SECONDS = 60.0
"""So long the words of an alert that went without them are waited for: nobody is held up any more."""

_PASSING = {"too_slow", "busy"}
"""Reasons that time mends."""

_LEAST_SECONDS = 0.25
"""With less left nothing is begun: it would run on without anybody waiting, and in a storm one after the other."""

log = structlog.get_logger(__name__)


class PassageReader(Protocol):
    """Reads documents that are in the index."""

    async def passages(self, documents: Sequence[tuple[str, datetime]]) -> dict[str, Passage]:
        """Passages by id; documents that are not there are left out. Raises TransientError."""


class ExplainStage:
    """Explains alerts, one after the other.

    Args:
        build: makes the explainer when the first alert comes; until then neither the model nor its libraries are loaded.
        recent: passages of documents that were watched lately.
        reader: has the others.
        metrics: counts what was told, and why not.
        documents: of each alert, how many of its first documents.
        seconds: that one alert may be held up.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        build: Callable[[], Explainer],
        recent: RecentPassages,
        reader: PassageReader,
        metrics: Metrics,
        *,
        documents: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._build = build
        self._explainer: Explainer | None = None
        self._recent = recent
        self._reader = reader
        self._metrics = metrics
        self._documents = documents
        self._seconds = seconds
        self._least = min(_LEAST_SECONDS, seconds / 2)
        self._clock = clock
        self._known: OrderedDict[tuple[str, bool], Explanation] = OrderedDict()
        self._under_way: asyncio.Task[Explanation] | None = None
        self._no_model = False
        self._allowed = seconds
        self._allowed_at = clock()
        self._next_late = clock()

    async def explained(self, alert: Alert) -> Alert:
        """`alert` with the words of its first documents, or why there are none. Nothing is raised, and nothing else is changed.

        A resolution, and an alert that only the index hears of, is told with what is known already; one that is sent again stays as it is.
        """
        if alert.resent_at is not None or not alert.evidence:
            return alert
        asks = alert.status is AlertStatus.FIRING and not is_recorded_only(alert)
        began = self._clock()
        allowed = self._allowance(began)
        deadline = began + min(self._seconds, allowed)
        shown = list(alert.evidence)
        for place, item in enumerate(shown[: self._documents]):
            found = self._known.get(_key(item))
            if found is None and asks:
                found = await self._ask(item, deadline, "busy" if allowed < self._least else "too_slow")
            if found is not None:
                shown[place] = item.model_copy(update={"explanation": found})
            if asks and found is not None:
                self._metrics.explanations.labels(outcome=found.reason or "explained").inc()
        if asks:
            self._allowed_at = self._clock()
            spent = self._allowed_at - began
            self._allowed = max(0.0, allowed - spent)
            self._metrics.explanation_seconds.observe(spent)
        return alert.model_copy(update={"evidence": tuple(shown)})

    async def completed(self, alert: Alert) -> Alert | None:
        """`alert`, which has been told, with the words that were not to be had in time; for the index. Tried once, nothing is raised.

        Returns:
            None where nothing is missing or was found, and where one alert is completed already: a storm's are not, one by one.
        """
        if not any(_is_late(item) for item in alert.evidence) or self._clock() < self._next_late:
            return None
        began = self._clock()
        self._next_late = began + LATE_SECONDS / ALLOWED_SHARE
        shown = list(alert.evidence)
        for place, item in enumerate(shown):
            if _is_late(item):
                found = self._known.get(_key(item)) or await self._ask(item, began + LATE_SECONDS, "too_slow")
                shown[place] = item.model_copy(update={"explanation": found})
        now = self._clock()
        self._next_late = now + (now - began) / ALLOWED_SHARE
        whole = alert.model_copy(update={"evidence": tuple(shown)})
        return whole if whole != alert else None

    async def close(self) -> None:
        """Leave what is under way, and let the model go. May be called twice."""
        if self._under_way is not None:
            await end_tasks(self._under_way)
        if self._explainer is not None:
            await self._explainer.close()

    def _allowance(self, now: float) -> float:
        """Seconds that explaining may take by now: what is spent comes back slowly."""
        self._allowed = min(self._seconds, self._allowed + (now - self._allowed_at) * ALLOWED_SHARE)
        self._allowed_at = now
        return self._allowed

    async def _ask(self, item: Evidence, deadline: float, late: str) -> Explanation:
        """Explain `item`, as far as the time goes; `late`: the reason where there is none left. What is begun is finished for the next."""
        if not await self._until_free(deadline):
            return Explanation(reason="busy")
        left = deadline - self._clock()
        known = self._known.get(_key(item))
        if known is not None or left < self._least:
            return known or Explanation(reason=late)
        task = self._under_way = asyncio.create_task(self._explain(item), name=f"explain {item.id}")
        done, _ = await asyncio.wait({task}, timeout=left)
        return task.result() if done else Explanation(reason="too_slow")

    async def _until_free(self, deadline: float) -> bool:
        """Whether what an earlier alert asked for is done by then."""
        if self._under_way is None or self._under_way.done():
            return True
        done, _ = await asyncio.wait({self._under_way}, timeout=max(0.0, deadline - self._clock()))
        return bool(done)

    async def _explain(self, item: Evidence) -> Explanation:
        """Raises nothing: what is not to be had now, or never, is a reason."""
        try:
            found = await self._find(item)
        except TransientError as error:
            log.warning("an alert is told without its words: the index does not answer", document=item.id, error=str(error))
            return Explanation(reason="no_text")
        except Exception as error:  # whatever a text does to the model: an alert must not wait for it, nor meet it again
            log.exception("a document of an alert could not be explained", document=item.id, error=repr(error))
            found = Explanation(reason="failed")
        # Neither is for ever: the index may get the text, and a model that is not there is not asked for again in any case.
        if found.reason not in {"no_text", "no_model"}:
            self._known[_key(item)] = found
            while len(self._known) > REMEMBERED_EXPLANATIONS:
                self._known.popitem(last=False)
        return found

    async def _find(self, item: Evidence) -> Explanation:
        passage = self._recent.get(item.id) or (await self._reader.passages([(item.id, item.published_at)])).get(item.id)
        if passage is None:
            return Explanation(reason="no_text")
        if not passage.scored:
            return Explanation(reason="unscored")
        explainer = await self._opened()
        if explainer is None:
            return Explanation(reason="no_model")
        if not explainer.speaks_for(passage.model_id):
            return Explanation(reason="other_model")
        found = await explainer.explain_read(passage.title, passage.text)
        return explanation_of(found, passage, negative=item.score < 0)

    async def _opened(self) -> Explainer | None:
        """The explainer; None where the model is missing or damaged, which stays so until the next start."""
        if self._no_model:
            return None
        try:
            if self._explainer is None:
                self._explainer = await asyncio.to_thread(self._build)
            await self._explainer.open()
        except BellwetherError as error:
            self._no_model = True
            log.warning("alerts are told without their words: there is no model", error=error.message, mend=error.mend)
            return None
        return self._explainer


def _is_late(item: Evidence) -> bool:
    return item.explanation is not None and item.explanation.reason in _PASSING


def _key(item: Evidence) -> tuple[str, bool]:
    return item.id, item.score < 0
