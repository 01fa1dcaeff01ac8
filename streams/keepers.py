"""Who keeps what must survive: the outcome of every message, and the state of the watch agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.ledger import KafkaLedger, Ledger

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.state import StateStore

__all__ = ["keepers"]


def keepers(settings: Settings) -> tuple[Ledger, StateStore]:
    """The journal keeps outcomes and state in the embedded mode; Kafka does in every other.

    Raises:
        SettingsError: a certificate cannot be read, or SASL lacks its user or password.
    """
    if settings.journal is not None:
        from streams.embedded.journal import Journal, JournalLedger, JournalStateStore

        journal = Journal(settings.journal)
        return JournalLedger(journal), JournalStateStore(journal)
    from streams.alerts.changelog import ChangelogStateStore

    return KafkaLedger(), ChangelogStateStore(settings)
