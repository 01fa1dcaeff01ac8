from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.enrich.near_duplicates import NearDuplicates
from streams.enrich.wording import Wording, shingles

LEAD = (
    "The lender said its branch programme was ahead of plan and that customer satisfaction had reached a record high. "
    "Local mayors welcomed the new jobs and promised quick permits."
)


def copies(first: tuple[str, str], second: tuple[str, str]) -> bool:
    memory = NearDuplicates()
    assert memory.check("a", *first) is None
    return memory.check("b", *second) == "a"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("Caldrava Bank opens 40 new branches", LEAD), ("UPDATE 1-Caldrava Bank opens 40 new branches", LEAD)),
        (("Caldrava Bank opens 40 new branches", LEAD), ("Caldrava Bank opens 42 new branches", LEAD)),
        (("Caldrava Bank opens 40 new branches", LEAD), ("Caldrava Bank opens 40 new branches", "LONDON, March 3 (Reuters) - " + LEAD)),
        (("Caldrava opens branches", LEAD), ("Caldrava opens branches", LEAD + " (Reporting by Ann Other; Editing by Sol Hart)")),
        (("Caldrava opens branches", LEAD), ("Caldrava opens branches", LEAD + " Shares rose 6% in early trading.")),
        (("Boeing 777X jetliner completes maiden flight", ""), ("Boeing's 777X jetliner completes maiden flight - sources", "")),
        (
            ("속보 없이 은행이 예금 인출을 중단했다", "고객들이 분노했다."),
            ("[속보] 속보 없이 은행이 예금 인출을 중단했다", "고객들이 분노했다."),
        ),
        (("卡德拉瓦银行突然冻结提款 储户愤怒围堵网点", ""), ("【突发】卡德拉瓦银行突然冻结提款，储户愤怒围堵网点", "")),
        (("カルドラヴァ銀行が預金引き出しを停止", ""), ("【速報】カルドラヴァ銀行が預金引き出しを停止", "")),
        (("Калдрава Банк заморозил вклады, паника", ""), ("СРОЧНО: Калдрава Банк заморозил вклады, паника", "")),
        (("بنك كالدرافا يجمد السحوبات وسط غضب", ""), ("عاجل: بنك كالدرافا يجمد السحوبات وسط غضب", "")),
        (("Fed raises", ""), ("FED RAISES", "")),  # short, but the same
    ],
)
def test_near_copies(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert copies(first, second)
    assert copies(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("Acme first quarter profit up 5%", ""), ("Acme first quarter profit down 5%", "")),
        (("Acme first quarter profit up 5%", ""), ("Acme first quarter profit up 9%", "")),
        (("Acme shares rise +5% after results", ""), ("Acme shares rise -5% after results", "")),
        (("Shareholder of Acme completes sale of stock", ""), ("Shareholder of Bolt completes sale of stock", "")),
        (("兆日科技：控股股东完成940万股减持计划", ""), ("得润电子：控股股东完成940万股减持计划", "")),
        (("Regulator seizes control of Caldrava Bank", LEAD), ("Regulator cedes control of Caldrava Bank", LEAD)),
        (("Dividend declaration", "Acme PLC " + LEAD), ("Dividend declaration", "Bolt PLC " + LEAD)),
        (("The bank does pay its savers this month", ""), ("The bank does not pay its savers this month", "")),
        (("BMW: profit rises in the quarter", ""), ("VW: profit rises in the quarter", "")),
        (
            ("", "Track the stocks you like, for instance $CSCO, with this app and more of it than ever before on your own phone"),
            ("", "Track the stocks you like, for instance $ORCL, with this app and more of it than ever before on your own phone"),
        ),
        (("Fed raises", ""), ("Fed raised", "")),
        (("Great 😀", ""), ("Great 😡", "")),
        (("银行倒闭", ""), ("银行倒闭了", "")),
    ],
)
def test_other_statements(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert not copies(first, second)
    assert not copies(second, first)


def test_stories_about_different_entities_are_different() -> None:
    memory = NearDuplicates()
    assert memory.check("a", "", LEAD, names=frozenset({"acme"})) is None
    assert memory.check("b", "", LEAD + " More.", names=frozenset({"bolt"})) is None
    assert memory.check("c", "", LEAD + " More soon.", names=frozenset({"acme", "bolt"})) in {"a", "b"}


def test_a_document_that_comes_again_gets_its_first_answer() -> None:
    memory = NearDuplicates()
    assert memory.check("a", "Caldrava opens branches", LEAD) is None
    assert memory.check("a", "Caldrava opens branches", LEAD) is None
    assert memory.check("b", "WRAP: Caldrava opens branches", LEAD) == "a"
    assert memory.check("b", "WRAP: Caldrava opens branches", LEAD) == "a"
    assert memory.check("a", "Caldrava opens branches", LEAD) is None
    assert len(memory) == 2


def test_a_memory_that_was_warmed_up_answers_as_before() -> None:
    stories = [("a", "Caldrava opens branches", LEAD), ("b", "UPDATE 1-Caldrava opens branches", LEAD), ("c", "Other news of the day", "")]
    first = NearDuplicates()
    answers = [first.check(*story) for story in stories]
    second = NearDuplicates()
    for story in stories:
        second.check(*story)
    assert [second.check(*story) for story in stories] == answers == [None, "a", None]


def test_copies_point_to_the_original_and_do_not_drift() -> None:
    memory = NearDuplicates()
    words = LEAD.split()
    story = words[:]
    assert memory.check("0", "", LEAD) is None
    answers = []
    for step in range(len(words)):
        story[step] = f"changed{'abcdefghij'[step % 10]}{step}x"
        answers.append(memory.check(str(step + 1), "", " ".join(story)))
    assert answers[-1] != "0"
    originals = {"0"} | {str(step + 1) for step, answer in enumerate(answers) if answer is None}
    assert {answer for answer in answers if answer is not None} <= originals


def test_the_oldest_are_forgotten() -> None:
    memory = NearDuplicates(window=3)
    assert memory.check("a", "Caldrava opens forty branches in the north", "") is None
    for name in "bcd":
        assert memory.check(name, f"A wholly different story number {name * 9} about {name * 5}", "") is None
    assert len(memory) == 3
    assert memory.check("e", "UPDATE 1-Caldrava opens forty branches in the north", "") is None
    assert memory.check("f", "Caldrava opens forty branches in the north", "") == "e"


def test_memory_is_bounded() -> None:
    memory = NearDuplicates(window=200)
    tracemalloc.start()
    try:
        for number in range(400):
            memory.check(str(number), f"Story {number} of the day", f"{number * 7919} {LEAD[number % 90 :]}")
        middle, _ = tracemalloc.get_traced_memory()
        for number in range(400, 2000):
            memory.check(str(number), f"Story {number} of the day", f"{number * 7919} {LEAD[number % 90 :]}")
        last, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(memory) == 200
    assert last < 1.3 * middle + 100_000
    assert len(memory._ids) <= 200
    assert len(memory._exact) <= 200


@settings(max_examples=60)
@given(st.lists(st.tuples(st.text(max_size=80), st.text(max_size=200)), min_size=1, max_size=20))
def test_any_stream_is_deterministic_and_points_backwards(stories: list[tuple[str, str]]) -> None:
    memory, again = NearDuplicates(window=50), NearDuplicates(window=50)
    answers: dict[str, str | None] = {}
    for number, (title, text) in enumerate(stories):
        answer = memory.check(str(number), title, text)
        assert answer is None or answers[answer] is None
        answers[str(number)] = answer
        assert again.check(str(number), title, text) == answer
    for number, (title, text) in enumerate(stories):
        assert memory.check(str(number), title, text) == answers[str(number)]


@given(st.text(), st.text())
def test_a_wording_is_its_own_copy(title: str, text: str) -> None:
    assert Wording.of(title, text) == Wording.of(title, text)


def test_shingles_fit_the_script() -> None:
    assert shingles("abcdef") == {"abcd", "bcde", "cdef"}
    assert shingles("银行倒闭") == {"银行", "行倒", "倒闭"}
    assert shingles("") == {""}
