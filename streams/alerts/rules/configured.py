"""The rules that a service was given: a file, or what its settings describe."""

from __future__ import annotations

from streams.alerts.rules.defaults import default_rules
from streams.alerts.rules.reading import read_rules
from streams.alerts.rules.ruleset import RuleSet
from streams.settings import AlertSettings

__all__ = ["configured_rules"]


def configured_rules(settings: AlertSettings) -> RuleSet:
    """The rules of ``alerts.rules``; without a file those that the other settings describe.

    Raises:
        SettingsError: the file cannot be read or has faults, or the settings contradict each other.
    """
    return default_rules(settings) if settings.rules is None else read_rules(settings.rules)
