"""A picture of a run: the series of the keys that matter, incidents shaded, alerts marked. SVG or PNG by the file's ending."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from streams.alerts.backtest.incidents import Incident
from streams.alerts.backtest.run import Run
from streams.alerts.rules.matching import Matcher
from streams.alerts.rules.reading import RuleSet
from streams.alerts.sighting import Sighting
from streams.errors import BellwetherError

__all__ = ["MAX_PANELS", "draw"]

MAX_PANELS = 8
_STEPS = 400
_ROUND = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
_FORMATS = {".svg", ".png"}
_INK, _GREY, _RED, _ALERT, _SHADE = "#1f2933", "#9aa5b1", "#c0392b", "#e67e22", "#fde8d7"


def draw(path: Path, rules: RuleSet, sightings: Sequence[Sighting], run: Run, incidents: Sequence[Incident]) -> int:
    """Draw one panel a key, at most `MAX_PANELS`: first those with incidents, then those with the most alerts.

    Returns:
        How many panels were drawn.

    Raises:
        BellwetherError: the ending is neither ``.svg`` nor ``.png``, or the file cannot be written.
    """
    if path.suffix not in _FORMATS:
        raise BellwetherError(f"{path}: is neither .svg nor .png", mend="--picture backtest.svg")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import dates, pyplot

    keys = _keys(run, incidents)
    if not keys:
        keys = _busiest(rules, sightings)
    step = next((step for step in _ROUND if step * _STEPS > run.last - run.first), _ROUND[-1])
    series = _series(rules, sightings, set(keys), run.first, step)
    matplotlib.rcParams.update({"svg.hashsalt": "bellwether", "font.size": 9, "axes.edgecolor": _GREY, "text.color": _INK})
    figure, axes = pyplot.subplots(len(keys), 1, figsize=(10, 0.9 + 1.5 * len(keys)), sharex=True, squeeze=False, layout="constrained")
    for axis, key in zip(axes[:, 0], keys, strict=True):
        counts = series[key]
        at = [_instant(run.first + place * step) for place in range((run.last - run.first) // step + 1)]
        documents = [counts[place][0] for place in range(len(at))]
        negative = [counts[place][1] for place in range(len(at))]
        axis.fill_between(at, documents, color="#d9e2ec", step="post", linewidth=0, label="documents")
        axis.fill_between(at, negative, color=_RED, alpha=0.75, step="post", linewidth=0, label="negative")
        for incident in incidents:
            if incident.key in {key, key.partition(":")[2]}:
                axis.axvspan(_instant(incident.start), _instant(incident.end), color=_SHADE, zorder=0, label="incident")
        top = max(documents, default=1) or 1
        for detection in run.detections:
            if str(detection.key) == key:
                axis.axvline(_instant(detection.minute), color=_ALERT, linewidth=1.2, zorder=3)
                axis.plot(
                    [_instant(detection.minute)], [top], marker="v", color=_ALERT, markersize=6, clip_on=False, zorder=4, label="alert"
                )
        axis.set_title(_name(key, run), loc="left", fontsize=9, fontweight="bold")
        axis.set_ylim(0, top * 1.08)
        axis.set_ylabel(f"per {_length(step)}", color=_GREY)
        axis.spines[["top", "right"]].set_visible(False)
        axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(axis.xaxis.get_major_locator(), tz=UTC))  # type: ignore[no-untyped-call]
    handles = {label: handle for axis in axes[:, 0] for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=4, frameon=False)
    try:
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)
    except OSError as error:
        raise BellwetherError(f"{path}: cannot be written: {error}", mend="name a file in a folder that this user may write to") from error
    finally:
        pyplot.close(figure)
    return len(keys)


def _length(step: int) -> str:
    for unit, size in (("d", 1440), ("h", 60)):
        if step % size == 0:
            return f"{step // size} {unit}"
    return f"{step} min"


def _instant(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def _keys(run: Run, incidents: Sequence[Incident]) -> list[str]:
    alerts = Counter(str(detection.key) for detection in run.detections)
    labelled = {incident.key for incident in incidents}
    known = {key: key in labelled or key.partition(":")[2] in labelled for key in alerts}
    for incident in incidents:
        if not any(incident.key in {key, key.partition(":")[2]} for key in known):
            known[incident.key if ":" in incident.key else f"entity:{incident.key}"] = True
    return sorted(known, key=lambda key: (not known[key], -alerts[key], key))[:MAX_PANELS]


def _busiest(rules: RuleSet, sightings: Sequence[Sighting]) -> list[str]:
    matcher = Matcher(rules.rules)
    seen = Counter(str(key) for item in sightings for key in {key for _, key in matcher.match(item)})
    return [key for key, _ in seen.most_common(3)]


def _series(rules: RuleSet, sightings: Sequence[Sighting], keys: set[str], first: int, step: int) -> dict[str, dict[int, list[int]]]:
    matcher = Matcher(rules.rules)
    series: dict[str, dict[int, list[int]]] = {key: defaultdict(lambda: [0, 0]) for key in keys}
    for item in sightings:
        for name in {str(key) for _, key in matcher.match(item)} & keys:
            bucket = series[name][(item.minute - first) // step]
            bucket[0] += 1
            bucket[1] += item.negative
    return series


def _name(key: str, run: Run) -> str:
    names = [detection.key.name for detection in run.detections if str(detection.key) == key]
    return f"{names[0]} ({key})" if names and names[0] != key.partition(":")[2] else key
