"""Measurements that anyone can repeat. Each prints what it measured as JSON."""

from __future__ import annotations

__all__: list[str] = []
