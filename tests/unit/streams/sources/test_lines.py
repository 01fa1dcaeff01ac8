"""Files of lines: plain and packed, from any line on, damaged ones told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streams.errors import BellwetherError
from streams.sources import lines as module
from streams.sources.lines import LineFile, fingerprint


def read(path: Path) -> list[tuple[int, bytes]]:
    with LineFile(path) as file:
        return [(line.number, line.data) for line in file.lines()]


@pytest.fixture(params=["plain", "packed"])
def write(request: pytest.FixtureRequest, tmp_path: Path):
    def _write(data: bytes) -> Path:
        path = tmp_path / "file.jsonl"
        path.write_bytes(gzip.compress(data) if request.param == "packed" else data)
        return path

    return _write


def test_line_ends_blank_lines_and_the_byte_order_mark(write) -> None:
    path = write(b'\xef\xbb\xbf{"a":1}\r\n\n   \r\n{"b":2}\nlast')
    assert read(path) == [(1, b'{"a":1}'), (4, b'{"b":2}'), (5, b"last")]
    assert read(write(b"")) == []
    assert read(write(b"\n\n")) == []


@given(
    data=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"x")), max_size=20), stop=st.integers(0, 19)
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_going_on_after_any_line_gives_exactly_the_rest(write, data: list[bytes], stop: int) -> None:
    path = write(b"\n".join(["…".encode(), *data]))  # not by chance the first bytes of a packed file
    with LineFile(path) as file:
        everything = list(file.lines())
    for line in everything[stop : stop + 1]:
        with LineFile(path) as file:
            file.skip_to(line.after, line.number)
            rest = list(file.lines())
        assert rest == everything[stop + 1 :]


def test_a_line_without_end_is_kept_to_a_limit(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1000)
    path = write(b"a\n" + b"x" * 5_000_000 + b"\nb\n" + b"y" * 3000)
    found = read(path)
    assert [(number, len(data)) for number, data in found] == [(1, 1), (2, 1000), (3, 1), (4, 1000)]


def test_cut_off_packed_text_gives_its_good_lines_first(tmp_path: Path) -> None:
    lines = [f"line {number} {number * 7919 % 1000003}".encode() for number in range(20_000)]
    packed = gzip.compress(b"\n".join(lines))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found = []

    def collect() -> None:
        with LineFile(path) as file:
            for line in file.lines():
                found.append(line.data)

    with pytest.raises(BellwetherError, match="cut off after line") as caught:
        collect()
    assert len(found) > 5_000
    assert found == lines[: len(found)], "no half line"
    assert f"after line {len(found)}:" in str(caught.value)
    assert caught.value.mend


def test_damaged_packed_text_is_told(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"some text\n" * 10_000))
    packed[len(packed) // 2] ^= 0xFF
    path = tmp_path / "bad.jsonl.gz"
    path.write_bytes(packed)
    with LineFile(path) as file, pytest.raises(BellwetherError, match=r"damaged after line|cut off after line"):
        list(file.lines())


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(BellwetherError, match="does not exist"):
        LineFile(tmp_path / "none.jsonl")
    with pytest.raises(BellwetherError, match="is a folder"):
        LineFile(tmp_path)


def test_a_place_behind_the_end_is_told(write) -> None:
    with LineFile(write(b"a\nb\n")) as file, pytest.raises(BellwetherError, match="shorter than the place"):
        file.skip_to(1000, 7)


def test_the_position_reaches_the_size(write) -> None:
    path = write(b"some text\n" * 5000)
    with LineFile(path) as file:
        positions = [file.position for _ in file.lines()]
        assert positions == sorted(positions)
        assert file.position == file.size == path.stat().st_size


def test_a_file_that_grows_stays_the_same_and_others_are_others(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"first\nsecond\n")
    before = fingerprint(path)
    path.write_bytes(b"first\nsecond\nthird\n")
    assert fingerprint(path) == before
    path.write_bytes(b"other\nsecond\n")
    assert fingerprint(path) != before
