from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.cascade.fitting import NEVER
from models.cascade.measuring import CascadeReport, Point, speeds
from models.cascade.report import draw, facts, to_markdown
from models.errors import ModelError
from models.inference import Scores


def point(name: str, documents: float, lost: float, first: float) -> Point:
    scores = {"sentiment": 70.0 - lost, "topic": 85.0 - lost}
    return Point(name, documents, scores, {"sentiment": lost, "topic": lost}, [0.6, 0.4], ((first, first),))


@pytest.fixture
def report() -> CascadeReport:
    curve = [point("cascade 1", 100, 0.0, NEVER), point("cascade 2", 400, 0.4, 0.81)]
    alone = [point("static", 9_000, 8.0, 0.0), point("encoder", 100, 0.0, NEVER)]
    return CascadeReport(
        "m/1+ab",
        ["static", "encoder"],
        alone,
        curve,
        curve[1],
        0.5,
        {"sentiment": 0.3, "topic": 0.1},
        [(0.4, 0.15)],
        True,
        [0.7, 0.3],
        50,
        30,
        50,
        10,
        40,
        2,
    )


def test_the_table_has_a_line_a_model_and_a_cascade_and_the_chosen_one_is_bold(report: CascadeReport) -> None:
    lines = to_markdown(report).splitlines()
    assert len(lines) == 2 + 2 + 2
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| static alone | 9,000 | 90.0 | 62.0 | +8.00 |")
    assert lines[5] == "| **cascade 2** | 400 | 4.0 | 69.6 | +0.40 | 84.6 | +0.40 | 60 / 40 | 0.81 0.81 |"
    assert lines[4].endswith("| – |"), "a stage that is never asked has no thresholds"
    assert report.faster == 4.0
    assert report.to_json()["faster"] == 4.0


def test_the_facts_name_what_it_was_chosen_and_measured_on(report: CascadeReport) -> None:
    told = facts(report)
    for part in (
        "`m/1+ab`",
        "50 labelled dev rows and 30 stream",
        "answers 70 / 30 %",
        "is learned",
        "0.40 and 0.15 (encoder)",
        "4.0 times",
        "+0.30",
    ):
        assert part in told


def test_the_picture_is_drawn_the_same_twice(report: CascadeReport, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(tmp_path / "one.svg", report)
    draw(tmp_path / "two.svg", report)
    assert (tmp_path / "one.svg").read_text() == (tmp_path / "two.svg").read_text()
    assert "documents a second" in (tmp_path / "one.svg").read_text()
    draw(tmp_path / "one.png", report)
    assert (tmp_path / "one.png").read_bytes()[1:4] == b"PNG"


def test_another_ending_and_a_missing_folder_are_errors(report: CascadeReport, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"neither \.svg nor \.png"):
        draw(tmp_path / "one.pdf", report)
    pytest.importorskip("matplotlib")
    with pytest.raises(ModelError, match="cannot be written"):
        draw(tmp_path / "no" / "one.svg", report)


def test_speed_is_the_best_of_the_rounds_and_every_scorer_has_its_turn_in_each() -> None:
    turns: list[str] = []

    def scorer(name: str, seconds: Sequence[float]) -> object:
        waits = iter(seconds)

        def score(texts: Sequence[str]) -> Scores:
            turns.append(name)
            time.sleep(next(waits))
            return Scores(*(np.zeros((len(texts), 1), np.float32) for _ in range(3)))

        return score

    found = speeds({"a": scorer("a", (0.2, 0.02)), "b": scorer("b", (0.04, 0.3))}, ["text"] * 10, 2, lambda *_: None)  # type: ignore[dict-item]
    assert turns == ["a", "b", "a", "b"]
    assert 10 / 0.2 < found["a"] <= 10 / 0.02
    assert 10 / 0.3 < found["b"] <= 10 / 0.04
