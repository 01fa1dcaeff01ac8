"""TensorBoard event files beside ``history.jsonl``, where the package ``tensorboard`` is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from models.errors import require

__all__ = ["Board"]


class Board:
    """Writes scalars to event files in ``folder``; without the package it writes nothing, and ``history.jsonl`` has the same figures."""

    def __init__(self, folder: Path) -> None:
        self._writer: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            self._writer = require("torch.utils.tensorboard").SummaryWriter(str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add ``values`` at ``step``; a step that is written again after a resume is drawn over."""
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
