"""What the desk did with an alert, for the decision log.

Everything that a decision holds stands in the alert, so a decision can be made long after the window was judged: when a
silence ends, at an opening hour, after a restart.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from streams.documents import Alert, Decision, DecisionOutcome

__all__ = ["decide", "instant"]


def instant(minute: int) -> datetime:
    """The beginning of a minute since 1970-01-01 UTC."""
    return datetime.fromtimestamp(minute * 60, UTC)


def decide(alert: Alert, minute: int, outcome: DecisionOutcome, explanation: str, alert_id: str | None = None) -> Decision:
    """The decision that `outcome` is what became of `alert` at `minute` (event time).

    Its id is the same whenever the same outcome of the same alert is decided for the same minute.

    Args:
        alert_id: the alert that speaks for it where it does not speak itself: a cause, a digest. None: its own.
    """
    digest = hashlib.sha256(f"{alert.id}|{outcome}|{minute}".encode()).hexdigest()
    return Decision(
        id=digest[:32],
        rule=alert.rule,
        key=alert.key,
        at=instant(minute),
        outcome=outcome,
        observed=alert.observed,
        baseline=alert.baseline,
        p_value=alert.p_value,
        explanation=explanation,
        alert_id=alert_id or alert.id,
        measure=alert.measure,
    )
