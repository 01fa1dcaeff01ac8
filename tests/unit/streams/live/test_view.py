"""The view: every width, every script, every number of everything, and no markup from outside."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from streams.live.summary import AlertSummary, Snapshot, Summary
from streams.live.view import render, render_summary

HEADLINES = [
    "السلطات تفتح تحقيقا في حسابات البنك",
    "רגולטור פותח בחקירה",
    "監管機構調查銀行貸款問題,股價大跌",
    "日本の銀行、決算を発表しました",
    "은행 주가 급락",
    "บริษัทเปิดโรงงานใหม่ในภาคเหนือ",
    "बैंक के खातों की जाँच",
    "👨‍👩‍👧‍👦 emoji 🇩🇪 flags",
    "[bold red]not markup[/] [/nor this]",
    "x" * 500,
    "",
]
ALERT = AlertSummary(
    id="a" * 16,
    status="firing",
    key="entity:bank",
    name="بنك [نورث]",
    severity="critical",
    starts_at="2024-05-01T12:00:00+00:00",
    summary="15 of 20 negative (75 %), [expected] 12 %",
    p_value=1e-9,
    languages={"ar": 3},
    evidence=["1"],
    headlines=[f"[ar] {HEADLINES[0]}", f"[zh] {HEADLINES[2]}", *(f"[en] {number}" for number in range(5))],
)


def document(title: str, **changes: Any) -> dict[str, Any]:
    fields = {
        "id": "1",
        "language": "ar",
        "sentiment": "negative",
        "score": -0.91,
        "topic": "economy, business and finance",
        "title": title,
    }
    return {**fields, **changes}


SNAPSHOT = Snapshot(
    phase="streaming [the] newswire",
    total=500,
    produced=1234567,
    pending=3,
    indexed=400,
    duplicates=7,
    dead=9,
    filtered=1,
    seconds=12.3,
    rate=841.7,
    children=[("broker", "ready", "127.0.0.1:1"), ("worker", "starting", "[/x]")],
    latest=[document(title) for title in HEADLINES],
    alerts=[ALERT],
    address="search http://127.0.0.1:1 · data ~/odd[/folder]",
)
SUMMARY = Summary(
    documents_in=500,
    indexed=480,
    duplicates=10,
    dead_lettered=9,
    filtered=1,
    near_copies=40,
    in_index=480,
    languages={"ar": 10, "en": 200, "zh": 40},
    sentiments={"negative": 100},
    dead_letter_reasons={"document.json.invalid": 9},
    alerts=[ALERT],
    webhooks_verified=1,
    scorer="triton [cpu]",
    startup_seconds=3.2,
    seconds=5.5,
    documents_per_second=90.9,
)


def shown(renderable: Any, width: int) -> str:
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(renderable)
    return console.export_text()


@pytest.mark.parametrize("width", [60, 61, 79, 80, 100, 133, 160, 200])
def test_every_width_is_filled_and_never_exceeded(width: int) -> None:
    for renderable in (render(SNAPSHOT), render(Snapshot("starting", 0)), render_summary(SUMMARY)):
        lines = shown(renderable, width).splitlines()
        assert lines
        assert max(cell_len(line) for line in lines) == width


@pytest.mark.parametrize("width", range(60, 201, 20))
@pytest.mark.parametrize("title", HEADLINES)
def test_every_script_is_shown_at_every_width(title: str, width: int) -> None:
    text = shown(render(replace(SNAPSHOT, latest=[document(title)])), width)
    assert "negative" in text
    assert title[: 1 if width < 80 else 3] in text


def test_the_screen_keeps_its_height_while_documents_come_in() -> None:
    heights = {len(shown(render(replace(SNAPSHOT, alerts=[], latest=SNAPSHOT.latest[:count])), 120).splitlines()) for count in range(11)}
    assert len(heights) == 1


def test_counts_rate_children_and_address_are_shown() -> None:
    text = shown(render(SNAPSHOT), 160)
    for part in ("1,234,567", "842", "broker", "127.0.0.1:1", "streaming [the] newswire", "odd[/folder]", "[/x]", "economy", "-0.91"):
        assert part in text


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    text = shown(render(SNAPSHOT), 200)
    assert "[bold red]not markup[/] [/nor this]" in text
    assert "بنك [نورث]" in text
    assert "[ar] " in text


def test_right_to_left_headlines_are_isolated_from_the_columns_around_them() -> None:
    text = shown(render(replace(SNAPSHOT, alerts=[])), 200)
    for headline in HEADLINES[:2]:
        assert f"\u2068{headline}\u2069" in text
    assert text.count("\u2068") == 2, "other scripts need no isolates"


def test_a_document_without_a_score_says_so() -> None:
    latest = [{"id": "1", "language": None, "sentiment": None, "score": None, "topic": None, "title": ""}]
    text = shown(render(replace(SNAPSHOT, latest=latest)), 120)
    assert "unscored" in text
    assert "–" in text


def test_an_alert_shows_its_first_headlines() -> None:
    text = shown(render(SNAPSHOT), 160)
    assert "CRITICAL" in text
    assert "firing, began 2024-05-01 12:00 UTC" in text
    assert "15 of 20 negative (75 %), [expected] 12 %" in text
    assert "[en] 1" in text
    assert "[en] 2" not in text
    assert "no alert so far" in shown(render(replace(SNAPSHOT, alerts=[])), 160)


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80), st.integers(60, 200))
def test_no_text_breaks_the_view(text: str, width: int) -> None:
    alert = replace(ALERT, name=text, summary=text, headlines=[text], severity=text, status=text)
    shown(
        render(replace(SNAPSHOT, phase=text, address=text, children=[(text, text, text)], latest=[document(text)], alerts=[alert])), width
    )
    shown(render_summary(replace(SUMMARY, scorer=text, languages={text: 1}, alerts=[alert])), width)


def test_the_summary_says_whether_the_books_balance() -> None:
    good = shown(render_summary(SUMMARY), 100)
    assert "the books balance" in good
    assert "near-copies" in good
    assert "en 200  zh 40  ar 10" in good, "the most frequent first"
    assert "THE BOOKS DO NOT BALANCE" in shown(render_summary(replace(SUMMARY, indexed=479)), 100)
