"""The picture of the demo: well-formed, with every letter, and no script squeezed into the columns of another."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.panel import Panel
from rich.text import Text

from streams.live.picture import to_svg

COLUMN = 12.2
"""Rich's width of a column, in the picture's units."""


def runs(*lines: str) -> list[tuple[str, float | None]]:
    """Every run of text of the picture that is not blank, and the width it is forced to."""
    root = ElementTree.fromstring(to_svg([Text(line) for line in lines], title="title"))
    found = []
    for one in root.iter("{http://www.w3.org/2000/svg}text"):
        told, width = (one.text or "").replace("\xa0", " ").rstrip("\n"), one.get("textLength")
        if told.strip() and told != "title":
            found.append((told, None if width is None else float(width)))
    return found


@pytest.mark.parametrize("line", ["plain words", "a < b & c > d", "Überraschung in Málaga", "Банк", "── │ ✓"])
def test_letters_of_a_column_keep_to_the_columns(line: str) -> None:
    [(told, width)] = runs(line)
    assert told == line
    assert width == pytest.approx(COLUMN * len(line))


@pytest.mark.parametrize(
    "line",
    [
        "[zh] 卡德拉瓦银行突然冻结提款",
        "川の水質が五十年ぶりに回復",
        "은행 주가 급락",
        "[ar] بنك كالدرافا",
        "רגולטור פותח בחקירה",
        "बैंक के खातों की जाँच",
        "บริษัทเปิดโรงงานใหม่",
        "❤️ thanks",
    ],
)
def test_other_letters_are_as_wide_as_their_font_makes_them(line: str) -> None:
    assert runs(line) == [(line, None)]


def test_a_wide_headline_does_not_move_the_frame_around_it() -> None:
    root = ElementTree.fromstring(to_svg([Panel(Text("卡德拉瓦银行"))], title="title"))
    frame = [one.get("x") for one in root.iter("{http://www.w3.org/2000/svg}text") if (one.text or "").strip() == "│"]
    assert [float(x or "nan") for x in frame] == pytest.approx([0.0, COLUMN * 125])


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20))
def test_whatever_is_written_no_run_is_forced_to_a_width_that_is_not_its_own(line: str) -> None:
    for told, width in runs(line):
        assert width is None or width == pytest.approx(COLUMN * cell_len(told))
