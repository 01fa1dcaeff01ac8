from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import PermanentError
from streams.scoring.texts import as_utf8


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_round_trip(texts: list[str]) -> None:
    assert [data.decode("utf-8") for data in as_utf8(texts)] == texts


@given(st.text(max_size=5), st.characters(categories=["Cs"]))
def test_a_lone_surrogate_is_refused(before: str, surrogate: str) -> None:
    with pytest.raises(PermanentError, match="lone surrogate") as caught:
        as_utf8(["fine", before + surrogate])
    assert caught.value.reason == "encoding.surrogate"
