"""Who scores: Triton where it is wanted and can run, else the worker, and the status says why."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from waiting import until

from streams.embedded.backend import Backend
from streams.embedded.process import Child, ChildState
from streams.embedded.programs import Programs
from streams.errors import StackError
from streams.settings import load_settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

Make = Callable[..., Child]


@pytest.fixture
def programs(tmp_path: Path) -> Callable[..., Programs]:
    def build(backend: str, **options: object) -> Programs:
        settings = load_settings(embedded={"data": tmp_path / "data", **options}, scoring={"backend": backend})
        return Programs(settings, triton_repository=tmp_path / "no models")

    return build


@pytest.fixture
def can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine on which Triton can run; what runs in its place is a script."""
    monkeypatch.setattr("streams.embedded.triton.available", lambda _: None)


@pytest.mark.parametrize("wanted", ["onnx", "noop"])
async def test_triton_is_not_started_where_something_else_is_wanted(wanted: str, programs: Callable[..., Programs], make: Make) -> None:
    server, ours = make("sleep 300"), programs(wanted)
    await Backend(ours, server, make("sleep 300")).start()
    assert ours.settings.scoring.backend == wanted
    assert (server.status.state, server.status.pid) == (ChildState.OFF, None)
    assert server.status.detail == f"not needed: scoring.backend is {wanted}"


@pytest.mark.parametrize(("options", "reason"), [({"triton": "off"}, "embedded.triton is off"), ({}, "")])
async def test_where_it_cannot_run_the_worker_scores(
    options: dict[str, str], reason: str, programs: Callable[..., Programs], make: Make
) -> None:
    server, ours = make("sleep 300"), programs("auto", **options)
    await Backend(ours, server, make("sleep 300")).start()
    assert ours.settings.scoring.backend == "onnx"
    assert (server.status.state, server.status.pid) == (ChildState.OFF, None)
    said = server.status.detail
    assert said.startswith(f"scoring in the worker instead: {reason}")
    assert len(said) > len("scoring in the worker instead: "), "it says why"


async def test_triton_that_is_asked_for_by_name_and_cannot_run_is_an_error(programs: Callable[..., Programs], make: Make) -> None:
    with pytest.raises(StackError, match=r"scoring\.backend is triton, but embedded\.triton is off") as refused:
        await Backend(programs("triton", triton="off"), make("sleep 300"), make("sleep 300")).start()
    assert "BELLWETHER_SCORING__BACKEND=auto" in refused.value.mend


@pytest.mark.usefixtures("can_run")
async def test_triton_that_comes_up_scores(programs: Callable[..., Programs], make: Make) -> None:
    server, ours = make("sleep 300"), programs("auto")
    await Backend(ours, server, make("sleep 300")).start()
    assert (ours.settings.scoring.backend, server.status.state) == ("triton", ChildState.UP)


async def never() -> bool:
    return False


@pytest.mark.usefixtures("can_run")
async def test_triton_that_does_not_come_up_leaves_it_to_the_worker_or_is_an_error(programs: Callable[..., Programs], make: Make) -> None:
    server, ours = make("echo no such model; exit 1", healthy=never), programs("auto")
    await Backend(ours, server, make("sleep 300")).start()
    assert (ours.settings.scoring.backend, server.status.state) == ("onnx", ChildState.FAILED)
    assert "no such model" in server.status.detail

    with pytest.raises(StackError, match="no such model"):
        await Backend(programs("triton"), make("echo no such model; exit 1", healthy=never), make("sleep 300")).start()


@pytest.mark.usefixtures("can_run")
@pytest.mark.parametrize("wanted", ["auto", "triton"])
async def test_triton_that_will_not_stay_up_is_replaced_where_the_choice_is_ours(
    wanted: str, programs: Callable[..., Programs], make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.embedded.process._QUICK_FAILURES", 0)
    server, worker, ours = make("sleep 300"), make("sleep 300"), programs(wanted)
    backend = Backend(ours, server, worker)
    await backend.start()
    await worker.start()
    backend.check()
    assert ours.settings.scoring.backend == "triton", "as long as it is up"

    triton, first = server.status.pid, worker.status.pid
    assert triton is not None
    os.kill(triton, signal.SIGKILL)
    await until(lambda: server.failure is not None)
    backend.check()
    backend.check()
    if wanted == "auto":
        await until(lambda: worker.status.state == ChildState.UP and worker.status.pid != first)
    await backend.stop()
    assert ours.settings.scoring.backend == ("onnx" if wanted == "auto" else "triton")
    assert (worker.status.pid == first) == (wanted == "triton"), "only a worker that scores by itself is begun anew"
    assert server.status.state == ChildState.FAILED
    assert server.status.detail.startswith("scoring in the worker instead: ") == (wanted == "auto")


async def test_a_backend_that_was_never_started_can_be_stopped(programs: Callable[..., Programs], make: Make) -> None:
    backend = Backend(programs("auto"), make("sleep 300"), make("sleep 300"))
    backend.check()
    await backend.stop()
