"""Rules: what is watched, how it is judged, and who hears of it."""

from __future__ import annotations

__all__: list[str] = []
