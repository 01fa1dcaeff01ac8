"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.harness import SHARED, Bellwether


@pytest.fixture
def bellwether(tmp_path: Path) -> Iterator[Bellwether]:
    """Runs commands in an empty folder."""
    runner = Bellwether(tmp_path)
    yield runner
    runner.close()


@pytest.fixture(scope="session")
def streams() -> Path:
    """The real streams, or a skip."""
    folder = SHARED / "data" / "streams"
    if not folder.is_dir():
        pytest.skip("../shared/data/streams is not here: no real streams to replay")
    return folder
