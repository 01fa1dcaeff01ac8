"""What becomes of a turn before anybody hears of it: inhibition, silences, groups, storms, escalation."""

from __future__ import annotations

__all__: list[str] = []
