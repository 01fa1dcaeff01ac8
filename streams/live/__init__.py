"""The demo: the sample newswire through the real stack, shown as it happens."""

from __future__ import annotations

__all__: list[str] = []
