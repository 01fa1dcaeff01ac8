"""The engine over history: what would have been told, when, and at what cost."""

from __future__ import annotations

__all__: list[str] = []
