"""Where documents come from: one kind of source a file, one contract."""

from __future__ import annotations

__all__: list[str] = []
