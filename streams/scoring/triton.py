"""The model behind Triton Inference Server, over gRPC: text in, scores out.

Protocol: KServe v2 with Triton's extensions. What the model takes and gives is written down in ``triton_repo/README.md``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from streams.cancellation import end_tasks
from streams.errors import BellwetherError, PermanentError, TransientError
from streams.scoring.contract import Floats, Scores
from streams.scoring.texts import as_utf8
from streams.settings import TritonSettings

__all__ = ["TritonScorer"]

IN_FLIGHT = 4
"""Requests of one scorer that are under way at once: enough that the server always has the next batch, few enough that none waits
its deadline out behind the others."""

OPENING_DEADLINE = 5.0
"""Seconds that the first question may take; a server that is up answers in milliseconds."""

SENTIMENTS = ["negative", "neutral", "positive"]

_CHANNEL = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # All addresses behind a DNS name take part, and a name is asked again when one of them goes away.
    ("grpc.lb_policy_name", "round_robin"),
    # A server that comes back is found within two seconds; the library's own limit is two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A machine that vanished without closing its connections is noticed while calls wait for it. Triton's own limit on pings is
    # stricter for idle connections, so those are left in peace.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Each scorer has its own connection, not one shared by every channel of the process to the same address.
    ("grpc.use_local_subchannel_pool", 1),
]

_REFUSED = {"StatusCode.INVALID_ARGUMENT", "StatusCode.OUT_OF_RANGE"}
_MISSING = {"StatusCode.NOT_FOUND", "StatusCode.UNIMPLEMENTED"}
_FORBIDDEN = {"StatusCode.UNAUTHENTICATED", "StatusCode.PERMISSION_DENIED"}


@dataclass(frozen=True, slots=True)
class _Model:
    """What the server says of its model."""

    model_id: str
    topics: tuple[str, ...]
    dimensions: int
    max_batch: int


class TritonScorer:
    """Splits texts into requests of `triton.max_batch`, or of what the model takes if that is less.

    Requests of all clients are merged by Triton's dynamic batcher. A server that was restarted is found again by itself. If it then
    serves another model, one call fails with TransientError and the next ones carry the new model's id and topics.
    """

    def __init__(self, settings: TritonSettings) -> None:
        if "," in settings.url:
            mend = "name one address; a DNS name with several addresses or a load balancer spreads the work"
            raise BellwetherError(f"triton.url: {settings.url} names several servers", mend=mend)
        self._settings = settings
        self._client: InferenceServerClient | None = None
        self._known: _Model | None = None
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    @property
    def model_id(self) -> str:
        """Model id as the server gives it. Raises BellwetherError before `open`."""
        return self._model.model_id

    @property
    def topics(self) -> tuple[str, ...]:
        """Topic labels as the server gives them. Raises BellwetherError before `open`."""
        return self._model.topics

    @property
    def _model(self) -> _Model:
        if self._known is None:
            raise BellwetherError("the Triton scorer is not open", mend="await open() first")
        return self._known

    async def open(self) -> None:
        """Ask the server for the model's id and labels.

        Raises:
            TransientError: it does not answer, or has not loaded the model yet.
            BellwetherError: it answers, but has no such model, or one that does not speak as ours does.
        """
        if self._known is not None:
            return
        self._client = self._client or InferenceServerClient(url=self._settings.url, channel_args=_CHANNEL)
        try:
            self._known = await self._ask_labels(min(self._settings.deadline, OPENING_DEADLINE))
        except BellwetherError:
            await self.close()
            raise

    async def score(self, texts: Sequence[str]) -> Scores:
        """See the contract: TransientError, and PermanentError with the reason ``triton.refused`` or ``encoding.surrogate``."""
        model = self._model
        encoded = as_utf8(texts)
        if not encoded:
            return Scores(*(np.zeros((0, width), np.float32) for width in (3, len(model.topics), model.dimensions)))
        size = model.max_batch
        parts = [asyncio.create_task(self._score_part(encoded[at : at + size], model)) for at in range(0, len(encoded), size)]
        try:
            scored = await asyncio.gather(*parts)
        finally:
            await end_tasks(*parts)
        return Scores(*(np.concatenate(arrays) for arrays in zip(*scored, strict=True)))

    async def close(self) -> None:
        """Close the connection. May be called twice."""
        client, self._client = self._client, None
        self._known = None
        if client is not None:
            await client.close()

    async def _score_part(self, texts: list[bytes], model: _Model) -> tuple[Floats, Floats, Floats]:
        async with self._slots:
            result = await self._infer(texts, ("SENTIMENT", "TOPIC", "EMBEDDING", "MODEL"), self._settings.deadline)
        served = {name.decode("utf-8", "replace") for name in result.as_numpy("MODEL").ravel()}
        if served != {model.model_id}:
            self._known = await self._ask_labels(self._settings.deadline)
            raise TransientError(f"Triton replaced the model {model.model_id} by {', '.join(sorted(served))} under way", retry_after=0.0)
        sentiment, topic, embedding = (result.as_numpy(name) for name in ("SENTIMENT", "TOPIC", "EMBEDDING"))
        return sentiment, topic, embedding

    async def _ask_labels(self, deadline: float) -> _Model:
        place = f"model {self._settings.model!r} of Triton at {self._settings.url}"
        try:
            result = await self._infer([b"labels"], ("LABELS",), deadline)
            told: dict[str, Any] = json.loads(result.as_numpy("LABELS").ravel()[0])
            if told["sentiment"] != SENTIMENTS:
                raise BellwetherError(f"{place} gives the sentiments {told['sentiment']}, not {SENTIMENTS}", mend="serve triton_repo/")
            return _Model(
                model_id=str(told["model"]),
                topics=tuple(map(str, told["topic"])),
                dimensions=int(told["embedding"]),
                max_batch=max(1, min(self._settings.max_batch, await self._largest_batch(deadline))),
            )
        except PermanentError as error:
            raise BellwetherError(f"{place} does not take text: {error.message}", mend="serve triton_repo/") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BellwetherError(f"{place} does not tell its labels: {error!r}", mend="serve triton_repo/") from error

    async def _largest_batch(self, deadline: float) -> int:
        try:
            answer = await self._connection.get_model_config(self._settings.model, client_timeout=deadline)
        except InferenceServerException as error:
            raise self._explain(error, deadline) from error
        return int(answer.config.max_batch_size)

    @property
    def _connection(self) -> InferenceServerClient:
        if self._client is None:
            raise BellwetherError("the Triton scorer is closed", mend="await open() first")
        return self._client

    async def _infer(self, texts: list[bytes], outputs: tuple[str, ...], deadline: float) -> InferResult:
        tensor = InferInput("TEXT", [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(texts, dtype=np.object_).reshape(-1, 1))
        try:
            return await self._connection.infer(
                self._settings.model,
                [tensor],
                outputs=[InferRequestedOutput(name) for name in outputs],
                timeout=round(deadline * 1e6),
                client_timeout=deadline,
            )
        except InferenceServerException as error:
            raise self._explain(error, deadline) from error

    def _explain(self, error: InferenceServerException, deadline: float) -> BellwetherError:
        """The error of ours that says whether waiting helps."""
        status = error.status() or "unknown status"
        place = f"Triton at {self._settings.url}"
        said = f"{status.removeprefix('StatusCode.')}: {error.message() or 'no details'}"
        if status in _REFUSED:
            return PermanentError(f"{place} refused the texts: {said}", reason="triton.refused")
        if status in _MISSING:
            mend = f"load the model {self._settings.model!r} from triton_repo/, or set triton.model"
            return self._setup_fault(f"{place} has no such model: {said}", mend)
        if status in _FORBIDDEN:
            return self._setup_fault(f"{place} does not let us in: {said}", "see its access settings")
        if status == "StatusCode.DEADLINE_EXCEEDED":
            mend = "give it more time (triton.deadline), smaller requests (triton.max_batch), or more processors"
            return TransientError(f"{place} did not answer within {deadline:g} s", mend=mend)
        return TransientError(f"{place} does not serve: {said}", mend="is it running? `bellwether doctor` tells")

    def _setup_fault(self, message: str, mend: str) -> BellwetherError:
        """Before we are open a wrong set-up is final. Later no document is to blame for it: they wait until it is mended."""
        return BellwetherError(message, mend=mend) if self._known is None else TransientError(message, mend=mend)
