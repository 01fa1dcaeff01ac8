"""What becomes of a turn before anybody hears of it: inhibition, silences, groups, storms, escalation.

`streams.alerts.life.desk.Desk` is the whole of it; the other modules are one idea each.
"""

from __future__ import annotations

__all__: list[str] = []
