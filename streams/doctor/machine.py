"""This machine: Python, platform, the settings file, the data folder."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from streams.doctor.check import Check
from streams.settings import Settings

__all__ = ["check_data_folder", "check_python", "check_settings_file"]

_PYTHONS = ((3, 11), (3, 13))
_GIGABYTE = 1_000_000_000
_LITTLE = 1 * _GIGABYTE
_TOO_LITTLE = 100_000_000


async def check_python(_: Settings) -> list[Check]:
    """Version of Python, the platform, and the C library that decides which wheels run."""
    oldest, newest = _PYTHONS
    version = sys.version_info[:2]
    library = " ".join(part for part in platform.libc_ver() if part)
    place = f"{platform.system()} {platform.machine()}" + (f", {library}" if library else "")
    detail = f"{platform.python_implementation()} {platform.python_version()} on {place}, {os.cpu_count()} cores"
    if oldest <= version <= newest:
        return [Check("Python", "ok", detail)]
    return [Check("Python", "fail", detail, f"use Python {'.'.join(map(str, oldest))} to {'.'.join(map(str, newest))}")]


async def check_settings_file(_: Settings) -> list[Check]:
    """Where the settings come from. That they are valid is clear: else nobody would ask us."""
    named = os.environ.get("BELLWETHER_CONFIG")
    file = Path(named) if named else Path("bellwether.toml")
    variables = sorted(name for name in os.environ if name.startswith("BELLWETHER_") and name != "BELLWETHER_CONFIG")
    sources = [str(file.absolute())] if file.is_file() else []
    if variables:
        sources.append(f"{len(variables)} from the environment ({', '.join(variables)})")
    return [Check("settings", "ok", "; ".join(sources) or "no file and no variables: flags and defaults")]


async def check_data_folder(settings: Settings) -> list[Check]:
    """Whether the data folder, or the place where it will be made, can be written, and how much room there is."""
    folder = settings.embedded.data
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return [Check("data folder", "fail", f"{place} is not a folder", "choose another with BELLWETHER_EMBEDDED__DATA")]
    try:
        # Only a file that was really made tells: read-only mounts, quotas and ACLs do not show in the mode.
        with tempfile.NamedTemporaryFile(dir=place, prefix=".bellwether-"):
            pass
    except OSError as error:
        return [
            Check("data folder", "fail", f"{place} cannot be written: {error.strerror}", "choose another with BELLWETHER_EMBEDDED__DATA")
        ]
    free = shutil.disk_usage(place).free
    detail = f"{folder}{'' if folder.exists() else ' (will be made)'}, {free / _GIGABYTE:.1f} GB free"
    mend = "make room: journal and index grow with every document"
    if free < _TOO_LITTLE:
        return [Check("data folder", "fail", detail, mend)]
    return [Check("data folder", "warn" if free < _LITTLE else "ok", detail, mend if free < _LITTLE else "")]
