from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.enrich.sentences import sentences


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("One sentence", ["One sentence"]),
        ("Rates rose. Shares fell! Why? Nobody knows", ["Rates rose.", "Shares fell!", "Why?", "Nobody knows"]),
        ("央行加息。股市下跌！", ["央行加息。", "股市下跌！"]),
        ("दरें बढ़ीं। बाज़ार गिरा।", ["दरें बढ़ीं।", "बाज़ार गिरा।"]),
        ("ተመን ጨመረ። ገበያው ወደቀ", ["ተመን ጨመረ።", "ገበያው ወደቀ"]),
        ("Up 3.5 percent at 9.30", ["Up 3.5 percent at 9.30"]),
        ("Der Kurs steigt | The price is rising", ["Der Kurs steigt", "The price is rising"]),
        ("Kurz – und gut, aber well-known", ["Kurz", "und gut, aber well-known"]),
        ('He said: "It is over." Then he left', ['He said: "It is over.', "Then he left"]),
    ],
)
def test_pieces(text: str, pieces: list[str]) -> None:
    assert sentences(text) == pieces


@settings(max_examples=80)
@given(st.text(max_size=200))
def test_no_letter_is_lost(text: str) -> None:
    found = sentences(text)
    assert all(piece and piece == piece.strip() for piece in found)
    assert [c for c in "".join(found) if c.isalpha()] == [c for c in text if c.isalpha()]
