"""When opinion turned: rules, windows of event time, detectors, the engine."""

from __future__ import annotations

__all__: list[str] = []
