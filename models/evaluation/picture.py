"""Reliability and risk-coverage curves of an evaluation as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import ModelError
from models.evaluation.measuring import COVERAGES, Evaluation

__all__ = ["demand_picture", "draw"]

_COLOURS = ("#1b6ca8", "#c8553d", "#2e8b57", "#8a5fbf", "#b8860b", "#4a4a4a", "#d1495b", "#00798c", "#7a9e3a", "#a0522d")


def demand_picture(path: Path) -> None:
    """Refuse a name that ends in no picture's ending.

    Raises:
        ModelError: it does not end in ``.svg``, ``.png`` or ``.pdf``.
    """
    if path.suffix not in {".svg", ".png", ".pdf"}:
        raise ModelError(f"{path} is no picture", mend="end the name in .svg, .png or .pdf")


def draw(evaluation: Evaluation, path: Path) -> None:
    """Write ``path`` (``.svg``, ``.png`` or ``.pdf``): two panels a task, confidence against accuracy, and coverage against risk.

    Raises:
        ModelError: the file cannot be written, or its ending names no picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    demand_picture(path)
    matplotlib.rcParams.update({"svg.hashsalt": "bellwether", "font.size": 9})
    tasks = sorted({one.task for one in evaluation.details.values()})
    figure, grid = pyplot.subplots(len(tasks), 2, figsize=(10, 4.2 * len(tasks)), squeeze=False, layout="constrained")
    for row, task in enumerate(tasks):
        _reliability(grid[row][0], evaluation, task)
        _risk(grid[row][1], evaluation, task)
    figure.suptitle(evaluation.model_id)
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}", mend="name a file in a folder that you may write to") from error
    finally:
        pyplot.close(figure)


def _reliability(axes: Any, evaluation: Evaluation, task: str) -> None:
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, linestyle="--")
    shown = [(name, one) for name, one in evaluation.details.items() if one.task == task]
    for number, (name, one) in enumerate(shown):
        colour = _COLOURS[number % len(_COLOURS)]
        bins = [one_bin for one_bin in one.reliability if one_bin.rows >= 10]
        label = f"{name} (ECE {evaluation.whole[name].ece:.3f})"
        axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], marker="o", markersize=3, color=colour, label=label)
    axes.set(title=f"{task}: reliability", xlabel="confidence", ylabel="share of right answers", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize=7, frameon=False)


def _risk(axes: Any, evaluation: Evaluation, task: str) -> None:
    shown = [(name, one) for name, one in evaluation.details.items() if one.task == task]
    for number, (name, one) in enumerate(shown):
        label = f"{name} (AURC {evaluation.whole[name].aurc:.3f})"
        axes.plot(COVERAGES, one.risk, marker="o", markersize=3, color=_COLOURS[number % len(_COLOURS)], label=label)
    axes.set(title=f"{task}: risk and coverage", xlabel="share of texts that get an answer", ylabel="share of wrong answers", xlim=(0, 1))
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, frameon=False)
