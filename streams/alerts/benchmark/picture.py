"""A picture of incidents: what was said, what was put into it, and when each rule file spoke."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from streams.alerts.backtest.run import Run
from streams.alerts.benchmark.generator import Stream
from streams.alerts.benchmark.injection import Injected
from streams.alerts.sighting import Sighting
from streams.errors import BellwetherError

__all__ = ["draw"]

_BEFORE, _AFTER = 5 * 1440, 3 * 1440
_STEP = 180
_PANELS = 4
_COLOURS = ("#1b6ca8", "#e08e0b", "#6a3d9a", "#2a7f3f")
_INK, _GREY, _RED, _PALE, _SHADE = "#243b53", "#9fb3c8", "#c0392b", "#d9e2ec", "#fde8d7"


def draw(path: Path, stream: Stream, sightings: Sequence[Sighting], runs: Sequence[tuple[str, Run]]) -> None:
    """Draw the first incident of each kind, busiest keys first, with the alerts of every run above it.

    Raises:
        BellwetherError: the ending is neither ``.svg`` nor ``.png``.
    """
    if path.suffix not in {".svg", ".png"}:
        raise BellwetherError(f"{path}: is neither .svg nor .png", mend="--picture benchmark.svg")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = _chosen(stream)
    matplotlib.rcParams.update({"svg.hashsalt": "bellwether", "font.size": 9, "axes.edgecolor": _GREY, "text.color": _INK})
    figure, axes = pyplot.subplots(len(shown), 1, figsize=(10, 0.6 + 1.75 * len(shown)), squeeze=False, layout="constrained")
    by_key: dict[str, list[Sighting]] = defaultdict(list)
    wanted = {item.key for item in shown}
    for one in sightings:
        for entity in one.entities:
            if entity in wanted:
                by_key[entity].append(one)
    names = dict(stream.keys)
    for axis, item in zip(axes[:, 0], shown, strict=True):
        _panel(axis, item, names[item.key], by_key[item.key], runs)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _chosen(stream: Stream) -> list[Injected]:
    rank = {key: place for place, (key, _) in enumerate(stream.keys)}
    found: dict[str, Injected] = {}
    for item in sorted(stream.incidents, key=lambda item: (rank[item.key], item.start)):
        found.setdefault(item.kind, item)
    return sorted(found.values(), key=lambda item: item.kind)[:_PANELS]


def _panel(axis: Any, item: Injected, name: str, sightings: Sequence[Sighting], runs: Sequence[tuple[str, Run]]) -> None:
    import matplotlib.dates

    dates: Any = matplotlib.dates
    first, last = (item.start - _BEFORE) // _STEP * _STEP, item.end + _AFTER
    steps = -(-(last - first) // _STEP)
    documents, negative = np.zeros(steps), np.zeros(steps)
    for one in sightings:
        place = (one.minute - first) // _STEP
        if 0 <= place < steps:
            documents[place] += 1
            negative[place] += one.negative
    at = [_instant(first + place * _STEP) for place in range(steps)]
    axis.axvspan(_instant(item.start), _instant(item.end), color=_SHADE, zorder=0, label="incident", linewidth=0)
    axis.fill_between(at, documents, color=_PALE, step="post", linewidth=0, label="documents in 3 h")
    axis.fill_between(at, negative, color=_RED, alpha=0.7, step="post", linewidth=0, label="negative")
    top = float(documents.max()) or 1.0
    for place, (title, run) in enumerate(runs):
        spoken = [found.minute for found in run.detections if item.key in found.key.value.split("|") and first <= found.minute < last]
        level = top * (1.12 + 0.14 * place)
        axis.plot([_instant(minute) for minute in spoken], [level] * len(spoken), "v", color=_COLOURS[place % 4], markersize=6, label=title)
    axis.set_ylim(0, top * (1.1 + 0.16 * len(runs)))
    axis.set_xlim(_instant(first), _instant(last))
    axis.set_title(f"{name}: {item.kind}, {item.shape.replace('_', ' ')}, size {item.size:g}", loc="left", fontsize=9, color=_INK)
    axis.xaxis.set_major_formatter(dates.DateFormatter("%d %b", tz=UTC))
    axis.xaxis.set_major_locator(dates.DayLocator(tz=UTC))
    axis.tick_params(colors=_INK, labelsize=8, length=2)
    axis.spines[["top", "right"]].set_visible(False)


def _instant(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
