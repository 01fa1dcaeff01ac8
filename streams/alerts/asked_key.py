"""Which key a person means: as the log writes it, its bare value, or its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from streams.documents import Key
from streams.errors import BellwetherError

__all__ = ["DIMENSIONS", "candidates", "choose_key", "find_key"]

DIMENSIONS = ("entity", "tag", "topic", "language", "source")
_SHOWN = 5


def find_key(text: str, known: Sequence[Key]) -> Key | None:
    """The one of `known` keys that `text` names: ``kind:value``, else the value, else the name without case.

    Raises:
        BellwetherError: several keys have that value or name.
    """
    wanted = text.casefold()
    for matches in (
        [key for key in known if str(key) == text],
        [key for key in known if key.value == text],
        [key for key in known if wanted in (key.value.casefold(), key.name.casefold(), str(key).casefold())],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _ambiguous(text, [str(key) for key in matches])
    return None


def candidates(text: str) -> list[Key]:
    """The keys that `text` may mean: the one that it spells out, else one for each dimension."""
    if text in {"all", "all:"}:
        return [Key(kind="all", value="", name="everything")]
    kind, colon, value = text.partition(":")
    if colon and set(kind.split("+")) <= set(DIMENSIONS):
        return [_key(kind, value)] if value.count("|") == kind.count("+") else []
    return [Key(kind=name, value=text.casefold() if name == "tag" else text, name=text) for name in DIMENSIONS]


def choose_key(text: str, present: Sequence[Key], known: Sequence[Key], values: Mapping[str, Sequence[str]]) -> Key:
    """The key that `text` names though the rule never decided anything about it.

    Args:
        present: those of the `candidates` that documents are about.
        known: keys of which the rule decided something; their dimensions come first, and they are suggested.
        values: frequent values of documents by dimension, to suggest one.

    Raises:
        BellwetherError: there is no such key, or there are several.
    """
    kinds = {key.kind for key in known}
    chosen = [key for key in present if key.kind in kinds] or list(present)
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise _ambiguous(text, [str(key) for key in chosen])
    similar = _similar(text, known, values)
    raise BellwetherError(
        f"nothing is known of the key {text!r}: the rule never decided anything about it, and no document names it",
        mend=f"similar keys: {', '.join(similar)}" if similar else "write it as entity:caldrava-bank, tag:banking, topic:economy …",
    )


def _key(kind: str, value: str) -> Key:
    """Tags of keys are without case."""
    parts = [part.casefold() if name == "tag" else part for name, part in zip(kind.split("+"), value.split("|"), strict=True)]
    return Key(kind=kind, value="|".join(parts), name=value)


def _ambiguous(text: str, keys: Sequence[str]) -> BellwetherError:
    return BellwetherError(f"{text!r} may be several keys", mend=f"say which: {', '.join(keys[:_SHOWN])}")


def _similar(text: str, known: Sequence[Key], values: Mapping[str, Sequence[str]]) -> list[str]:
    """Keys whose value or name is like `text`, or holds it; those of the rule first."""
    names: dict[str, str] = {}
    for key in known:
        for name in (str(key), key.value, key.name):
            names.setdefault(name.casefold(), str(key))
    for dimension in DIMENSIONS:
        for value in values.get(dimension, ()):
            names.setdefault(value.casefold(), f"{dimension}:{value}")
    wanted = text.casefold()
    bare = wanted.partition(":")[2] or wanted
    close = [*get_close_matches(wanted, names, _SHOWN, 0.6), *get_close_matches(bare, names, _SHOWN, 0.6)]
    close += [name for name in names if bare in name]
    return list(dict.fromkeys(names[name] for name in close))[:_SHOWN]
