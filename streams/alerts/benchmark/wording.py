"""Names and headlines of made-up streams."""

from __future__ import annotations

__all__ = ["LANGUAGES", "LANGUAGE_PARTS", "SOURCES", "TOPICS", "key_names", "title"]

_FIRST = ("Alder", "Boreal", "Cobalt", "Dorado", "Ember", "Fjord", "Granite", "Harbour")
_SECOND = ("Bank", "Foods", "Motors", "Energy", "Telecom", "Pharma", "Retail", "Airways")

TOPICS = ("banking", "consumer", "industry", "energy", "technology", "health")
LANGUAGES = ("en", "de", "es", "fr", "zh", "ar")
LANGUAGE_PARTS = (0.5, 0.14, 0.12, 0.1, 0.08, 0.06)
SOURCES = tuple(f"wire-{number:02d}" for number in range(1, 31))

_BAD = (
    "{} under pressure as customers complain",
    "Regulator opens inquiry into {}",
    "{} misses expectations again",
    "Investors turn their back on {}",
    "Outage at {} angers thousands",
    "{} cuts its forecast",
    "Lawsuit against {} widens",
    "Analysts warn of trouble at {}",
)
_OTHER = (
    "{} opens a new site",
    "{} appoints a head of operations",
    "What to know about {} this week",
    "{} meets expectations",
    "{} signs a supply agreement",
    "Shares of {} little changed",
    "{} presents its new range",
    "Interview: how {} plans ahead",
)


def key_names(count: int) -> list[tuple[str, str]]:
    """Ids and names of `count` companies that do not exist."""
    names = [f"{_FIRST[number % 8]} {_SECOND[(number // 8 + number) % 8]}" for number in range(count)]
    return [(f"{name.lower().replace(' ', '-')}-{number // 64 + 1}", name) for number, name in enumerate(names)]


def title(name: str, which: int, negative: bool) -> str:
    """Headline number `which` (0-7) about `name`."""
    return (_BAD if negative else _OTHER)[which].format(name)
