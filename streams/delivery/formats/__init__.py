"""Bodies of messages: one format a file."""

from __future__ import annotations
