"""Detectors: how unusual a window is. One a file, one contract."""

from __future__ import annotations

__all__: list[str] = []
