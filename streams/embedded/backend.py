"""What scores in a stack: Triton where it is wanted and can run, else the worker by itself."""

from __future__ import annotations

import asyncio

import structlog

from streams.cancellation import end_tasks
from streams.embedded import triton
from streams.embedded.process import Child, ChildState
from streams.embedded.programs import Programs
from streams.errors import StackError

__all__ = ["Backend"]

_log = structlog.get_logger(__name__)


class Backend:
    """Triton, or the worker in its place.

    Args:
        programs: what is run; its settings are told who scores.
        server: Triton.
        worker: begun anew when it is to score instead of Triton.
    """

    def __init__(self, programs: Programs, server: Child, worker: Child) -> None:
        self._programs = programs
        self._server = server
        self._worker = worker
        self._wanted = programs.settings.scoring.backend
        self._fallback: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start Triton where it is wanted and can run, else let the worker score where the user left the choice.

        Raises:
            StackError: Triton is asked for by name, and cannot run or does not come up.
        """
        if self._wanted in {"onnx", "noop"}:
            self._server.note(ChildState.OFF, f"not needed: scoring.backend is {self._wanted}")
            return
        off = self._programs.settings.embedded.triton == "off"
        reason = "embedded.triton is off" if off else await asyncio.to_thread(triton.available, self._programs.repository)
        if reason is None:
            try:
                await self._server.start()
            except StackError as error:
                if self._wanted == "triton":
                    raise
                self._score_in_worker(ChildState.FAILED, error.message)
            else:
                self._programs.score_with("triton")
        elif self._wanted == "triton":
            raise StackError(
                f"scoring.backend is triton, but {reason}", mend="BELLWETHER_SCORING__BACKEND=auto scores in the worker instead"
            )
        else:
            self._score_in_worker(ChildState.OFF, reason)

    def check(self) -> None:
        """Let the worker score once Triton will not stay up, where the user left the choice; call it whenever a child changed."""
        if self._server.failure is not None and self._wanted == "auto" and self._fallback is None:
            self._fallback = asyncio.create_task(self._triton_given_up(), name="score without Triton")

    async def stop(self) -> None:
        """Change nothing any more."""
        if self._fallback is not None:
            await end_tasks(self._fallback)

    async def _triton_given_up(self) -> None:
        """Triton will not stay up: the worker scores by itself from now on."""
        await self._worker.stop()
        self._score_in_worker(ChildState.FAILED, self._server.status.detail)
        self._worker.start_soon()

    def _score_in_worker(self, state: ChildState, reason: str) -> None:
        _log.warning("scoring in the worker instead of Triton", reason=reason)
        self._programs.score_with("onnx")
        self._server.note(state, f"scoring in the worker instead: {reason}")
