"""Documents to hold against rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.alerts.sighting import Sighting


@pytest.fixture
def seen() -> Callable[..., Sighting]:
    def make(**given: Any) -> Sighting:
        fields: dict[str, Any] = {
            "id": "d1",
            "original": "d1",
            "minute": 29_000_000,
            "received": 29_000_000,
            "scored": True,
            "negative": True,
            "score": -0.8,
            "source": "wire",
        }
        fields |= given
        fields.setdefault("names", tuple(entity.title() for entity in fields.get("entities", ())))
        fields.setdefault("tag_names", tuple(tag.upper() for tag in fields.get("tags", ())))
        return Sighting(**fields)

    return make
