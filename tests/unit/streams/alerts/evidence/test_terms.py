"""Which words moved, and the memory of words that it is told from."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.evidence.background import KEPT_DAYS, PREFIX, Background
from streams.alerts.evidence.terms import MAX_TERMS, MIN_BACKGROUND, moved
from streams.errors import BellwetherError

DAY = 20_000 * 1440
ORDINARY = ("the", "of", "market", "rises", "shares", "report", "minister", "plan", "city", "club", "season", "price")
GERMAN = ("die", "der", "markt", "steigt", "aktien", "bericht", "plan", "stadt", "verein")


def _titles(number: int, vocabulary: Sequence[str] = ORDINARY, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(["the" if "the" in vocabulary else "die", *rng.choices(vocabulary, k=6)]) for _ in range(number)]


def _background(titles: Sequence[str], minute: int = DAY, language: str = "en") -> Background:
    background = Background()
    for title in titles:
        background.add(title, minute, language)
    return background


CRISIS = [(f"{title} depositors withdraw caldrava", "en") for title in _titles(12, seed=2)]


def test_the_words_of_the_crisis_moved_and_what_stands_everywhere_did_not() -> None:
    found = moved(CRISIS, _background(_titles(400)), own="Caldrava Bank")
    assert {term.term for term in found} == {"depositors", "withdraw"}
    assert all(term.documents == 12 and term.before == 0 and term.lift > 100 for term in found)


def test_the_window_is_no_part_of_its_own_past() -> None:
    background = _background([*_titles(400), *(title for title, _ in CRISIS)])
    found = moved(CRISIS, background)
    assert {term.term for term in found} == {"caldrava", "depositors", "withdraw"}
    assert all(term.before == 0 for term in found)


def test_a_word_is_compared_within_its_language() -> None:
    # German is rare in this stream: against all of it, every German article would have moved.
    background = _background(_titles(1000))
    for title in _titles(MIN_BACKGROUND + 20, GERMAN):
        background.add(title, DAY, "de")
    window = [(f"{title} bankensturm", "de") for title in _titles(12, GERMAN, seed=3)]
    assert [term.term for term in moved(window, background)] == ["bankensturm"]
    assert len(moved([(title, "xx") for title, _ in window], background)) > 1


@given(
    past=st.lists(
        st.lists(st.sampled_from(["bank", "falls", "银行", "the"]), max_size=5), min_size=MIN_BACKGROUND, max_size=MIN_BACKGROUND + 30
    ),
    window=st.lists(st.lists(st.sampled_from(["bank", "falls", "银行", "run"]), max_size=5), max_size=20),
)
@settings(max_examples=60)
def test_however_few_words_there_are_they_can_be_compared(past: list[list[str]], window: list[list[str]]) -> None:
    background = _background([" ".join(words) for words in past])
    found = moved([(" ".join(words), "en") for words in window], background)
    assert all(0 < term.documents <= len(window) and term.lift > 0 for term in found)


def test_one_word_that_everybody_writes_has_not_moved() -> None:
    assert moved([("bank", "en")] * 20, _background(["bank"] * (MIN_BACKGROUND + 1))) == ()
    assert moved([("bank bank bank", "en")] * 2000, _background(["bank"] * (MIN_BACKGROUND + 1))) == ()


@pytest.mark.parametrize("known", [0, MIN_BACKGROUND - 1])
def test_with_hardly_any_past_nothing_is_said_to_have_moved(known: int) -> None:
    assert moved(CRISIS, _background(_titles(known))) == ()


def test_one_headline_moves_no_word_and_many_words_are_bounded() -> None:
    background = _background(_titles(400))
    assert moved(CRISIS[:1], background) == ()
    assert moved([], background) == ()
    loud = [(" ".join(f"word{chr(97 + n)}" for n in range(20)), "en")] * 5
    assert len(moved(loud, background)) == MAX_TERMS


def test_the_past_decays_and_is_forgotten() -> None:
    background = _background(["queue at dawn"] * 8)
    assert background.past(["queue"]).words == {"queue": 8.0}
    background.add("calm", DAY + 4 * 1440)
    assert background.past(["queue"]).words["queue"] == pytest.approx(4.0)
    background.add("calm", DAY + KEPT_DAYS * 1440)
    assert background.past(["queue"]).words == {"queue": 0.0}


def test_a_late_headline_counts_for_the_newest_day() -> None:
    background = _background(["queue"])
    background.add("queue", DAY - 3 * 1440)
    assert background.past(["queue"]).words == {"queue": 2.0}


def test_of_a_busy_day_a_part_stands_for_the_whole() -> None:
    rng = random.Random(4)
    background = Background()
    for number in range(30_000):
        background.add(f"headline {number:x}q{'run' if rng.random() < 0.2 else ''} {'rare' if number % 5 == 0 else 'often'}", DAY)
    past = background.past(["rare", "often"])
    assert past.documents == pytest.approx(30_000, rel=0.1)
    assert past.words["rare"] == pytest.approx(6_000, rel=0.15)


def test_memory_stays_bounded_however_many_words_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.alerts.evidence.background._LIVE_WORDS", 500)
    monkeypatch.setattr("streams.alerts.evidence.background._KEPT_WORDS", 50)
    saved: dict[str, bytes] = {}
    background = Background()
    for day in range(20):
        for number in range(300):
            background.add(" ".join(f"w{chr(97 + n % 26)}{day}x{number}x{n}" for n in range(8)), DAY + day * 1440)
        for name, value in background.changes().items():
            saved.pop(name, None) if value is None else saved.update({name: value})
    held = [len(day.words) for day in background._days.values()]
    assert len(held) == KEPT_DAYS
    assert max(held) <= 500
    assert sorted(held)[-2] <= 50
    assert len(saved) == KEPT_DAYS - 1 + 3


def test_a_killed_memory_goes_on_as_if_nothing_had_happened() -> None:
    rng = random.Random(5)
    titles = [(title, DAY + place * 4, rng.choice(["en", "de"])) for place, title in enumerate(_titles(2500))]
    whole, killed = Background(), Background()
    saved: dict[str, bytes] = {"rule|entity:x": b"somebody else's"}
    for place, (title, minute, language) in enumerate(titles):
        whole.add(title, minute, language)
        killed.add(title, minute, language)
        if place % 37 == 0:
            for name, value in killed.changes().items():
                assert name.startswith(PREFIX)
                saved.pop(name, None) if value is None else saved.update({name: value})
            if rng.random() < 0.2:
                killed = Background()
                killed.restore(saved)
    assert whole.past(ORDINARY) == killed.past(ORDINARY)
    assert whole.past(ORDINARY, "de") == killed.past(ORDINARY, "de")


@pytest.mark.parametrize(
    "entry", [{"words|20000": b"{"}, {"words|20000|x": b"{}"}, {"words|today": b"{}"}, {"words|1": b'{"seen":"many"}'}]
)
def test_an_entry_that_cannot_be_read_is_named(entry: dict[str, bytes]) -> None:
    with pytest.raises(BellwetherError, match=r"words\|") as caught:
        Background().restore(entry)
    assert caught.value.mend
