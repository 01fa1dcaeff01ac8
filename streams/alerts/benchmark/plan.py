"""What a made-up stream is like: its size, its ordinary unrest, and what is put into it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["BIN", "BINS", "KINDS", "SHAPES", "Plan", "small", "standard"]

BIN = 10
"""Minutes for which rates are constant."""

BINS = 1440 // BIN

KINDS = ("negative", "volume", "both", "silence")
"""Of an incident: the negative share rises; more is said, in the same tone; both; next to nothing is said."""

SHAPES = ("step", "ramp", "spike", "slow_burn")
"""Of an incident: at once and for a day; growing for hours; at once and dying away; less, and for days."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A stream, but for its seed.

    Attributes:
        keys: entities; their volumes follow Zipf's law with exponent `zipf`, the first has `busiest` documents a day.
        days: length; incidents begin after `warm_up` days. `start` is its first minute (since 1970-01-01 UTC; a Monday).
        dispersion: of counts around their rate (gamma): variance = mean + dispersion * mean².
        unrest: standard deviation of the logarithm of a key's attention, which wanders with a correlation time of six hours.
        share: ordinary negative share; keys differ around it.
        bursts: of ordinary interest, for each key and 30 days: up to `burst_height` times as much for hours, in the usual tone.
        stories: that other sources copy, for each key and 30 days; most are negative, each has up to `copies` near-copies.
        campaigns: floods of negative documents by one author or one source, in all keys together and 30 days.
        outages: hours in which next to nothing arrives of any key, or a third of the sources is down, in 30 days.
        mentions: part of the documents that name a second key as well.
        incidents: of every kind but silence, for each shape; `silences` in all.
    """

    keys: int = 40
    days: int = 56
    warm_up: int = 14
    start: int = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) // 60
    busiest: float = 550.0
    zipf: float = 0.6
    dispersion: float = 0.15
    unrest: float = 0.2
    share: float = 0.3
    bursts: float = 1.0
    burst_height: float = 2.5
    stories: float = 1.5
    copies: int = 30
    campaigns: float = 12.0
    outages: float = 6.0
    mentions: float = 0.04
    incidents: int = 6
    silences: int = 8

    @property
    def bins(self) -> int:
        """Spans of `BIN` minutes in the whole stream."""
        return self.days * BINS

    def volume(self, key: int) -> float:
        """Ordinary documents a day of the key with rank `key` (0 is the busiest)."""
        return self.busiest / float((key + 1) ** self.zipf)


def standard() -> Plan:
    """40 keys, 56 days, 80 incidents, about 300,000 documents."""
    return Plan()


def small() -> Plan:
    """To try it: 8 keys, 35 days, 13 incidents, about 30,000 documents."""
    return Plan(keys=8, days=35, warm_up=14, busiest=250.0, incidents=1, silences=1)
