"""Changes to a text that leave its meaning alone: slips of the pen, capitals, neutral emoji, addresses and mentions."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Mapping

from models.casing import unshouted

__all__ = ["PERTURBATIONS", "Perturbation"]

#: Changes a text; returns it as it is where the change means nothing to its script.
Perturbation = Callable[[str, random.Random], str]

#: One slip a line of this many characters.
SLIP_EVERY = 20

#: They point, date and count; they take no side.
NEUTRAL_EMOJI = ("📌", "📍", "📰", "🗓️", "🕙", "📎", "▶️", "🔎")


def _slip(text: str, at: int, kind: str) -> str:
    first, second = text[at], text[at + 1]
    changed = {"swap": second + first, "drop": first, "double": first + first + second}[kind]
    return text[:at] + changed + text[at + 2 :]


def _spells(character: str) -> bool:
    """Whether a character is a letter or a mark: in Indic scripts and in Thai, vowels are marks, and slip as letters do."""
    return unicodedata.category(character)[0] in "LM"


def _typos(text: str, chance: random.Random) -> str:
    """Two letters swapped, one dropped or one doubled, after the slips that Damerau (1964) counted; never a word's first letter."""
    for _ in range(max(1, len(text) // SLIP_EVERY)):
        places = [at for at in range(1, len(text) - 1) if all(map(_spells, text[at - 1 : at + 2])) and text[at] != text[at + 1]]
        if not places:
            return text
        text = _slip(text, chance.choice(places), chance.choice(("swap", "drop", "double")))
    return text


def _upper(text: str, chance: random.Random) -> str:
    return text.upper()


def _replaced_upper(text: str, chance: random.Random) -> str:
    return unshouted(text.upper())


def _lower(text: str, chance: random.Random) -> str:
    return text.lower()


def _emoji(text: str, chance: random.Random) -> str:
    first, last = chance.sample(NEUTRAL_EMOJI, 2)
    return f"{first} {text} {last}"


def _replaced_noise(text: str, chance: random.Random) -> str:
    return f"@user {text} http"


def _raw_noise(text: str, chance: random.Random) -> str:
    name = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=7))
    path = "".join(chance.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=9))
    return f"RT @{name}{chance.randrange(100)} {text} https://t.co/{path}"


#: By name, in the order of the reports.
PERTURBATIONS: Mapping[str, Perturbation] = {
    "typos": _typos,
    "all capitals": _upper,
    "all capitals, as the service passes them": _replaced_upper,
    "all small letters": _lower,
    "neutral emoji": _emoji,
    "mention and address, as the service passes them": _replaced_noise,
    "mention and address, raw": _raw_noise,
}
