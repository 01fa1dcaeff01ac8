"""What the service depends on: whether it is there, what it can do, and how to mend what is not."""

from __future__ import annotations

from streams.doctor.check import Check, Status
from streams.doctor.diagnosis import diagnose

__all__ = ["Check", "Status", "diagnose"]
