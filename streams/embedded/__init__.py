"""The one-command mode: broker, search and Triton as supervised processes, and the journal that makes it durable."""

from __future__ import annotations

__all__: list[str] = []
