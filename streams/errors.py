"""One family of errors. Each says what is wrong and where; `mend` says what to do about it."""

from __future__ import annotations

__all__ = ["BellwetherError", "PermanentError", "SettingsError", "StackError", "TransientError"]


class BellwetherError(Exception):
    """Root of all errors that Bellwether raises on purpose.

    Args:
        message: what is wrong, and where, in one line.
        mend: what the reader can do about it, in one line; empty when there is nothing to do.
    """

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message} ({self.mend})" if self.mend else self.message


class SettingsError(BellwetherError):
    """A setting is missing or wrong. The command line answers with exit status 2."""


class StackError(BellwetherError):
    """A process of the embedded stack cannot be started, or does not stay up."""


class TransientError(BellwetherError):
    """A fault that goes away by waiting: a server that restarts, a deadline, a full queue.

    Agents retry these with back-off and stop consuming meanwhile; they never give the document up.

    Args:
        retry_after: seconds that the other side asked us to wait, where it said so.
    """

    def __init__(self, message: str, *, mend: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, mend=mend)
        self.retry_after = retry_after


class PermanentError(BellwetherError):
    """A fault of this one document or request that waiting will not cure. Agents dead-letter the document.

    Args:
        reason: machine-readable reason, lower case, dotted (``search.rejected``).
    """

    def __init__(self, message: str, *, reason: str, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.reason = reason
