"""The curve of a cascade as a Markdown table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.cascade.deferral import TASKS
from models.cascade.fitting import NEVER
from models.cascade.measuring import CascadeReport, Point
from models.errors import ModelError

__all__ = ["FORMATS", "draw", "facts", "to_markdown"]

FORMATS = frozenset({".svg", ".png"})
_INK, _GREY, _LINE, _CHOSEN = "#1f2933", "#9aa5b1", "#2b6cb0", "#e67e22"


def _row(name: str, point: Point, slowest: float, gates: bool) -> str:
    tasks = " | ".join(f"{point.macro_f1[task]:.1f} | {point.lost[task]:+.2f}" if task in point.lost else "– | –" for task in TASKS)
    shares = " / ".join(f"{100 * one:.0f}" for one in point.share)
    pairs = [" ".join(f"{one:.4g}" for one in pair) if max(pair) < NEVER else "–" for pair in point.thresholds]
    told = f"{shares} | {', '.join(pairs)}" if gates else "– | –"
    return f"| {name} | {point.documents:,.0f} | {point.documents / slowest:.1f} | {tasks} | {told} |"


def to_markdown(report: CascadeReport) -> str:
    """One line each for the stages alone and for every cascade of the curve; the chosen one is bold."""
    head = "| | docs/s | times the encoder | sentiment F1 | lost | topic F1 | lost | answered by % | thresholds (sentiment topic) |"
    lines = [head, "|---|---:|---:|---:|---:|---:|---:|---|---|"]
    slowest = report.alone[-1].documents
    lines += [_row(f"{point.name} alone", point, slowest, gates=False) for point in report.alone]
    for point in report.curve:
        name = f"**{point.name}**" if point.thresholds == report.chosen.thresholds else point.name
        lines.append(_row(name, point, slowest, gates=True))
    return "\n".join(lines) + "\n"


def facts(report: CascadeReport) -> str:
    """What the table of :func:`to_markdown` was measured on, in sentences."""
    shares = " / ".join(f"{100 * one:.0f}" for one in report.stream_share)
    blends = ", ".join(
        f"{sentiment:.2f} and {topic:.2f} ({name})" for name, (sentiment, topic) in zip(report.names[1:], report.blends, strict=True)
    )
    on_fit = ", ".join(f"{task} {points:+.2f}" for task, points in report.lost_on_fit.items())
    told = [
        f"Model `{report.model_id}`, {report.threads} threads, {report.timed:,} timed texts, half of them of streams.",
        f"All was chosen on {report.fitted_on:,} labelled dev rows and {report.learned_on:,} stream texts.",
        f"Macro-F1 and *lost*, points against the encoder alone (a minus is a gain), are of {report.held_out:,} other dev rows,",
        f"*answered by* is of these and {report.stream:,} other stream texts: {' / '.join(report.names)}.",
        f"Of these stream texts alone the chosen cascade answers {shares} %.",
        f"The confidence of a stage is {'learned' if report.learned else 'its probability'};",
        f"the share of the first one in what a later one says of sentiment and topic is {blends}.",
        f"Chosen for {report.most:g} points lost at most, it is {report.faster:.1f} times the encoder.",
        f"On the rows it was chosen on it lost: {on_fit}.",
    ]
    return "\n".join(told) + "\n"


def draw(path: Path, report: CascadeReport) -> None:
    """Documents a second against macro-F1, one panel a task: the stages alone as dots, the cascades as a line. SVG or PNG.

    Raises:
        ModelError: the ending is neither, or the file cannot be written.
    """
    if path.suffix not in FORMATS:
        raise ModelError(f"{path} is neither .svg nor .png", mend="--picture cascade.svg")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    matplotlib.rcParams.update({"svg.hashsalt": "bellwether", "font.size": 9, "axes.edgecolor": _GREY, "text.color": _INK})
    tasks = [task for task in TASKS if task in report.chosen.macro_f1]
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(5 * len(tasks), 3.6), squeeze=False, layout="constrained")
    for axis, task in zip(axes[0], tasks, strict=True):
        axis.axhline(report.alone[-1].macro_f1[task] - report.most, color=_GREY, linewidth=0.8, linestyle=":")
        axis.plot(*_places(report.curve, task), color=_LINE, marker=".", linewidth=1.2, label="cascade")
        axis.plot(*_places(report.alone, task), color=_INK, marker="o", linestyle="", label="one model alone")
        axis.plot(*_places([report.chosen], task), color=_CHOSEN, marker="*", markersize=13, linestyle="", label="chosen")
        for point in report.alone:
            axis.annotate(point.name, (point.documents, point.macro_f1[task]), xytext=(4, -10), textcoords="offset points", color=_INK)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        axis.set_xlabel("documents a second")
        axis.set_title(f"{task}: macro-F1 %", loc="left", fontsize=9, fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False, loc="lower left")
    try:
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}", mend="name a file in a folder that you may write to") from error
    finally:
        pyplot.close(figure)


def _places(points: Sequence[Point], task: str) -> tuple[list[float], list[float]]:
    return [point.documents for point in points], [point.macro_f1[task] for point in points]
