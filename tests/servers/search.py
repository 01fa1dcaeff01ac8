"""Real search servers for tests: the embedded one from its wheel, and Elasticsearch from ../shared/services."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from servers.services import begin, end, first_line

from streams.embedded.ports import free_ports
from streams.embedded.search import DATA_FILE, search_spec

__all__ = ["SearchServer"]


class SearchServer:
    """A server on a folder: started, killed, started again on the same folder and port. `kind`: embedded, real."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0
        self.start()

    def start(self) -> None:
        """Start it; skips the test where this machine has no such server."""
        if self.kind == "real":
            self._process = begin("start_elasticsearch.py", str(self._folder), "--port", str(self.port))
            self._pid = int(first_line(self._process)["pid"])
            return
        pytest.importorskip("noida_db", reason="the extra `embedded` is not installed")
        spec = search_spec(self.port, self._folder, self._folder)
        with spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(spec.command), env=dict(spec.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True
            )
        self._pid = self._process.pid
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(self.url, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the embedded server did not start"
            assert self._process.poll() is None, spec.log.read_text(errors="replace")
            time.sleep(0.05)

    def kill(self) -> None:
        """kill -9, as a crash."""
        os.kill(self._pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(60)

    def forget(self) -> None:
        """Take the embedded server's index from its disk; it must be dead."""
        (self._folder / DATA_FILE).unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop it."""
        assert self._process is not None
        end(self._process)
