"""The alert engine measured: seeded streams with known incidents, and real series with known anomalies."""

from __future__ import annotations

__all__: list[str] = []
