"""Packed bodies are unpacked to a limit and no further."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sources.fetch import _Body, origin_of


@given(data=st.binary(max_size=2000), pieces=st.integers(1, 50), packed=st.booleans())
def test_bodies_come_out_whole_however_they_are_cut(data: bytes, pieces: int, packed: bool) -> None:
    wire = gzip.compress(data) if packed else data
    body = _Body("gzip" if packed else "", 2000)
    for start in range(0, len(wire), pieces):
        body.add(wire[start : start + pieces])
    assert not body.full
    assert body.content() == data


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(200_000_000))
    tracemalloc.start()
    try:
        body = _Body("gzip", 10_000)
        body.add(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert body.full
    assert len(body.content()) == 10_000
    assert peak < 5_000_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_packings_that_were_not_asked_for_are_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="not asked for"):
        _Body(encoding, 10)


def test_damaged_and_cut_off_bodies_are_refused() -> None:
    body = _Body("gzip", 1000)
    with pytest.raises(ValueError, match="header"):
        body.add(b"not packed at all")
    cut = _Body("gzip", 1000)
    cut.add(gzip.compress(b"text " * 100)[:-9])
    with pytest.raises(ValueError, match="cut off"):
        cut.content()


def test_rules_are_per_scheme_host_and_port() -> None:
    assert origin_of("https://a.example:8443/x/y?z#f") == "https://a.example:8443"
