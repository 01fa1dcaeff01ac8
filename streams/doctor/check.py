"""One finding, and the running of a check that must never break the diagnosis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from streams.errors import BellwetherError
from streams.settings import Settings

__all__ = ["PATIENCE", "Check", "Examination", "Status", "examine"]

Status = Literal["ok", "warn", "fail"]

PATIENCE = 5.0
"""Seconds that a server may take for one answer."""

_LONGEST = 20.0
"""Seconds after which a check is given up, whatever it waits for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: ok; warn: the service runs, with less; fail: it does not.
        detail: what was found, in one line.
        mend: what to do about it, in one line; empty when there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    mend: str = ""


Examination = Callable[[Settings], Awaitable[list[Check]]]


async def examine(name: str, examination: Examination, settings: Settings) -> list[Check]:
    """Run one examination. Whatever it raises becomes a finding of its own."""
    try:
        async with asyncio.timeout(_LONGEST):
            return await examination(settings)
    except TimeoutError:
        return [Check(name, "fail", f"no answer within {_LONGEST:.0f} s", "is the server overloaded, or a firewall between?")]
    except BellwetherError as error:
        return [Check(name, "fail", error.message, error.mend)]
    except Exception as error:  # noqa: BLE001 - a doctor that dies of what he finds is of no use
        return [Check(name, "fail", f"the check itself broke: {type(error).__name__}: {error}", "please report this")]
