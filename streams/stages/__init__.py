"""What each agent does with a batch, as plain Python: score, index, watch, notify. Tested without a broker."""

from __future__ import annotations

__all__: list[str] = []
