"""The Faust agents, one a file: take a batch, call plain functions, send, acknowledge."""

from __future__ import annotations

__all__: list[str] = []
