"""The Numenta Anomaly Benchmark: its scoring, its baselines, and our detector on its tweet volumes."""

from __future__ import annotations

__all__: list[str] = []
