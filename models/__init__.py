"""Everything that learns: pretrained encoder, labelled data, heads, calibration, export, evaluation and the shipped artifact."""

from __future__ import annotations

__all__: list[str] = []
