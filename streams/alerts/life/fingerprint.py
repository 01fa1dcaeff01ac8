"""Names that stay the same over deliveries, restarts and revisions.

A fingerprint names a rule and key for as long as there are both. An alert's id names one episode of it. A message id names
one notice of that episode: whoever receives it twice may drop the second.
"""

from __future__ import annotations

import hashlib

from streams.documents import Key

__all__ = ["alert_id", "fingerprint", "group_fingerprint", "message_id"]


def fingerprint(rule_name: str, key: Key) -> str:
    """Stable name of a rule and key: 64 bits of SHA-256, hexadecimal."""
    return _digest(f"{rule_name}|{key}", 16)


def alert_id(mark: str, start: int) -> str:
    """Id of an episode, and so of its alert: 128 bits, hexadecimal.

    Args:
        mark: fingerprint of the rule and key, or of the group.
        start: end minute of the window with which it began (minutes since 1970-01-01 UTC), as it was first seen.
    """
    return _digest(f"{mark}|{start}", 32)


def group_fingerprint(rule_names: frozenset[str], kind: str) -> str:
    """Stable name of the notices that stand for several alerts: the rules whose alerts they gather, and of what `kind`."""
    return _digest("|".join((kind, *sorted(rule_names))), 16)


def message_id(alert: str, revision: int) -> str:
    """Id of one notice: the alert's id and its number. Standard Webhooks takes it as ``webhook-id``; contains no dot."""
    return f"{alert}-{revision}"


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
