"""The engine: scored documents in, alerts and decisions out, with a state that survives a kill.

    engine = Engine([Rule.from_settings(settings.alerts)])
    engine.restore(await store.load())
    for alert in engine.undelivered(): deliver it; engine.acknowledge(alert)
    result = engine.observe(batch)
    await store.save(engine.changes())          # the alerts are in it: from here on they cannot be lost
    for alert in result.alerts: deliver it; engine.acknowledge(alert)

What was acknowledged leaves the state with the next `changes`. A kill between delivery and that save delivers the alert
once more, under the same id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from streams.alerts.detectors.negative_share import NegativeShare
from streams.alerts.rule import Rule
from streams.alerts.snapshot import restore, take_changes
from streams.alerts.watch import Watch
from streams.documents import Alert, Decision, ScoredDocument
from streams.errors import BellwetherError, SettingsError

__all__ = ["Engine", "EngineResult"]

_OUTBOX = "outbox:"


@dataclass(frozen=True, slots=True)
class EngineResult:
    """What one batch led to.

    Attributes:
        alerts: fired and resolved, in the order in which it happened.
        decisions: evaluations near a threshold.
        ignored: documents that were not counted, by reason (`streams.alerts.clock.Ignored`), for the metrics.
    """

    alerts: tuple[Alert, ...] = ()
    decisions: tuple[Decision, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)


def _place(alert: Alert) -> str:
    return f"{_OUTBOX}{alert.id}:{alert.status.value}"


class Engine:
    """All rules over one stream. Deterministic: no wall clock, no randomness; not for several threads.

    Args:
        rules: rules with different names.

    Raises:
        SettingsError: no rule, or two of one name.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        if not rules or len({rule.name for rule in rules}) != len(rules):
            raise SettingsError("alerts: rules need names, each its own", mend="give at least one rule, and no name twice")
        self._watches = [Watch(rule, NegativeShare()) for rule in rules]
        self._outbox: dict[str, Alert] = {}
        self._outbox_changes: dict[str, bytes | None] = {}
        self._fresh = True

    def observe(self, documents: Sequence[ScoredDocument]) -> EngineResult:
        """Count `documents` in their order and judge what they touch.

        Which alerts fire does not depend on how the stream is cut into batches. A document that was counted before
        changes nothing. New alerts are `undelivered` until `acknowledge`.
        """
        self._fresh = False
        alerts: list[Alert] = []
        decisions: list[Decision] = []
        ignored: Counter[str] = Counter()
        for watch in self._watches:
            for document in documents:
                watch.observe(document)
            alerts += watch.alerts
            decisions += watch.decisions
            ignored += watch.ignored
            watch.alerts, watch.decisions, watch.ignored = [], [], Counter()
        for alert in alerts:
            self._outbox[_place(alert)] = alert
            self._outbox_changes[_place(alert)] = alert.model_dump_json().encode()
        return EngineResult(tuple(alerts), tuple(decisions), dict(ignored))

    def acknowledge(self, alert: Alert) -> None:
        """`alert` has been delivered. Acknowledging it again changes nothing."""
        if self._outbox.pop(_place(alert), None) is not None:
            self._outbox_changes[_place(alert)] = None

    def undelivered(self) -> list[Alert]:
        """Alerts that are not acknowledged, in the order in which they fired."""
        return sorted(self._outbox.values(), key=lambda alert: (alert.observed.end, alert.starts_at, alert.id))

    def changes(self) -> dict[str, bytes | None]:
        """State entries to save since the last call; None deletes. A store writes them in this order, or all at once."""
        changes = dict(self._outbox_changes)
        self._outbox_changes = {}
        for watch in self._watches:
            changes.update(take_changes(watch))
        return changes

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take up the state of an earlier run. Entries of rules that are gone are left alone.

        Raises:
            BellwetherError: an entry cannot be read, or the engine has already seen documents.
        """
        if not self._fresh:
            raise BellwetherError("watch state: the engine has already seen documents", mend="restore into a new engine")
        self._fresh = False
        for name, value in saved.items():
            if name.startswith(_OUTBOX):
                try:
                    self._outbox[name] = Alert.model_validate_json(value)
                except ValidationError as error:
                    raise BellwetherError(f"watch state: {name} is not an alert", mend="delete the saved state to begin anew") from error
        for watch in self._watches:
            restore(watch, saved)
