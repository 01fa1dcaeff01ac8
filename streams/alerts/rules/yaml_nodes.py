"""YAML as plain values that know where they stand, so that every complaint can name a line.

Scalars are read by the core schema of YAML 1.2: ``no`` is Norwegian and not false, ``1e-5`` is a number, ``08:30`` is text.
Tags make nothing: no Python object, no date.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar

import yaml

from streams.alerts.rules.problems import Problem
from streams.errors import BellwetherError

__all__ = ["MOST_BYTES", "Located", "YamlError", "load_yaml"]

MOST_BYTES = 1_048_576
_MOST_VALUES = 50_000
_PREFIX = "tag:yaml.org,2002:"
_HINTS = {
    "mapping values are not allowed here": "put text that holds a colon in quotes, and indent fields alike",
    "could not find expected ':'": "a field is written name: value",
    "expected <block end>": "indent what belongs together alike, with spaces",
    "cannot start any token": "indent with spaces, and put text that begins with a special character in quotes",
}


class YamlError(BellwetherError):
    """The text is not YAML as we read it. `problem` says where and why."""

    def __init__(self, line: int, column: int, what: str, mend: str) -> None:
        super().__init__(what, mend=mend)
        self.problem = Problem(line, column, what, mend)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # PyYAML changes it through the class, too


for _name, _form, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _firsts: list[Any] = ["" if character == "\0" else character for character in _first]
    _Loader.add_implicit_resolver(f"{_PREFIX}{_name}", re.compile(f"^(?:{_form})$"), _firsts)


class Located:
    """Where the values of a file stand: a tree in the shape of the values.

    Attributes:
        line, column: of the value, from 1.
        keys: place of each key of a mapping.
        children: by key of a mapping or index of a list.
    """

    __slots__ = ("children", "column", "keys", "line")

    def __init__(self, mark: yaml.Mark | None) -> None:
        self.line, self.column = _place(mark)
        self.keys: dict[str, tuple[int, int]] = {}
        self.children: dict[str | int, Located] = {}


def _place(mark: yaml.Mark | None) -> tuple[int, int]:
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def load_yaml(text: str) -> tuple[Any, Located]:
    """The values of a YAML document (dict, list, str, int, float, bool, None), and where each stands.

    Raises:
        YamlError: it is not YAML, a key stands twice, a tag is not one of plain values, or it is beyond all measure.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise YamlError(1, 1, f"is larger than {MOST_BYTES // 1024} KiB", "rules of this size are a mistake; split the file")
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        return _Reader().read(node) if node is not None else (None, Located(None))
    except yaml.MarkedYAMLError as error:
        problem = " ".join(str(error.problem or error.context or "cannot be read").split())
        line, column = _place(error.problem_mark or error.context_mark)
        hint = next((mend for sign, mend in _HINTS.items() if sign in problem), "check quotes, brackets and indentation")
        raise YamlError(line, column, f"is not YAML: {problem}", hint) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position] if isinstance(error.position, int) else ""
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise YamlError(line, column, "holds a character that YAML does not allow", "save it as plain UTF-8 text") from error
    except RecursionError as error:
        raise YamlError(1, 1, "is nested too deeply", "rules need a dozen levels at most") from error


class _Reader:
    """Turns nodes into values. Aliases are followed, which is why the values are counted."""

    def __init__(self) -> None:
        self._values = 0
        self._within: set[int] = set()

    def read(self, node: yaml.Node) -> tuple[Any, Located]:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise _problem(node, f"more than {_MOST_VALUES:,} values", "use fewer aliases")
        if id(node) in self._within:
            raise _problem(node, "an alias refers to what it is part of", "write it out")
        self._within.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node)
            return _scalar(node), Located(node.start_mark)
        finally:
            self._within.discard(id(node))

    def _sequence(self, node: yaml.SequenceNode) -> tuple[list[Any], Located]:
        _refuse_tag(node, "seq")
        values, place = [], Located(node.start_mark)
        for index, child in enumerate(node.value):
            value, place.children[index] = self.read(child)
            values.append(value)
        return values, place

    def _mapping(self, node: yaml.MappingNode) -> tuple[dict[str, Any], Located]:
        _refuse_tag(node, "map")
        values: dict[str, Any] = {}
        place = Located(node.start_mark)
        merged: list[tuple[dict[str, Any], Located]] = []
        for key_node, child in node.value:
            if key_node.tag == f"{_PREFIX}merge":
                merged += self._merged(child)
                continue
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str) or key_node.tag == f"{_PREFIX}null":
                raise _problem(key_node, "a field's name must be text", "write name: value")
            if key in values:
                first = place.keys[key][0]
                raise _problem(key_node, f"{key[:60]!r} stands there twice, first in line {first}", "keep one of them")
            place.keys[key] = _place(key_node.start_mark)
            values[key], place.children[key] = self.read(child)
        for other, where in merged:
            for key in other:
                if key not in values:
                    values[key], place.keys[key], place.children[key] = other[key], where.keys[key], where.children[key]
        return values, place

    def _merged(self, node: yaml.Node) -> list[tuple[dict[str, Any], Located]]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = []
        for part in parts:
            value, place = self.read(part)
            if not isinstance(value, dict):
                raise _problem(part, "only mappings can be merged by <<", "name the anchor of a mapping, like <<: *usual")
            found.append((value, place))
        return found


def _problem(node: yaml.Node, what: str, mend: str) -> YamlError:
    return YamlError(*_place(node.start_mark), what, mend)


def _refuse_tag(node: yaml.Node, kind: str) -> None:
    if node.tag != f"{_PREFIX}{kind}":
        raise _problem(node, "tags are not allowed", "leave out what begins with an exclamation mark")


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    kind = node.tag.removeprefix(_PREFIX)
    text = str(node.value)
    if kind in ("str", "merge"):
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    try:
        if kind == "int":
            return _integer(text)
        if kind == "float":
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan")) if text else math.nan
    except ValueError as error:
        raise _problem(node, "is not a number", "write a number, or quotes around text") from error
    _refuse_tag(node, "str")
    return text


def _integer(text: str) -> int:
    if text.startswith("0o"):
        return int(text[2:], 8)
    return int(text, 16) if text.startswith("0x") else int(text)
