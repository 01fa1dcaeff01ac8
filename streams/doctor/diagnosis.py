"""All checks, at once."""

from __future__ import annotations

import asyncio
from importlib import import_module

from streams.doctor.check import Check, Examination, examine
from streams.settings import Settings

__all__ = ["diagnose"]

_EXAMINATIONS: tuple[tuple[str, str, str], ...] = (
    ("Python", "machine", "check_python"),
    ("settings", "machine", "check_settings_file"),
    ("data folder", "machine", "check_data_folder"),
    ("embedded broker", "wheels", "check_broker_wheel"),
    ("embedded search", "wheels", "check_search_wheel"),
    ("embedded Triton", "wheels", "check_triton_wheel"),
    ("model", "scoring", "check_artifact"),
    ("language model", "scoring", "check_language_model"),
    ("Kafka", "kafka", "check_kafka"),
    ("Elasticsearch", "search", "check_search"),
    ("Triton", "scoring", "check_triton"),
    ("cascade", "cascade", "check_cascade"),
    ("webhooks", "webhooks", "check_webhooks"),
)


async def diagnose(settings: Settings) -> list[Check]:
    """Look at everything the service depends on, within some twenty seconds; in the order of a bottom-up repair.

    Never raises: what breaks becomes a finding. Sends nothing to webhooks and changes nothing on the servers.
    """
    found = await asyncio.gather(*(examine(name, _examination(module, function), settings) for name, module, function in _EXAMINATIONS))
    return [check for checks in found for check in checks]


def _examination(module: str, function: str) -> Examination:
    async def run(settings: Settings) -> list[Check]:
        # Imported here, so that a library that is broken on this machine breaks its own check only.
        examination: Examination = getattr(await asyncio.to_thread(import_module, f"streams.doctor.{module}"), function)
        return list(await examination(settings))

    return run
