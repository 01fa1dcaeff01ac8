"""``bellwether explain``: which words moved the score of a text."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from streams.commands.options import Config, Set, read_settings
from streams.errors import BellwetherError

if TYPE_CHECKING:
    from models.explanation.occlusion import Explanation, WordEffect

__all__ = ["painted", "plain_lines", "register"]

#: A word that moves the score by less is not marked.
LEAST = 0.01

_BAR = 24
# First strong isolate and its end: a word written from right to left must not carry the figures beside it along.
_ISOLATE, _END = "\u2068", "\u2069"
_UP = ("green", "black on green", "bold white on dark_green")
_DOWN = ("red", "black on bright_red", "bold white on dark_red")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def explain(
        text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; - reads it from standard input.")],
        title: Annotated[str, typer.Option("--title", help="Title of the text.")] = "",
        target: Annotated[
            str, typer.Option("--target", help="sentiment, topic (the most probable one), or the name of a topic.")
        ] = "sentiment",
        top: Annotated[int, typer.Option("--top", min=1, help="Words to list.")] = 10,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object, every word with its place and effect.")] = False,
        plain: Annotated[bool, typer.Option("--plain", help="No colours: effect, tab, word, the strongest first.")] = False,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Show which words moved the score: each is taken out in turn, and what the score loses is its effect.

        Example: bellwether explain "Shares plunged after the bank cut its outlook"
        """
        from streams.enrich.cleaning import clean, has_words

        given = sys.stdin.read() if text == "-" else text
        if not has_words(clean(f"{title}\n{given}")):
            raise BellwetherError("TEXT: says nothing in words", mend="give a text with letters in it")
        settings = read_settings(config, set_)

        async def work() -> Explanation:
            from streams.scoring.explaining import Explainer

            explainer = Explainer(settings.scoring.model, threads=settings.scoring.threads)
            await explainer.open()
            try:
                return await explainer.explain(given, title=title, target=target)
            finally:
                await explainer.close()

        found = asyncio.run(work())
        if as_json:
            typer.echo(json.dumps(found.to_json(), ensure_ascii=False))
        elif plain:
            for line in plain_lines(found, top):
                typer.echo(line)
        else:
            Console(highlight=False).print(painted(found, top), soft_wrap=True)


def _answer(found: Explanation) -> str:
    if found.target == "sentiment":
        return f"{found.label}, score {found.score:+.3f}"
    return f"{found.target}, probability {found.score:.3f}" + ("" if found.label == found.target else f" (the answer is {found.label})")


def _shown(words: Sequence[WordEffect], top: int) -> list[WordEffect]:
    return [word for word in words if abs(word.effect) >= LEAST][:top]


def _style(effect: float, largest: float) -> str:
    if abs(effect) < LEAST:
        return ""
    share = abs(effect) / largest
    return (_UP if effect > 0 else _DOWN)[(share >= 1 / 3) + (share >= 2 / 3)]


def painted(found: Explanation, top: int) -> Text:
    """The explanation for a terminal: the text with its words coloured, then the strongest as bars."""
    largest = max((abs(word.effect) for word in found.words), default=0.0)
    answer = Text(f"{_answer(found)}  ", style="bold")
    answer.append(f"(without its words {found.without:+.3f}; {found.model_id})\n\n", style="not bold dim")
    body = Text(_ISOLATE)
    at = 0
    for index, word in enumerate(found.words):
        body.append(found.text[at : word.start])
        style = _style(word.effect, largest)
        body.append(word.text, style=f"{style} underline".strip() if index in found.turning else style)
        at = word.end
    body.append(found.text[at : found.read])
    body.append(found.text[found.read :], style="dim strike")
    body.append(f"{_END}\n\n")
    listed = _shown(found.strongest(), top)
    table = Text()
    for word in listed:
        bar = "█" * max(1, round(_BAR * abs(word.effect) / largest))
        table.append(f"{word.effect:+.3f} ", style="bold")
        table.append(f"{bar:<{_BAR}}", style=(_UP if word.effect > 0 else _DOWN)[0])
        table.append(f" {_ISOLATE}{word.text}{_END}")
        table.append(f"  shared by {word.together} words\n" if word.together > 1 else "\n", style="dim")
    if not listed:
        table.append(f"No word alone moves the score by {LEAST}.\n", style="dim")
    if found.turning:
        words = ", ".join(f"{_ISOLATE}{found.words[index].text}{_END}" for index in found.turning)
        table.append("\nWithout ")
        table.append(words, style="underline")
        table.append(f" the answer is {found.turned}.\n")
    if found.read < len(found.text):
        table.append("What is struck through is beyond what the model reads.\n", style="dim")
    table.right_crop(1)
    return Text.assemble(answer, body, table)


def plain_lines(found: Explanation, top: int) -> list[str]:
    """The answer, then one line a word: effect, tab, word."""
    return [_answer(found), *(f"{word.effect:+.3f}\t{word.text}" for word in found.strongest(top))]
