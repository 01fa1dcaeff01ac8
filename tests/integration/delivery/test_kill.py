"""kill -9 in the middle of deliveries: what was safe arrives after the next start, in its order, and nothing else comes twice."""

from __future__ import annotations

import asyncio
import base64
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
PROGRAM = Path(__file__).with_name("standin_notifier.py")
STUMBLES = 7


class Receiver:
    """Stumbles over every seventh message the first time; takes a moment for each."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[str] = []
        self.stumbled: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        Webhook(SECRET).verify(await request.read(), dict(request.headers))
        message = request.headers["webhook-id"]
        if int(message[:32], 16) % STUMBLES == 0 and message not in self.stumbled:
            self.stumbled.add(message)
            return web.Response(status=503)
        await asyncio.sleep(0.02)
        self.taken.append(message)
        return web.Response(status=204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/", found.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


@pytest.mark.slow
async def test_killed_again_and_again(receiver: Receiver, tmp_path: Path) -> None:
    safe: set[int] = set()
    kills = 0

    async def run(first: int, count: int, enough: Callable[[], bool]) -> None:
        """Start it, wait until enough has arrived, kill it."""
        nonlocal kills
        arguments = [str(tmp_path / "journal.db"), receiver.url, SECRET, str(first), str(count)]
        process = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), *arguments, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        stdout = process.stdout

        async def hear() -> None:
            async for line in stdout:
                word, _, rest = line.decode().strip().partition(" ")
                assert word != "letter", rest
                if word == "safe":
                    safe.add(int(rest))

        hearing = asyncio.create_task(hear())
        try:
            async with asyncio.timeout(40):
                while not enough():
                    assert process.returncode is None
                    await asyncio.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            await hearing
            kills += 1

    await run(1, 30, lambda: len(receiver.taken) >= 15)
    await run(31, 30, lambda: len(receiver.taken) >= 60)
    expected = {f"{number:032x}-{notice}" for number in safe for notice in ("0-firing", "1-resolved")}
    assert not expected <= set(receiver.taken), "killed too late: this test shows nothing"
    await run(1, 0, lambda: expected <= set(receiver.taken))
    assert len(safe) > 30
    repeats = len(receiver.taken) - len(set(receiver.taken))
    assert repeats <= kills * 4, "at most what was under way at a kill"
    for number in safe:
        firing, resolved = f"{number:032x}-0-firing", f"{number:032x}-1-resolved"
        assert receiver.taken.index(firing) < receiver.taken.index(resolved)
    assert {int(message[:32], 16) % STUMBLES for message in receiver.stumbled} == {0}
    assert receiver.stumbled, "some had to be tried again"
