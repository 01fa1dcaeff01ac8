"""Alerts on their way out: channels, a durable outbox, a schedule of retries, guarded connections, body formats, a log."""

from __future__ import annotations
