"""A fault of a rule that its model finds: what is wrong, the mend, and the field that it stands in."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

__all__ = ["FAULT", "fault"]

FAULT = "rule_fault"
"""``type`` of these errors in ``ValidationError.errors()``; their ``ctx`` holds ``what``, ``mend`` and ``at``."""


def fault(what: str, mend: str, *at: str | int) -> PydanticCustomError:
    """The error to raise in a validator.

    Args:
        what: what is wrong, without the field's name.
        mend: what to write instead.
        at: the place below the model that is being validated, as it is written in the file (``for``, not ``hold``).
    """
    place = ".".join(str(part) for part in at)
    context = {"what": what, "mend": mend, "at": at, "place": f"{place}: " if place else ""}
    return PydanticCustomError(FAULT, "{place}{what} ({mend})", context)
