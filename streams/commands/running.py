"""Where the service runs: the embedded stack on the data folder if there is one, else the configured servers; how to call it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

from streams.errors import BellwetherError
from streams.settings import Settings

__all__ = ["need_somewhere", "program", "where_it_runs"]


def program() -> str:
    """How this shell runs ``bellwether``: by its name, or by the path of the environment that is not activated."""
    here = Path(sys.argv[0])
    if shutil.which("bellwether") is not None or here.name != "bellwether":
        return "bellwether"
    return os.path.relpath(here)


def where_it_runs(settings: Settings) -> Settings:
    """Settings that point at the embedded stack running on ``embedded.data``, if one does; else `settings` as they are.

    Kafka servers that were configured win: whoever names a broker means it.
    """
    from streams.embedded.stack import find_stack

    if "bootstrap_servers" in settings.kafka.model_fields_set:
        return settings
    found = find_stack(settings.embedded.data)
    return settings if found is None else found.settings(settings)


def need_somewhere(settings: Settings) -> Settings:
    """`settings`, if they lead anywhere: to a stack, to servers that were configured, or to a broker at the default address.

    Raises:
        BellwetherError: nothing runs, and nothing was configured.
    """
    if settings.journal is not None or "bootstrap_servers" in settings.kafka.model_fields_set:
        return settings
    host, _, port = settings.kafka.bootstrap_servers.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError as error:
        raise BellwetherError(
            f"no stack runs on {settings.embedded.data}, and no Kafka is configured (none answers at {host}:{port} either)",
            mend="start one with `bellwether up`, name its folder with --data, or set BELLWETHER_KAFKA__BOOTSTRAP_SERVERS=kafka-1:9092",
        ) from error
    return settings
