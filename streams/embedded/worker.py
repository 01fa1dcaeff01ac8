"""The Faust worker as a child of the stack."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from streams.embedded.process import ChildSpec
from streams.settings import Settings

__all__ = ["environment", "is_ready", "worker_spec"]


def _revealed(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {key: _revealed(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_revealed(item) for item in value]
    return value


def _is_secret(value: Any) -> bool:
    return isinstance(value, SecretStr) or (isinstance(value, tuple) and any(isinstance(item, SecretStr) for item in value))


def environment(settings: Settings) -> dict[str, str]:
    """Environment variables that give another process exactly these settings, whatever files it finds.

    A setting that is absent (None) has no variable.
    """
    plain = settings.model_dump(mode="json")
    found: dict[str, str] = {}
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        values = {key: getattr(section, key) for key in type(section).model_fields} if isinstance(section, BaseModel) else None
        if values is None:
            if section is not None:
                found[f"BELLWETHER_{name.upper()}"] = str(plain[name])
            continue
        for key, value in values.items():
            if value is None:
                continue
            shown = _revealed(value) if _is_secret(value) else plain[name][key]
            found[f"BELLWETHER_{name.upper()}__{key.upper()}"] = shown if isinstance(shown, str) else json.dumps(shown)
    return found


def is_ready(file: Path) -> bool:
    """Whether the worker has written its ready file whole."""
    try:
        return isinstance(json.loads(file.read_text())["pid"], int)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def worker_spec(
    settings: Settings, ready_file: Path, logs: Path, *, command: Sequence[str] | None = None, extra_env: Mapping[str, str] | None = None
) -> ChildSpec:
    """How to run the worker.

    Args:
        settings: the effective settings; the worker gets them through its environment.
        ready_file: written by the worker when all its agents consume; an old one is removed.
        logs: folder of logs.
        command: what to run instead of our own worker.
        extra_env: more environment variables.
    """
    ready_file.unlink(missing_ok=True)

    async def healthy() -> bool:
        return is_ready(ready_file)

    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_") or name == "BELLWETHER_CACHE"}
    program = list(command) if command is not None else [sys.executable, "-m", "streams.cli", "worker"]
    return ChildSpec(
        name="worker",
        command=[*program, "--ready-file", str(ready_file)],
        log=logs / "worker.log",
        healthy=healthy,
        env={**inherited, **environment(settings), **(extra_env or {})},
        port=settings.worker.metrics_port or None,
        start_seconds=180.0,
        stop_seconds=3.0,
        watch_health=False,
    )
