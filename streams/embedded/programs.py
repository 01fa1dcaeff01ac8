"""How the four processes of a stack are run: their ports, their folders, and the settings that point at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.embedded import broker, search, triton
from streams.embedded.addresses import point_at
from streams.embedded.ports import HOST, free_ports
from streams.embedded.process import ChildSpec
from streams.embedded.worker import worker_spec

if TYPE_CHECKING:
    import os

    from streams.settings import AgentName, Settings

__all__ = ["Programs"]

_ALL_AGENTS: Final[tuple[AgentName, ...]] = ("score", "index", "watch", "notify")


class Programs:
    """What runs for the stack on one data folder.

    Args:
        settings: what the user configured; `embedded.data` is the folder.
        entities: companies to recognise, instead of those configured.
        worker_command: what to run instead of our own worker; gets ``--ready-file PATH``.
        extra_worker_env: more environment variables for the worker.
        triton_repository: Triton's models; None: those that are shipped.

    Attributes:
        settings: the effective settings; once ports are chosen, they point at the processes.
        data: the folder of the stack, absolute.
        journal: file of the journal.
        repository: Triton's models.
        triton_ports: where Triton listens; only once ports are chosen.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        entities: Path | None = None,
        worker_command: Sequence[str | os.PathLike[str]] | None = None,
        extra_worker_env: Mapping[str, str] | None = None,
        triton_repository: Path | None = None,
    ) -> None:
        self.data = settings.embedded.data.expanduser().absolute()
        self.journal = self.data / "journal.db"
        self.repository = triton_repository or triton.REPOSITORY
        enrich = settings.enrich if entities is None else settings.enrich.model_copy(update={"entities": entities})
        self.settings = settings.model_copy(
            update={"embedded": settings.embedded.model_copy(update={"data": self.data}), "enrich": enrich, "journal": self.journal}
        )
        self._logs = self.data / "logs"
        self._search = self.data / "search"
        self._triton = self.data / "triton"
        self._worker_command = None if worker_command is None else [str(part) for part in worker_command]
        self._extra_worker_env = dict(extra_worker_env or {})

    @property
    def index(self) -> Path:
        """File in which the search server keeps the index."""
        return self._search / search.DATA_FILE

    def choose_ports(self) -> None:
        """Choose free ports, and point the settings at them. Raises StackError when there are not enough."""
        kafka, search_port, http, grpc, metrics, worker_metrics = free_ports(6)
        self.triton_ports = triton.TritonPorts(http, grpc, metrics)
        self._search_port = search_port
        pointed = point_at(
            self.settings,
            kafka=f"{HOST}:{kafka}",
            search=f"http://{HOST}:{search_port}",
            triton=f"{HOST}:{grpc}",
            metrics_port=self.settings.worker.metrics_port or worker_metrics,
        )
        self.settings = pointed.model_copy(update={"worker": pointed.worker.model_copy(update={"agents": _ALL_AGENTS})})

    def score_with(self, backend: str) -> None:
        """From the next start of the worker on, `backend` scores: ``triton``, ``onnx`` or ``noop``."""
        self.settings = self.settings.model_copy(update={"scoring": self.settings.scoring.model_copy(update={"backend": backend})})

    def clear_shared_memory(self) -> None:
        """Remove the shared memory that a killed Triton of this folder left behind; call it while none runs."""
        triton.clear_shared_memory(self._triton)

    def broker(self) -> ChildSpec:
        """How to run the broker. Raises StackError when it is not installed."""
        return broker.broker_spec(int(self.settings.kafka.bootstrap_servers.rpartition(":")[2]), self._logs)

    def search(self) -> ChildSpec:
        """How to run the search server. Raises StackError when it is not installed."""
        return search.search_spec(self._search_port, self._search, self._logs)

    def triton(self) -> ChildSpec:
        """How to run Triton. Raises StackError when it cannot run on this machine."""
        return triton.triton_spec(self.settings, self.triton_ports, self._triton, self._logs, self.repository)

    def worker(self) -> ChildSpec:
        """How to run the worker; the file by which the last one said that it is ready is removed."""
        ready = self.data / "worker-ready.json"
        return worker_spec(self.settings, ready, self._logs, command=self._worker_command, extra_env=self._extra_worker_env)
