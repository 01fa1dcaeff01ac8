"""The embedded inference server: the real tritonserver inside the wheel `nvidia-pytriton`, with its Python backend."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from streams.embedded.loopback import loopback_client
from streams.embedded.ports import HOST
from streams.embedded.process import ChildSpec
from streams.errors import StackError
from streams.settings import Settings

__all__ = ["REPOSITORY", "TritonPorts", "answers", "available", "clear_shared_memory", "triton_spec"]

_SOURCE: Final = Path(__file__).resolve().parents[2] / "triton_repo"
REPOSITORY: Final = _SOURCE if _SOURCE.is_dir() else Path(__file__).resolve().parent / "triton_repo"
"""The model repository that is shipped."""

_OLDEST_GLIBC: Final = (2, 35)


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """Ports of the server, all on 127.0.0.1."""

    http: int
    grpc: int
    metrics: int


def _package() -> Path | None:
    found = importlib.util.find_spec("pytriton")
    return None if found is None or found.origin is None else Path(found.origin).parent


def _stub(package: Path) -> Path:
    return (
        package
        / "tritonserver"
        / "python_backend_stubs"
        / f"{sys.version_info.major}.{sys.version_info.minor}"
        / "triton_python_backend_stub"
    )


def _python_library() -> Path | None:
    """The interpreter as a shared library, which the stub needs; None where it was built without."""
    name = sysconfig.get_config_var("INSTSONAME")
    folder = sysconfig.get_config_var("LIBDIR")
    if not isinstance(name, str) or ".so" not in name or not isinstance(folder, str):
        return None
    places = (Path(folder), Path(folder) / str(sysconfig.get_config_var("MULTIARCH") or ""), Path(sys.base_prefix) / "lib")
    return next((place / name for place in places if (place / name).exists()), None)


def available(repository: Path = REPOSITORY) -> str | None:
    """Why Triton cannot run here, in plain words; None when it can."""
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "AMD64"}:
        return f"the Triton wheel is built for Linux on x86-64 only, this is {platform.system()} on {platform.machine()}"
    library, version = platform.libc_ver()
    if library != "glibc":
        return "the Triton wheel needs glibc, which this system does not use"
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_GLIBC:
        return f"the Triton wheel needs glibc 2.35 or newer, this system has {version}"
    package = _package()
    if package is None:
        return "the Triton wheel (nvidia-pytriton) is not installed; it exists for Python 3.11 and 3.12"
    return _missing(package, repository)


def _missing(package: Path, repository: Path) -> str | None:
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if not _stub(package).is_file():
        return f"the Triton wheel has no stub for {python}"
    if _python_library() is None:
        return f"this {python} has no shared library (libpython), which Triton's Python backend needs"
    if importlib.metadata.version("numpy").split(".")[0] != "1":
        return "Triton's Python backend needs numpy 1, and a newer one is installed"
    if not any(repository.glob("*/config.pbtxt")):
        return f"there is no model repository at {repository}"
    return None


async def answers(port: int, model: str) -> bool:
    """Whether the server on HTTP port `port` is ready, and so is `model`."""
    async with loopback_client(f"http://{HOST}:{port}", seconds=5.0) as client:
        try:
            for path in ("/v2/health/ready", f"/v2/models/{model}/ready"):
                if (await client.get(path)).status_code != httpx.codes.OK:
                    return False
        except httpx.TransportError:
            return False
    return True


def _backend(package: Path, folder: Path) -> Path:
    """Lay out the Python backend with the stub of this Python, which the wheel keeps apart."""
    target = folder / "python"
    target.mkdir(parents=True, exist_ok=True)
    source = package / "tritonserver" / "backends" / "python"
    for file in (source / "libtriton_python.so", source / "triton_python_backend_utils.py", _stub(package)):
        copy = target / file.name
        if not copy.exists() or copy.stat().st_size != file.stat().st_size:
            shutil.copy2(file, copy)
    (target / "triton_python_backend_stub").chmod(0o755)
    return folder


def _environment(package: Path, settings: Settings) -> dict[str, str]:
    env = {
        name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_") and name not in {"PYTHONPATH", "PYTHONHOME"}
    }
    library = _python_library()
    assert library is not None, "available() was asked before"
    env["LD_LIBRARY_PATH"] = f"{package.parent / 'nvidia_pytriton.libs'}:{library.parent}"
    # The stub ignores PYTHONPATH. It takes the first python3 on the PATH for its own program and so finds pyvenv.cfg, the
    # virtual environment's packages and, through them, an editable installation of this project.
    env["PATH"] = f"{Path(sys.executable).parent}:{env.get('PATH', os.defpath)}"
    if settings.scoring.model is not None:
        env["BELLWETHER_SCORING__MODEL"] = str(settings.scoring.model.resolve())
    return env


def _shared_memory_prefix(folder: Path) -> str:
    return f"bellwether_{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}_"


def clear_shared_memory(folder: Path) -> None:
    """Remove the shared memory that a killed server with its backend in `folder` left behind; call it while none runs."""
    for region in Path("/dev/shm").glob(f"{_shared_memory_prefix(folder)}*"):  # noqa: S108 - where Linux shows POSIX shared memory
        region.unlink(missing_ok=True)


def triton_spec(settings: Settings, ports: TritonPorts, folder: Path, logs: Path, repository: Path = REPOSITORY) -> ChildSpec:
    """How to run the server with the models of `repository`; its backend is laid out in `folder`.

    Raises:
        StackError: it cannot run on this machine.
    """
    reason = available(repository)
    package = _package()
    if reason is not None or package is None:
        raise StackError(f"Triton cannot run here: {reason}", mend="BELLWETHER_SCORING__BACKEND=onnx scores in the worker")
    command = [
        str(package / "tritonserver" / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={_backend(package, folder)}",
        *(f"--{name}-address={HOST}" for name in ("http", "grpc", "metrics")),
        f"--http-port={ports.http}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-port={ports.metrics}",
        f"--backend-config=python,shm-region-prefix-name={_shared_memory_prefix(folder)}",
        "--exit-timeout-secs=1",
        "--allow-gpu-metrics=false",
        "--disable-auto-complete-config",
    ]
    return ChildSpec(
        name="triton",
        command=command,
        log=logs / "triton.log",
        healthy=lambda: answers(ports.http, settings.triton.model),
        env=_environment(package, settings),
        port=ports.grpc,
        start_seconds=120.0,
        stop_seconds=3.0,
    )
