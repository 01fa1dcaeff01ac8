"""A real Triton server over the real model repository, as the embedded mode starts it, for the tests of this folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from models.artifact import Artifact, load_artifact
from models.errors import ModelError
from streams.embedded.ports import free_ports
from streams.embedded.triton import REPOSITORY, TritonPorts, available, triton_spec
from streams.scoring.triton import TritonScorer
from streams.settings import Settings, TritonSettings


class Server:
    """A tritonserver that can be killed, frozen and started again on its ports."""

    def __init__(self, folder: Path, repository: Path, **environment: str) -> None:
        self.ports = TritonPorts(*free_ports(3))
        self.log = folder / "triton.log"
        self.folder = folder
        self.spec = triton_spec(Settings(), self.ports, folder / "backends", folder, repository)
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.ports.grpc}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.ports.http}"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.spec.command,
                env={**self.spec.env, **self.environment},
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def ready(self, timeout: float = 90.0) -> None:
        for _ in range(int(timeout * 10)):
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text(errors="replace")[-4000:]
            if await self.spec.healthy():
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(self.log.read_text(errors="replace")[-4000:])

    def signal(self, number: signal.Signals) -> None:
        """To the server and its stub process together."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
        # A server that is killed leaves the memory that it shared with its backend.
        for left in Path("/dev/shm").glob(f"bellwether_{self.ports.grpc}_*"):
            left.unlink()


@pytest.fixture(scope="session")
def artifact() -> Artifact:
    try:
        return load_artifact()
    except ModelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def _triton(artifact: Artifact) -> None:
    reason = available()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def make_server(_triton: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Makes servers (a repository and environment variables may be given) and kills them in the end."""
    made: list[Server] = []

    def make(repository: Path = REPOSITORY, **environment: str) -> Server:
        made.append(Server(tmp_path_factory.mktemp("triton"), repository, **environment))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="module")
def running(make_server: Callable[..., Server]) -> Server:
    server = make_server()
    asyncio.run(server.ready())
    return server


@pytest_asyncio.fixture
async def server(running: Server) -> Server:
    """The server, up: whatever the test before did to it."""
    if running.process is None:
        running.start()
    await running.ready()
    return running


@pytest_asyncio.fixture
async def scorer(server: Server) -> AsyncIterator[TritonScorer]:
    opened = TritonScorer(TritonSettings(url=server.url))
    await opened.open()
    yield opened
    await opened.close()
