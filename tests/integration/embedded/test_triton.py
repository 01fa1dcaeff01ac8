"""The real Triton server with a model of a few lines: it starts, serves text, comes back, and is done without where it cannot run."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from streams.embedded import triton
from streams.embedded.runtime import find_stack
from streams.errors import StackError
from streams.settings import Settings

_CONFIG = """
name: "bellwether"
backend: "python"
max_batch_size: 8
input [{name: "TEXT", data_type: TYPE_STRING, dims: [1]}]
output [{name: "UPPER", data_type: TYPE_STRING, dims: [1]}]
"""

# Imports this project: the stub must see the virtual environment, and an editable installation in it.
_MODEL = """
import numpy as np
import triton_python_backend_utils as pb
from streams.documents import MAX_BYTES

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            texts = pb.get_input_tensor_by_name(request, "TEXT").as_numpy()
            upper = np.array([[text.decode().upper().encode() for text in row] for row in texts], dtype=object)
            answers.append(pb.InferenceResponse([pb.Tensor("UPPER", upper)]))
        return answers
"""


def _repository(folder: Path, model: str) -> Path:
    (folder / "bellwether" / "1").mkdir(parents=True)
    (folder / "bellwether" / "config.pbtxt").write_text(_CONFIG)
    (folder / "bellwether" / "1" / "model.py").write_text(model)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = _repository(tmp_path / "repository", _MODEL)
    reason = triton.available(made)
    if reason is not None:
        pytest.skip(reason)
    return made


def _with(settings: Settings, backend: str) -> Settings:
    return settings.model_copy(update={"scoring": settings.scoring.model_copy(update={"backend": backend})})


async def _upper(port: int, text: str) -> str:
    body = {"inputs": [{"name": "TEXT", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]}
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.post(f"http://127.0.0.1:{port}/v2/models/bellwether/infer", json=body)
        return str(answer.json()["outputs"][0]["data"][0])


async def test_it_serves_text_comes_back_after_kill_and_leaves_nothing(lab: Any, settings: Settings, repository: Path) -> None:
    regions = set(Path("/dev/shm").glob("bellwether_*"))
    stack = lab.build(settings=_with(settings, "auto"), triton_repository=repository)
    await stack.start()
    assert (stack.scorer, lab.child(stack, "triton").state, lab.child(stack, "triton").detail) == ("triton", "up", "")
    found = find_stack(settings.embedded.data)
    assert found is not None
    assert found.triton == stack.settings.triton.url
    assert await _upper(stack.programs.triton_ports.http, "zürich") == "ZÜRICH"

    pid = lab.pid(stack, "triton")
    process = psutil.Process(pid)
    family = process.children(recursive=True)
    assert family, "the model runs in a stub process"
    addresses = [connection.laddr.ip for connection in process.net_connections(kind="tcp") if connection.status == psutil.CONN_LISTEN]
    assert len(addresses) == 3
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}

    os.kill(pid, signal.SIGKILL)
    await lab.until(lambda: lab.child(stack, "triton").state == "up" and lab.pid(stack, "triton") != pid)
    assert await _upper(stack.programs.triton_ports.http, "back") == "BACK"
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family)
    await stack.stop()
    assert set(Path("/dev/shm").glob("bellwether_*")) <= regions


async def test_a_model_that_does_not_load_means_scoring_in_the_worker_and_says_so(
    lab: Any, settings: Settings, repository: Path, tmp_path: Path
) -> None:
    broken = _repository(tmp_path / "broken", "raise RuntimeError('no such model')")
    stack = lab.build(settings=_with(settings, "auto"), triton_repository=broken)
    await stack.start()
    child = lab.child(stack, "triton")
    assert (stack.scorer, child.state) == ("onnx", "failed")
    assert child.detail.startswith("scoring in the worker instead: triton ended with status 1 while it started")

    strict = lab.build(
        settings=_with(settings, "triton").model_copy(
            update={"embedded": settings.embedded.model_copy(update={"data": tmp_path / "other"})}
        ),
        triton_repository=broken,
    )
    with pytest.raises(StackError, match="triton ended with status 1"):
        await strict.start()


async def test_triton_that_will_not_stay_up_is_replaced_by_the_worker(
    lab: Any, settings: Settings, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.embedded.process._QUICK_FAILURES", 0)
    stack = lab.build(settings=_with(settings, "auto"), triton_repository=repository)
    await stack.start()
    worker = lab.pid(stack, "worker")
    lab.kill(stack, "triton")
    await lab.until(lambda: stack.scorer == "onnx" and lab.pid(stack, "worker") not in (None, worker))
    await lab.until(lambda: lab.child(stack, "worker").state == "up")
    assert lab.child(stack, "triton").state == "failed"
    await stack.intake().put(lab.messages(20))
    assert await stack.drain(30)


async def test_where_it_cannot_run_the_reason_is_shown(
    lab: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("streams.embedded.triton.available", lambda _: "the Triton wheel is built for Linux only")
    stack = lab.build(settings=_with(settings, "auto"))
    await stack.start()
    child = lab.child(stack, "triton")
    assert (stack.scorer, child.state) == ("onnx", "off")
    assert child.detail == "scoring in the worker instead: the Triton wheel is built for Linux only"
    await stack.stop()

    strict = lab.build(settings=_with(settings, "triton"))
    with pytest.raises(StackError, match=r"scoring\.backend is triton, but the Triton wheel is built for Linux only"):
        await strict.start()
