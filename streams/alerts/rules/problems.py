"""What is wrong with a rule file, and where: for people who have to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from streams.errors import SettingsError

__all__ = ["Problem", "RuleFileError"]


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        line, column: where, from 1.
        what: what is wrong; begins with the field's path where there is one.
        mend: what to write instead.
    """

    line: int
    column: int
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.what}" + (f"; {self.mend}" if self.mend else "")


class RuleFileError(SettingsError):
    """A rule file cannot be used. Its message is the first problem, as ``file:line:column: what``.

    Args:
        name: the file, as the user named it.
        problems: at least one.
    """

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(sorted(set(problems)))
        first = self.problems[0]
        more = len(self.problems) - 1
        rest = f" (and {more} more)" if more else ""
        super().__init__(f"{name}:{first.line}:{first.column}: {first.what}{rest}", mend=first.mend)

    @property
    def lines(self) -> list[str]:
        """Every problem as one line, in the order of the file: ``file:line:column: what; mend``."""
        return [f"{self.name}:{problem}" for problem in self.problems]
