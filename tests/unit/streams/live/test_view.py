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

from streams.live.summary import Addresses, AlertSummary, Phase, Snapshot, Summary
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

ADDRESSES = Addresses("http://127.0.0.1:40001", "opinion", "127.0.0.1:40002", "/tmp/bellwether-demo-x", ".venv/bin/bellwether")


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


LONG = replace(ALERT, summary="Opinion turned: " + "twelve of 12 documents are negative, " * 10)


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("height", range(24, 70))
def test_what_matters_fits_the_terminal(width: int, height: int) -> None:
    for alerts in ([], [ALERT], [LONG], [replace(LONG, status="resolved"), ALERT]):
        for addresses in (None, ADDRESSES):
            moment = replace(SNAPSHOT, alerts=alerts, phase=Phase.DONE)
            text = shown(render(moment, size=(width, height), addresses=addresses), width)
            assert len(text.splitlines()) <= height
            assert text.count(" fired 2024-05-01 12:00 UTC") == len(alerts)
            assert ("curl 'http://127.0.0.1:40001/opinion-documents-*/_search?q=bank&pretty'" in text) is (addresses is not None)


def test_a_high_terminal_shows_a_dozen_documents_and_the_whole_alert() -> None:
    latest = [document(f"headline {number}") for number in range(20)]
    text = shown(render(replace(SNAPSHOT, latest=latest, alerts=[LONG]), size=(120, 60)), 120)
    assert "headline 11" in text
    assert "headline 12" not in text
    assert "…" not in text.split("fired 2024")[1].split("[ar]")[0]


def test_a_low_terminal_gives_up_documents_before_the_alert() -> None:
    text = shown(render(replace(SNAPSHOT, alerts=[LONG]), size=(80, 12)), 80)
    assert "Latest documents" not in text
    assert "fired 2024-05-01 12:00 UTC" in text


@pytest.mark.parametrize(
    ("name", "state", "detail", "says"),
    [
        ("triton", "starting", "", "loading the model"),
        ("worker", "starting", "", "joining the consumer group"),
        ("worker", "stopped", "", "waits for the others"),
        ("search", "restarting", "", "opening its index"),
        ("triton", "off", "scoring in the worker instead: no [wheel]", "scoring in the worker instead: no [wheel]"),
        ("broker", "up", "", "✓"),
        ("broker", "failed", "its log says [no]", "✗"),
    ],
)
def test_the_start_says_what_it_waits_for(name: str, state: str, detail: str, says: str) -> None:
    text = shown(render(Snapshot(Phase.STARTING, 500, children=[(name, state, detail)]), size=(80, 24)), 80)
    assert says in text.split("Starting")[1]
    assert len(text.splitlines()) <= 24


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
    assert "fired 2024-05-01 12:00 UTC, firing" in text
    assert "Alerts · 1 firing" in text
    assert "15 of 20 negative (75 %), [expected] 12 %" in text
    assert "[en] 1" in text
    assert "[en] 2" not in text
    assert "no alert so far" in shown(render(replace(SNAPSHOT, alerts=[])), 160)


def test_the_words_stand_below_the_first_headline_where_there_is_room() -> None:
    told = replace(ALERT, words="الخسائر -0.31; neutral without الخسائر")
    lines = shown(render(replace(SNAPSHOT, alerts=[told])), 160).splitlines()
    [place] = [number for number, line in enumerate(lines) if "neutral without" in line]
    assert HEADLINES[0] in lines[place - 1]
    assert HEADLINES[2] in lines[place + 1]
    second = shown(render(replace(SNAPSHOT, alerts=[replace(told, words_of=1)])), 160).splitlines()
    assert HEADLINES[2] in second[place]
    assert "neutral without" in second[place + 1]
    assert "neutral without" not in shown(render(replace(SNAPSHOT, alerts=[replace(told, words_of=9)])), 160)
    assert "neutral without" not in shown(render(replace(SNAPSHOT, alerts=[told]), size=(100, 24)), 100)
    for height in range(24, 70):
        assert len(shown(render(replace(SNAPSHOT, alerts=[told]), size=(120, height)), 120).splitlines()) <= height


@pytest.mark.parametrize(
    ("resolved_at", "says"),
    [
        (None, "fired 2024-05-01 12:00 UTC, resolved since"),
        ("2024-05-01T15:49:00+00:00", "fired 2024-05-01 12:00 UTC, resolved 15:49"),
        ("2024-05-02T01:02:00+00:00", "fired 2024-05-01 12:00 UTC, resolved 2024-05-02 01:02"),
    ],
)
def test_an_alert_that_is_over_is_seen_to_have_fired(resolved_at: str | None, says: str) -> None:
    over = replace(ALERT, status="resolved", resolved_at=resolved_at)
    for text in (
        shown(render(replace(SNAPSHOT, alerts=[over]), size=(100, 24)), 100),
        shown(render_summary(replace(SUMMARY, alerts=[over])), 100),
    ):
        assert says in text
        assert "1 fired and resolved" in text


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
