from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from waiting import until

from streams.embedded.process import Child, ChildSpec, ChildState, last_lines
from streams.errors import StackError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

Make = Callable[..., Child]


async def test_it_starts_in_a_session_of_its_own_and_stops_by_sigterm(make: Make, tmp_path: Path) -> None:
    child = make(f"trap 'echo bye; exit 0' TERM; touch {tmp_path}/trapped; while true; do sleep 0.05; done")
    await child.start()
    pid = child.status.pid
    assert pid is not None
    assert child.status.state == ChildState.UP
    assert os.getsid(pid) == pid, "Ctrl-C in our terminal does not reach it"
    await until((tmp_path / "trapped").exists)
    await child.stop()
    assert (child.returncode, child.status.state, child.status.pid) == (0, ChildState.STOPPED, None)
    assert "bye" in (tmp_path / "logs" / "toy.log").read_text()
    await child.stop()


async def test_one_that_ignores_sigterm_is_killed_and_so_is_what_it_started(make: Make, tmp_path: Path) -> None:
    child = make(f"trap '' TERM; sleep 300 & echo $! > {tmp_path}/grandchild; while true; do sleep 0.1; done", stop_seconds=0.3)
    await child.start()
    await until(lambda: (tmp_path / "grandchild").exists() and bool((tmp_path / "grandchild").read_text().strip()))
    grandchild = int((tmp_path / "grandchild").read_text())
    began = time.monotonic()
    await child.stop()
    assert time.monotonic() - began < 20, "not as long as it would have slept"
    assert child.returncode == -signal.SIGKILL
    await until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE)


async def test_one_that_dies_comes_back_and_the_hooks_hear_of_it_in_order(make: Make) -> None:
    heard: list[str] = []

    async def down(child: Child) -> None:
        heard.append(f"down {child.status.state}")

    async def up(child: Child) -> None:
        heard.append(f"up {child.status.state}")

    child = make("sleep 300", before_restart=down, after_restart=up)
    await child.start()
    first = child.status.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.status.state == ChildState.UP and child.status.pid != first)
    assert heard == ["down restarting", "up restarting"]
    assert child.restarts == 1


async def test_one_that_ends_at_once_fails_with_its_last_words(make: Make, tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    child = make("echo first; echo; echo 'no such model'; exit 7", healthy=never)
    with pytest.raises(StackError, match=r"toy ended with status 7 while it started: first \| no such model") as failed:
        await child.start()
    assert failed.value.mend == f"its whole log is {tmp_path / 'logs' / 'toy.log'}"


async def test_a_program_that_does_not_exist_fails_with_its_path(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    child = Child("toy", lambda: ChildSpec(name="toy", command=["/no/such/program"], log=tmp_path / "toy.log", healthy=never))
    with pytest.raises(StackError, match="status 127 while it started: /no/such/program: No such file"):
        await child.start()


async def test_one_that_never_answers_is_not_waited_for_for_ever(make: Make) -> None:
    async def refused() -> bool:
        raise ConnectionRefusedError

    child = make("sleep 300", healthy=refused, start_seconds=0.3)
    with pytest.raises(StackError, match="did not answer within 0 s"):
        await child.start()
    assert child.status.pid is None


async def test_one_that_keeps_dying_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._QUICK_FAILURES", 2)
    monkeypatch.setattr("streams.embedded.process._FIRST_BACK_OFF", 0.01)
    child = make("echo out of luck; sleep 0.2; exit 4")
    await child.start()
    await until(lambda: child.failure is not None)
    assert child.failure is not None
    assert child.failure.message.startswith(
        "toy failed 3 times in a row and is given up: it ended with status 4; the end of its log: out of luck"
    )
    assert child.status.state == ChildState.FAILED
    assert child.restarts == 3
    await child.stop()
    assert child.status.state == ChildState.FAILED, "what failed is still to be read after the stop"


async def test_a_failing_start_in_the_background_is_retried(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._FIRST_BACK_OFF", 0.01)
    flag = tmp_path / "flag"

    async def healthy() -> bool:
        return flag.exists() and flag.read_text().count("x") >= 3

    child = make(f"printf x >> {flag}; test $(wc -c < {flag}) -ge 3 && sleep 300", healthy=healthy)
    child.start_soon()
    await until(lambda: child.status.state == ChildState.UP)
    assert flag.read_text() == "xxx"


async def test_a_fault_of_the_machine_during_a_restart_is_waited_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._FIRST_BACK_OFF", 0.01)
    faults = [OSError(24, "Too many open files")]

    async def down(_: Child) -> None:
        if faults:
            raise faults.pop()

    child = make("sleep 300", before_restart=down)
    await child.start()
    first = child.status.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.status.state == ChildState.UP and child.status.pid != first)
    assert faults == []


async def test_a_supervision_that_breaks_down_is_told(make: Make) -> None:
    async def down(_: Child) -> None:
        raise ZeroDivisionError("a fault of our own")

    child = make("sleep 300", before_restart=down)
    await child.start()
    pid = child.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: child.failure is not None)
    assert child.status.state == ChildState.FAILED
    assert "no longer watched" in child.status.detail
    await child.stop()


async def test_a_stop_in_the_middle_of_a_restart_leaves_nothing(make: Make, tmp_path: Path) -> None:
    answers = True

    async def healthy() -> bool:
        return answers

    child = make(f"echo $$ >> {tmp_path}/pids; sleep 300", healthy=healthy)
    await child.start()
    await until((tmp_path / "pids").exists)
    answers = False
    pid = child.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: len((tmp_path / "pids").read_text().split()) == 2)
    await child.stop()
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert not any(psutil.pid_exists(each) and psutil.Process(each).status() != psutil.STATUS_ZOMBIE for each in pids)
    assert child.status.state == ChildState.STOPPED


async def test_a_stop_that_comes_as_a_health_check_answers_is_heard(make: Make) -> None:
    """Python 3.11's ``wait_for`` swallows a cancellation that meets a finished answer: the supervision then went on for a minute."""
    answers, asked = True, 0
    stops: list[asyncio.Task[None]] = []

    async def healthy() -> bool:
        nonlocal asked
        asked += 1
        if not answers and not stops:
            stops.append(asyncio.create_task(child.stop()))
        return answers

    child = make("sleep 300", healthy=healthy)
    await child.start()
    answers = False
    pid = child.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: bool(stops))
    await asyncio.wait_for(stops[0], 60)
    assert child.status.state == ChildState.STOPPED
    assert child.failure is None


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
async def test_the_launcher_ties_a_program_to_its_parent(tmp_path: Path) -> None:
    launcher = Path(__file__).parents[4] / "streams" / "embedded" / "launcher.py"
    parent = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f"{sys.executable} -I -S {launcher} $$ /bin/sleep 300 & echo $! > {tmp_path}/pid; wait"
    )
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text().strip()))
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: psutil.Process(pid).cmdline() == ["/bin/sleep", "300"])
    parent.kill()
    await parent.wait()
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_last_lines_skip_frames_and_cut_long_lines(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("+-----+\n| a |\n\n" + "b" * 5000 + "\n", encoding="utf-8")
    assert last_lines(log) == "a | " + "b" * 200
    assert last_lines(tmp_path / "none.log") == "(no log)"


async def test_a_probe_that_swallows_the_cancellation_does_not_keep_it_running(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.embedded.process._HEALTH_EVERY", 0.01)
    asked = asyncio.Event()
    watching = False

    async def deaf() -> bool:
        if watching:
            asked.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(300)
        return True

    child = make("sleep 300", healthy=deaf)
    await child.start()
    watching = True
    await asked.wait()
    supervisor = child._supervisor
    assert supervisor is not None
    async with asyncio.timeout(30):
        await child.stop()
    assert supervisor.cancelling() == 1, "it heard the first time"
    assert (child.status.state, child.status.pid, child.restarts) == (ChildState.STOPPED, None, 0)


async def test_a_start_that_is_cancelled_in_a_probe_that_swallows_it_ends(make: Make) -> None:
    asked = asyncio.Event()

    async def deaf() -> bool:
        asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(300)
        return True

    child = make("sleep 300", healthy=deaf)
    starting = asyncio.create_task(child.start())
    await asked.wait()
    starting.cancel()
    await asyncio.wait({starting}, timeout=30)
    assert starting.cancelled()
    assert child.status.pid is None
