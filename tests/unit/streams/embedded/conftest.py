"""Children that are shell scripts, and a folder without a file of settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from streams.embedded.process import Child, ChildSpec

Make = Callable[..., Child]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bellwether.toml of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)


async def _yes() -> bool:
    return True


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Builds children that run a script of the shell; all are stopped in the end."""
    made: list[Child] = []

    def build(
        script: str, *, healthy: Callable[[], object] = _yes, start_seconds: float = 10.0, stop_seconds: float = 3.0, **hooks: object
    ) -> Child:
        def spec() -> ChildSpec:
            return ChildSpec(
                name="toy",
                command=["/bin/sh", "-c", script],
                log=tmp_path / "logs" / "toy.log",
                healthy=healthy,  # type: ignore[arg-type]
                start_seconds=start_seconds,
                stop_seconds=stop_seconds,
            )

        child = Child("toy", spec, **hooks)  # type: ignore[arg-type]
        made.append(child)
        return child

    yield build
    for child in made:
        await child.stop(seconds=0.0)
