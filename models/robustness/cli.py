"""``bellwether models robustness``: typos, capitals, emoji, addresses, code-switching, negation; names and genders that must not count."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.artifact import DEFAULT_ARTIFACT, load_artifact
from models.command_line import errors, reported
from models.data import Example, examples, find_data, read_rows
from models.errors import ModelError
from models.progress import shown_progress
from models.texts.sampling import choose

__all__ = ["real_examples", "register"]


WRITABLE = "name a file in a folder that you may write to"

#: Sets whose dev rows stand for real text: posts in eight languages, and financial news and posts.
REAL_SETS = ("umsab", "twitter_financial_news", "economy_watchers_ja", "cnbc_id", "finfe_zh")


def real_examples(data: Path, rows: int) -> list[Example]:
    """At most ``rows`` labelled dev texts a set and language of :data:`REAL_SETS`, the same on every run.

    Raises:
        ModelError: there is no train folder, or none of these sets is in it.
    """
    paths = [path for name in REAL_SETS for path in sorted((data / "train").glob(f"sentiment_*/{name}.jsonl*"))]
    if not paths:
        raise ModelError(f"none of {', '.join(REAL_SETS)} under {data / 'train'}", mend="give the folder that holds train/ with --data")
    labelled = [one for path in paths for one in examples((row for row in read_rows(path) if row.split == "dev"), "sentiment")]
    return choose((one for one in labelled if one.label is not None), lambda source, lang: rows)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""

    @app.command()
    def robustness(
        model: Annotated[Path, typer.Argument(help="Model folder.")] = DEFAULT_ARTIFACT,
        data: Annotated[Path | None, typer.Option("--data", help="Folder with train/: its dev texts are changed and measured too.")] = None,
        rows: Annotated[int, typer.Option(help="Dev texts a set and language, with --data.", min=1)] = 25,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of Markdown.")] = False,
        out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the report to this file instead.")] = None,
    ) -> None:
        """Measure how steady the tone is: harmless changes, negation, and the same sentence with other companies, countries and genders.

        Example: bellwether models robustness --data ../shared/data --out report.md
        """
        from models.inference import Encoder
        from models.robustness.measuring import measure_robustness
        from models.robustness.report import to_json, to_markdown
        from models.robustness.sentences import sentences

        with reported():
            _check(out)
            real = [] if data is None else real_examples(find_data(data), rows)
            with shown_progress(errors) as show, Encoder(load_artifact(model)) as encoder:
                report = measure_robustness(encoder, sentences(), show, real=real)
            text = to_json(report) if as_json else to_markdown(report)
            if out is None:
                typer.echo(text, nl=False)
            else:
                _write(out, text)


def _check(out: Path | None) -> None:
    """Fail before the minutes of measuring, not after them."""
    if out is not None and not out.parent.is_dir():
        raise ModelError(f"{out} cannot be written: no such folder", mend=WRITABLE)


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror}", mend=WRITABLE) from error
    errors.print(str(out), soft_wrap=True, highlight=False)
