"""What is found out about a document before it is scored: clean text, language, near-copies, entities."""

from __future__ import annotations

__all__: list[str] = []
