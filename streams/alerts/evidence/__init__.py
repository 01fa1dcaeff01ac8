"""From numbers to what a person reads: documents, words, series, a sentence."""

from __future__ import annotations

__all__: list[str] = []
