"""What every test relies on: the settings of whoever runs the tests do not reach them."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the variables of the service; the cache of downloads stays."""
    for name in os.environ:
        if name.upper().startswith("BELLWETHER_") and name != "BELLWETHER_CACHE":
            monkeypatch.delenv(name)
