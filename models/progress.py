"""How far a long run is: a bar a step with the time left on a terminal, a line a minute elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

__all__ = ["Lines", "Progress", "shown_progress"]

#: Called with (what is being done, texts done, texts in all).
Progress = Callable[[str, int, int], None]

SECONDS_BETWEEN_LINES = 60.0


class Lines:
    """Progress as lines of ``write``: one when a step begins, one each ``every`` seconds while it goes on. ``clock``: seconds."""

    def __init__(
        self, write: Callable[[str], None], *, every: float = SECONDS_BETWEEN_LINES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._every, self._clock = write, every, clock
        self._starts: dict[str, tuple[float, int]] = {}
        self._written = float("-inf")
        self._step = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note of ``done`` of ``total`` in ``step``. The time left goes by this run's own pace."""
        now = self._clock()
        start, found = self._starts.setdefault(step, (now, done))
        if step == self._step and now - self._written < self._every:
            return
        self._step, self._written = step, now
        left = ""
        if done > found and now > start:
            left = f", {(total - done) * (now - start) / (done - found) / 60:.0f} min left"
        self._write(f"{step} {done:,}/{total:,}{left}" if total > 1 else step)


@contextmanager
def shown_progress(console: Console) -> Iterator[Progress]:
    """Show progress on ``console`` while the block runs."""
    if not console.is_terminal:
        yield Lines(lambda line: console.print(line, highlight=False, soft_wrap=True))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console) as bar:
        tasks: dict[str, int] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(bar.task_ids[tasks[step]], completed=done, total=total)

        yield show
