"""Keys, sizes, and the letters of what is too large."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.documents import DeadLetter, Outcome
from streams.sources import oversize
from streams.sources.intake import partition_key


@given(source=st.text(min_size=1, max_size=80), text=st.text(), other=st.text(), ascii_only=st.booleans())
def test_the_key_is_the_source_whatever_the_rest_says(source: str, text: str, other: str, ascii_only: bool) -> None:
    def write(body: str) -> bytes:
        return json.dumps({"text": body, "source": source}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    key = partition_key(write(text))
    assert key is not None
    assert json.loads(b'"' + key + b'"') == source
    assert partition_key(write(other)) == key


def test_a_text_that_speaks_of_a_source_does_not_choose_the_partition() -> None:
    assert partition_key(json.dumps({"text": 'he said "source": "forged"', "source": "real"}).encode()) == b"real"


@pytest.mark.parametrize("message", [b"", b"\xff\x00", b"{}", b'{"source": 7}', b'{"source": ""}', b'{"source":"' + b"x" * 2_000_000])
def test_a_message_without_a_readable_source_has_no_key(message: bytes) -> None:
    assert partition_key(message) is None


@given(size=st.integers(0, 60_000), limit=st.integers(1, 60_000))
def test_a_letter_always_fits_where_the_message_did_not(size: int, limit: int) -> None:
    message = b"m" * size
    if not oversize.too_large(message, limit):
        return
    letter = oversize.letter(message, limit)
    assert not oversize.too_large(letter.original, limit)
    assert letter.truncated_from == size
    assert message.startswith(letter.original)


def test_the_letter_of_the_same_bytes_has_the_same_origin_and_survives_the_wire() -> None:
    message = b"x" * 50_000
    one, two = oversize.letter(message, 20_000), oversize.letter(message, 20_000)
    assert one.origin == two.origin != oversize.letter(message + b"y", 20_000).origin
    back = DeadLetter.from_record(one.original, one.headers())
    assert back == one
    assert (back.outcome, back.reason, back.stage) == (Outcome.DEAD, "source.too_large", "source")
