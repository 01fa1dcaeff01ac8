"""`bellwether explain`, with the shipped model where a model answers, with made explanations where only the picture counts."""

from __future__ import annotations

import io
import json
import re

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from models.explanation.occlusion import Explanation, WordEffect
from streams.commands import explain
from streams.commands.explain import painted, plain_lines
from streams.errors import BellwetherError

RUNNER = CliRunner()
APP = typer.Typer()
explain.register(APP)

NEWS = "Shares of the bank plunged after heavy losses"


def made(**changes: object) -> Explanation:
    text = "أرباح كبيرة lost 5% more"
    words = (
        WordEffect("أرباح", 0, 5, 0.6),
        WordEffect("كبيرة", 6, 11, 0.1),
        WordEffect("lost", 12, 16, -0.3),
        WordEffect("5%", 17, 19, 0.001),
    )
    fields: dict[str, object] = {
        "model_id": "m/1", "text": text, "read": 19, "target": "sentiment", "label": "positive", "score": 0.5, "without": -0.1,
        "words": words, "turning": (0, 2), "turned": "neutral",
    }  # fmt: skip
    return Explanation(**{**fields, **changes})  # type: ignore[arg-type]


def drawn(found: Explanation, top: int = 10) -> tuple[str, str]:
    """With and without colours."""
    shades, flat = io.StringIO(), io.StringIO()
    Console(file=shades, force_terminal=True, color_system="standard", highlight=False, width=40).print(painted(found, top), soft_wrap=True)
    Console(file=flat, color_system=None, highlight=False, width=40).print(painted(found, top), soft_wrap=True)
    return shades.getvalue(), flat.getvalue()


def test_words_wear_the_colour_of_their_effect_and_the_text_stays_whole() -> None:
    shades, flat = drawn(made())
    marked = {word: codes.split(";") for codes, word in re.findall(r"\x1b\[([\d;]+)m([^\x1b]+)\x1b\[0m", shades)}
    assert "42" in marked["أرباح"]
    assert "32" in marked["كبيرة"]
    assert "101" in marked["lost"]
    assert "5%" not in marked
    assert "\u2068أرباح كبيرة lost 5% more\u2069" in flat
    assert "\x1b" not in flat


def test_the_turning_words_are_underlined() -> None:
    shades, flat = drawn(made())
    underlined = [word for codes, word in re.findall(r"\x1b\[([\d;]+)m([^\x1b]+)\x1b\[0m", shades) if "4" in codes.split(";")]
    assert underlined[:2] == ["أرباح", "lost"]
    assert "Without \u2068أرباح\u2069, \u2068lost\u2069 the answer is neutral." in flat
    assert "the answer is" not in drawn(made(turning=(), turned=""))[1]


def test_every_listed_word_is_isolated_so_that_its_figure_stays_beside_it() -> None:
    _, flat = drawn(made())
    rows = [line for line in flat.splitlines() if "█" in line]
    assert [row.split()[0] for row in rows] == ["+0.600", "-0.300", "+0.100"]
    assert all(re.fullmatch(r".* \u2068\S+\u2069", row) for row in rows)
    assert rows[0].count("█") > rows[1].count("█") > rows[2].count("█")
    assert flat.count("\u2068") == flat.count("\u2069")


def test_the_list_is_as_long_as_asked() -> None:
    assert drawn(made(), top=1)[1].count("\n+0") + drawn(made(), top=1)[1].count("\n-0") == 1


def test_what_the_model_did_not_read_is_struck_through_and_told() -> None:
    shades, flat = drawn(made())
    assert re.search(r"\x1b\[2;9m more", shades)
    assert "beyond what the model reads" in flat
    assert "beyond" not in drawn(made(read=24))[1]


def test_shared_effects_and_words_without_effect_are_told() -> None:
    shared = (WordEffect("أرباح", 0, 5, 0.2, 4),)
    assert "shared by 4 words" in drawn(made(words=shared, turning=(), turned=""))[1]
    assert "No word alone" in drawn(made(words=(WordEffect("5%", 17, 19, 0.001),), turning=(), turned=""))[1]


def test_a_topic_that_is_not_the_answer_says_what_is() -> None:
    lines = plain_lines(made(target="sport", label="health"), 1)
    assert lines == ["sport, probability 0.500 (the answer is health)", "+0.600\tأرباح"]


def test_plain_lines_hold_no_marks_nor_colours() -> None:
    done = RUNNER.invoke(APP, [NEWS, "--plain", "--top", "3"])
    assert done.exit_code == 0, done.output
    first, *rows = done.output.splitlines()
    assert first.startswith("negative, score -0.")
    assert len(rows) == 3
    assert all(re.fullmatch(r"[+-]\d\.\d{3}\t\w+", row) for row in rows)
    assert "plunged" in done.output


def test_json_is_one_object_with_every_word_and_reads_standard_input() -> None:
    done = RUNNER.invoke(APP, ["-", "--json", "--target", "topic", "--title", "Markets"], input=NEWS)
    assert done.exit_code == 0, done.output
    record = json.loads(done.output)
    assert record["text"] == f"Markets. {NEWS}"
    assert record["target"] == record["label"] == "economy, business and finance"
    assert [word["text"] for word in record["words"]] == ["Markets", *NEWS.split()]


def test_the_picture_is_the_default() -> None:
    done = RUNNER.invoke(APP, [NEWS])
    assert done.exit_code == 0, done.output
    assert "█" in done.output
    assert f"\u2068{NEWS}\u2069" in done.output


@pytest.mark.parametrize("text", ["", "  ", "123 !!", "<br>"])
def test_a_text_that_says_nothing_is_a_fault(text: str) -> None:
    done = RUNNER.invoke(APP, [text])
    assert isinstance(done.exception, BellwetherError)
    assert "says nothing" in str(done.exception)


def test_a_broken_character_is_cleaned_away_as_the_service_does() -> None:
    done = RUNNER.invoke(APP, ["-", "--json"], input="Shares\u200b plunged\x07 badly")
    assert json.loads(done.output)["text"] == "Shares plunged badly"
