"""Replays: everything once, in order, going on where they stopped, at their pace, with moved times."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams.documents import parse_raw
from streams.errors import BellwetherError, SettingsError, TransientError
from streams.sources.cursors import FileCursorStore, MemoryCursorStore
from streams.sources.mapping import FieldMapping
from streams.sources.progress import ReplayProgress
from streams.sources.replay import Replay

START = datetime(2020, 1, 1, tzinfo=UTC)


class Collector:
    """Takes what it is given; dies after `until` messages, as a killed process would: before anybody hears of it."""

    def __init__(self, until: int | None = None) -> None:
        self.messages: list[bytes] = []
        self.batches: list[int] = []
        self.times: list[float] = []
        self.until = until

    async def put(self, messages: Sequence[bytes]) -> None:
        self.messages += messages
        self.batches.append(len(messages))
        self.times += [time.monotonic()] * len(messages)
        if self.until is not None and len(self.messages) >= self.until:
            raise KeyboardInterrupt

    async def close(self) -> None:
        return


def line(number: int, seconds: float = 0.0) -> bytes:
    when = (START + timedelta(seconds=seconds)).isoformat()
    return json.dumps({"id": str(number), "source": "s", "text": f"text {number}", "published_at": when}).encode()


def write(path: Path, lines: Sequence[bytes]) -> Path:
    data = b"".join(item + b"\n" for item in lines)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


async def replay(path: Path, intake: Collector, cursors: object = None, **more: object):
    more.setdefault("destination", "here")
    return await Replay(path, cursors=cursors or MemoryCursorStore(), **more).run(intake, patience=10)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
async def test_everything_once_in_order_byte_for_byte(tmp_path: Path, name: str) -> None:
    lines = [line(number) for number in range(1234)] + [b"\xff\xfe not text", b"{", b'{"source":"s"}']
    intake = Collector()
    report = await replay(write(tmp_path / name, lines), intake, batch_size=100)
    assert intake.messages == lines
    assert max(intake.batches) == 100
    assert (report.lines, report.resumed_from, report.last_line, report.shift) == (1237, 0, 1237, None)


async def test_batches_are_bounded_in_bytes(tmp_path: Path) -> None:
    intake = Collector()
    await replay(write(tmp_path / "a.jsonl", [b"x" * 1000] * 50), intake, batch_bytes=5000)
    assert max(intake.batches) == 5
    assert sum(intake.batches) == 50


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
@given(stops=st.lists(st.integers(1, 90), max_size=4), batch=st.integers(1, 40))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
def test_killed_anywhere_and_started_again_nothing_is_missing(tmp_path: Path, name: str, stops: list[int], batch: int) -> None:
    lines = [line(number) for number in range(200)]
    path = write(tmp_path / name, lines)
    cursors = MemoryCursorStore()
    received: list[bytes] = []
    for until in [*stops, None]:
        intake = Collector(until)
        try:
            asyncio.run(replay(path, intake, cursors, batch_size=batch))
        except KeyboardInterrupt:
            assert until is not None
        received += intake.messages
    assert set(received) == set(lines)
    assert len(received) - len(lines) <= len(stops) * batch, "at most the last batch of each run is repeated"


async def test_at_its_end_the_same_command_has_nothing_to_do_and_restart_begins_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(1), line(2)])
    cursors = FileCursorStore(tmp_path / "cursors")
    await replay(path, Collector(), cursors)
    again = Collector()
    report = await replay(path, again, cursors)
    assert (again.messages, report.lines, report.resumed_from) == ([], 0, 2)
    anew = Collector()
    report = await replay(path, anew, cursors, restart=True)
    assert (len(anew.messages), report.resumed_from) == (2, 0)


async def test_another_destination_or_mapping_is_another_replay(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(1), line(2)])
    cursors = MemoryCursorStore()
    await replay(path, Collector(), cursors)
    for options in ({"destination": "there"}, {"mapping": FieldMapping.parse("tags:=x")}, {"rebase": "now"}):
        intake = Collector()
        await replay(path, intake, cursors, **options)
        assert len(intake.messages) == 2


async def test_lines_added_at_the_end_are_what_is_left(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(1), line(2)])
    cursors = MemoryCursorStore()
    await replay(path, Collector(), cursors)
    write(path, [line(1), line(2), line(3)])
    intake = Collector()
    report = await replay(path, intake, cursors)
    assert intake.messages == [line(3)]
    assert report.last_line == 3


async def test_a_file_that_was_rewritten_is_told_and_not_read_from_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(1), line(2)])
    cursors = MemoryCursorStore()
    await replay(path, Collector(), cursors)
    write(path, [line(1), line(7), line(8)])
    with pytest.raises(BellwetherError, match="was rewritten") as caught:
        await replay(path, Collector(), cursors)
    assert "--restart" in caught.value.mend


async def test_a_refused_batch_is_offered_again_and_the_place_stays(tmp_path: Path) -> None:
    class Reluctant(Collector):
        faults = 2

        async def put(self, messages: Sequence[bytes]) -> None:
            if self.faults:
                self.faults -= 1
                raise TransientError("not now")
            await super().put(messages)

    intake = Reluctant()
    await replay(write(tmp_path / "a.jsonl", [line(n) for n in range(10)]), intake, batch_size=3)
    assert intake.messages == [line(n) for n in range(10)]


async def test_cut_off_files_give_what_is_good_and_then_the_fault(tmp_path: Path) -> None:
    lines = [line(number) for number in range(3000)]
    packed = gzip.compress(b"".join(item + b"\n" for item in lines))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    cursors, intake = MemoryCursorStore(), Collector()
    with pytest.raises(BellwetherError, match="cut off after line"):
        await replay(path, intake, cursors)
    assert len(intake.messages) > 100
    assert intake.messages == lines[: len(intake.messages)], "good lines before the fault are put"
    path.write_bytes(packed)
    rest = Collector()
    if len(packed) // 2 > 65_536:
        report = await replay(path, rest, cursors)
        assert report.resumed_from == len(intake.messages)
    else:
        await replay(path, rest, cursors)
    assert set(intake.messages + rest.messages) == set(lines)


@pytest.mark.parametrize("options", [{"speed": "fast"}, {"speed": "0"}, {"rebase": "yesterday"}, {"rebase": "2024-01-01T00:00:00"}])
def test_bad_options_are_told_before_anything_is_opened(tmp_path: Path, options: dict) -> None:
    with pytest.raises(SettingsError):
        Replay(tmp_path / "none", destination="x", cursors=MemoryCursorStore(), **options)


async def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match="does not exist"):
        await replay(tmp_path / "none.jsonl", Collector())
    with pytest.raises(BellwetherError, match="is a folder"):
        await replay(tmp_path, Collector())


async def test_event_time_passes_faster_but_in_proportion(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(1, 0), line(2, 0), line(3, 60), line(4, 30), line(5, 120)])
    told: list[ReplayProgress] = []
    intake = Collector()
    began = time.monotonic()
    await replay(path, intake, speed="120x", progress=told.append)
    due = [moment - began for moment in intake.times]
    assert [round(moment, 1) for moment in due[:2]] == [0.0, 0.0]
    assert due[2] == pytest.approx(0.5, abs=0.25)
    assert due[3] == pytest.approx(0.5, abs=0.25), "an event that goes back in time is due with the one before"
    assert due[4] == pytest.approx(1.0, abs=0.25)
    assert intake.messages == [line(1, 0), line(2, 0), line(3, 60), line(4, 30), line(5, 120)]


async def test_while_waiting_the_progress_says_so(tmp_path: Path) -> None:
    told: list[ReplayProgress] = []
    path = write(tmp_path / "a.jsonl", [line(1, 0), line(2, 3.0)])
    await replay(path, Collector(), speed="2x", progress=told.append)
    assert any(0 < progress.waiting <= 1.5 for progress in told)


async def test_a_line_without_a_time_does_not_hold_up_the_others(tmp_path: Path) -> None:
    absurd = b'{"source":"s","text":"x","published_at":"2999-01-01T00:00:00Z"}'
    path = write(tmp_path / "a.jsonl", [line(1), absurd, b"garbage", line(2, 1)])
    intake = Collector()
    await asyncio.wait_for(replay(path, intake, speed="10x"), 60)
    assert len(intake.messages) == 4


async def test_rebase_puts_the_newest_event_on_now_and_keeps_every_interval(tmp_path: Path) -> None:
    seconds = [0.0, 3600.0, 86400.0, 7200.0]
    absurd = b'{"source":"s","text":"x","published_at":"2999-01-01T00:00:00Z"}'
    path = write(tmp_path / "a.jsonl", [*(line(n, s) for n, s in enumerate(seconds)), absurd, b"garbage"])
    intake = Collector()
    before = datetime.now(UTC)
    report = await replay(path, intake, rebase="now")
    moved = [parse_raw(message).published_at for message in intake.messages[:4]]
    assert before <= max(moved) <= datetime.now(UTC)
    assert [(when - moved[0]).total_seconds() for when in moved] == seconds
    assert report.shift == moved[0] - START
    assert intake.messages[5] == b"garbage"


async def test_a_replay_that_goes_on_keeps_its_shift_and_restart_takes_a_new_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [line(n, n * 10) for n in range(20)])
    cursors = MemoryCursorStore()
    first = Collector(until=5)
    with pytest.raises(KeyboardInterrupt):
        await replay(path, first, cursors, rebase="now", batch_size=5)
    await asyncio.sleep(0.05)
    rest = Collector()
    await replay(path, rest, cursors, rebase="now", batch_size=5)
    times = {(document := parse_raw(message)).id: document.published_at for message in first.messages + rest.messages}
    moved = [times[str(n)] for n in range(20)]
    assert {(b - a).total_seconds() for a, b in pairwise(moved)} == {10.0}
    anew = Collector()
    await replay(path, anew, cursors, rebase="now", restart=True)
    assert parse_raw(anew.messages[0]).published_at > moved[0]


async def test_rebase_to_an_instant_and_without_any_time(tmp_path: Path) -> None:
    intake = Collector()
    await replay(write(tmp_path / "a.jsonl", [line(1, 0), line(2, 60)]), intake, rebase="2024-05-01T12:00:00+02:00")
    assert parse_raw(intake.messages[1]).published_at == datetime(2024, 5, 1, 10, tzinfo=UTC)
    naive = b'{"source":"s","text":"x","published_at":"2020-01-01T00:00:00"}'
    path = write(tmp_path / "b.jsonl", [naive])
    with pytest.raises(BellwetherError, match="no publication time with a zone") as caught:
        await replay(path, Collector(), rebase="now")
    assert "--zone" in caught.value.mend
    await replay(path, intake, rebase="now", mapping=FieldMapping.parse(None, zone="UTC"))


async def test_progress_grows_to_the_whole_and_knows_the_time_left(tmp_path: Path) -> None:
    told: list[ReplayProgress] = []
    path = write(tmp_path / "a.jsonl", [line(n) for n in range(1000)])
    await replay(path, Collector(), batch_size=100, progress=told.append)
    assert [progress.lines for progress in told] == list(range(100, 1001, 100))
    assert told[-1].bytes_done == told[-1].bytes_total == path.stat().st_size
    assert told[-1].seconds_left == 0.0
    assert told[0].per_second > 0
    empty = ReplayProgress(lines=0, resumed_from=0, bytes_done=5, bytes_total=10, bytes_before=5, seconds=0.0)
    assert (empty.seconds_left, empty.per_second) == (None, 0.0)
