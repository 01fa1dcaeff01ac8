"""The shipped artifact, loaded once, and the labelled text beside the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.artifact import Artifact, load_artifact
from models.inference import Encoder

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def artifact() -> Artifact:
    return load_artifact()


@pytest.fixture(scope="session")
def encoder(artifact: Artifact) -> Iterator[Encoder]:
    with Encoder(artifact) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not (folder / "benchmark").is_dir():
        pytest.skip("the benchmark sets are not beside the repository (../shared/data/benchmark)")
    return folder
