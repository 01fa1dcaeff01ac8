"""Bellwether: the streaming service. Sources, enrichment, scoring, alerts, sinks and the agents that join them."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
