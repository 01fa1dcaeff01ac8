"""Reading a rule file: YAML in, rules out, and for every mistake a line that says where it stands and how to mend it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from streams.alerts.rules.complaints import complaints
from streams.alerts.rules.model import RuleFile
from streams.alerts.rules.problems import Problem, RuleFileError
from streams.alerts.rules.ruleset import RuleSet
from streams.alerts.rules.yaml_nodes import MOST_BYTES, YamlError, load_yaml
from streams.errors import SettingsError

__all__ = ["RuleSet", "decode_rules", "parse_rules", "read_rules"]

_EXAMPLE = "begin with `rules:` and, below it, `- name: bank-run`; docs/rules has whole examples"


def read_rules(path: Path) -> RuleSet:
    """Read a rule file (YAML, UTF-8).

    Raises:
        SettingsError: it cannot be opened.
        RuleFileError: it is wrong; names line and column.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}", mend="name a file that this user may read") from error
    return decode_rules(content, str(path))


def decode_rules(content: bytes, name: str) -> RuleSet:
    """The rules of a file's bytes. Raises RuleFileError; `name` is the file."""
    try:
        # A byte order mark is what some editors put in front.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(content) <= MOST_BYTES:
            line = content[: error.start].count(b"\n") + 1
            column = error.start - content.rfind(b"\n", 0, error.start)
            raise RuleFileError(name, [Problem(line, column, "is not UTF-8", "save the file as UTF-8")]) from error
        text = content.decode("utf-8", "replace")
    return parse_rules(text, name)


def parse_rules(text: str, name: str) -> RuleSet:
    """The rules of `text`; `name` stands in messages.

    Raises:
        RuleFileError: it is wrong; names line and column.
    """
    try:
        values, places = load_yaml(text)
    except YamlError as error:
        # The cause would show the line, and with it perhaps a secret.
        raise RuleFileError(name, [error.problem]) from None
    if values is None:
        raise RuleFileError(name, [Problem(1, 1, "is empty", _EXAMPLE)])
    if not isinstance(values, dict):
        raise RuleFileError(name, [Problem(places.line, places.column, "is not a mapping", _EXAMPLE)])
    try:
        found = RuleFile.model_validate(values)
    except ValidationError as error:
        # The cause would show the values, secrets among them.
        raise RuleFileError(name, complaints(error, values, places)) from None
    return RuleSet(found.rules, found.channels, name, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
