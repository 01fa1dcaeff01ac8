"""``bellwether score``: a file of raw documents into a file of scored ones, without a broker."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streams.commands.options import Config, Set, read_settings
from streams.documents import DeadLetter, ScoredDocument
from streams.errors import BellwetherError, SettingsError
from streams.logs import configure_logs
from streams.stages.contract import Delivery

if TYPE_CHECKING:
    from streams.sources.lines import Line, LineFile
    from streams.sources.mapping import FieldMapping
    from streams.stages.score import ScoreStage

__all__ = ["register"]

_BATCH = 128


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""

    @app.command()
    def score(
        file: Annotated[Path, typer.Argument(metavar="FILE", help="Raw documents: JSON lines, plain or gzip.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="Where the scored documents go: .jsonl or .jsonl.gz.")],
        mapping: Annotated[
            str | None, typer.Option("--map", metavar="PAIRS", help="Field mapping, for example text=body,published_at=date,tags=target.")
        ] = None,
        zone: Annotated[str | None, typer.Option("--zone", help="Zone of times that carry none, for example UTC.")] = None,
        config: Config = None,
        set_: Set = None,
    ) -> None:
        """Clean, identify, recognise and score every document of a file, as the service would: history for `bellwether backtest`.

        Duplicates stay in. Lines that cannot be scored are counted by their reason; exit 1 if none could be.

        Example: bellwether score archive.jsonl.gz --zone UTC --out scored.jsonl.gz
        """
        from streams.enrich.enricher import Enricher
        from streams.metrics import Metrics
        from streams.scoring.onnx import OnnxScorer
        from streams.scoring.reliability import Reliability
        from streams.scoring.selection import build_cascade
        from streams.sources.lines import LineFile
        from streams.sources.mapping import FieldMapping
        from streams.stages.score import ScoreStage

        settings = read_settings(config, set_)
        configure_logs(settings if "log_level" in settings.model_fields_set else settings.model_copy(update={"log_level": "error"}))
        if out.exists() and out.samefile(file):
            raise SettingsError(f"--out {out}: is the file that is read", mend="name another file")
        fields = FieldMapping.parse(mapping, zone=zone)
        scorer = OnnxScorer(settings.scoring.model, threads=settings.scoring.threads)
        cascade = build_cascade(settings.scoring)
        stage = ScoreStage(Enricher(settings.enrich), scorer, Metrics(), Reliability.of_settings(settings.scoring), cascade)
        console = Console(stderr=True, highlight=False)

        async def work() -> tuple[int, Counter[str], Counter[str]]:
            await scorer.open()
            try:
                if cascade is not None:
                    await cascade.open(scorer.model_id)
                with LineFile(file) as lines, _writing(out) as target, _bar(console) as bar:
                    return await _score(stage, lines, fields, target, bar)
            finally:
                stage.close()
                if cascade is not None:
                    await cascade.close()
                await scorer.close()

        written, withheld, left_out = asyncio.run(work())
        console.print(f"{written:,} documents scored: {out}", markup=False)
        for reason, count in withheld.most_common():
            console.print(f"  {count:,} of them without a sentiment: {reason}", markup=False)
        for reason, count in left_out.most_common():
            console.print(f"  {count:,} left out: {reason}", markup=False)
        if not written:
            raise typer.Exit(1)


def _writing(path: Path) -> IO[str]:
    try:
        return gzip.open(path, "wt", encoding="utf-8", compresslevel=5) if path.suffix == ".gz" else path.open("w", encoding="utf-8")
    except OSError as error:
        raise BellwetherError(
            f"{path}: cannot be written: {error.strerror}", mend="name a file in a folder that you may write to"
        ) from error


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.fields[documents]:,} documents"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(islice(lines, _BATCH)):
        yield batch


async def _score(
    stage: ScoreStage, lines: LineFile, fields: FieldMapping, target: IO[str], bar: Progress
) -> tuple[int, Counter[str], Counter[str]]:
    task = bar.add_task("score", total=lines.size, documents=0)
    written = 0
    withheld: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for batch in _batches(lines.lines()):
        deliveries = [Delivery(fields.apply(line.data), f"file-0-{line.number}") for line in batch if line.data.strip()]
        for result in await stage.process(deliveries):
            if isinstance(result, ScoredDocument):
                target.write(result.model_dump_json(exclude_none=True) + "\n")
                written += 1
                if result.unscored is not None:
                    withheld[result.unscored.reason] += 1
            elif isinstance(result, DeadLetter):
                left_out[result.reason] += 1
        bar.update(task, completed=lines.position, documents=written)
    return written, withheld, left_out
