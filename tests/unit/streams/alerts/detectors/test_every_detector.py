"""What every detector keeps, whatever it is shown: an answer, and one that makes sense."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.alerts.detectors.registry import build
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Buckets, View

DETECTORS: dict[str, dict[str, Any]] = {
    "threshold": {"signal": "documents", "detector": {"type": "threshold", "above": 5}},
    "threshold-mean": {"signal": "mean_score", "detector": {"type": "threshold", "below": -0.4}},
    "rate": {"signal": "negative", "detector": {"type": "rate_of_change", "factor": 3}},
    "rate-mean": {"signal": "mean_score", "detector": {"type": "rate_of_change", "delta": -0.3}},
    "seasonal": {"signal": "documents", "detector": {"type": "seasonal"}},
    "seasonal-down": {"signal": "negative", "detector": {"type": "seasonal", "direction": "both", "seasonality": "hour_of_day"}},
    "share": {"detector": {"type": "share"}},
    "return_period": {"signal": "documents", "detector": {"type": "return_period"}},
    "return_period-negative": {"signal": "negative", "detector": {"type": "return_period", "once_in": "365d"}},
    "change_point": {"signal": "documents", "detector": {"type": "change_point"}},
    "change_point-share": {"signal": "negative_share", "detector": {"type": "change_point", "direction": "both"}},
    "absence": {"signal": "documents", "detector": {"type": "absence"}},
    "spike": {"signal": "documents", "detector": {"type": "spike"}},
    "breadth": {"detector": {"type": "breadth"}},
    "composite": {
        "detector": {
            "type": "composite",
            "parts": [
                {"detector": {"type": "share"}},
                {"signal": "documents", "detector": {"type": "seasonal"}},
                {"signal": "negative", "detector": {"type": "return_period"}},
                {"detector": {"type": "breadth"}},
            ],
            "at_least": 2,
        },
    },
}
WINDOWS = {"10m": (10, 1), "3h": (180, 5), "24h": (1440, 30), "7d": (10080, 60)}
EPOCH = 29_000_160


def buckets(start: int, step: int, documents: list[int], chance: np.random.Generator) -> Buckets:
    counts = np.array(documents, dtype=np.float64)
    scored = np.floor(counts * chance.random(len(counts)).round(1))
    negative = np.floor(scored * chance.random(len(counts)))
    return Buckets(start, step, counts, scored, negative, -negative + 0.3 * (scored - negative))


@st.composite
def views(draw: st.DrawFn, window: str, lookback: int) -> View:
    """A view of any past: none, short, long, empty, constant, wild; the window may be silent or a storm."""
    minutes, hop = WINDOWS[window]
    size = minutes // hop
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = st.sampled_from([0, 0, 1, 3, 40, 5000])
    length = draw(st.one_of(st.integers(0, 60), st.integers(0, 700)))
    shape = draw(st.sampled_from(["constant", "poisson", "wild"]))
    level = draw(levels)
    past = {
        "constant": [level] * length,
        "poisson": chance.poisson(level, length).tolist(),
        "wild": (chance.poisson(level, length) * (chance.random(length) < 0.05) * 100).tolist(),
    }[shape]
    count = size * lookback + draw(st.integers(0, 3))
    recent = chance.poisson(draw(levels) * hop / 60, count).tolist()
    end = EPOCH + draw(st.integers(0, 2000)) * hop
    hours_end = (end - minutes) // 60 * 60
    hours = buckets(hours_end - 60 * length, 60, past, chance)
    known = draw(st.one_of(st.just(hours.start), st.integers(hours.start - 5000, end)))
    shown = buckets(end - count * hop, hop, recent, chance)
    tally = shown.total(count - size)
    sources = min(draw(st.integers(0, 9)), int(tally.documents))
    negative = min(sources, int(tally.negative))
    return View(
        end,
        size,
        tally,
        shown,
        hours,
        known,
        hours.total() if draw(st.booleans()) else View.__dataclass_fields__["world"].default,
        sources,
        min(sources, 3),
        negative,
        min(negative, 2),
    )


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_view_has_an_answer_that_makes_sense(name: str, window: str, data: st.DataObject) -> None:
    minutes, hop = WINDOWS[window]
    fields = DETECTORS[name]
    rule = Rule.model_validate({"name": "any", "window": f"{minutes}m", "hop": f"{hop}m", **fields, "detector": wide(fields["detector"])})
    detector = build(rule)
    view = data.draw(views(window, detector.lookback))
    found = detector.assess(view)
    assert not (found.holds and found.near)
    assert 0.0 <= found.score <= 1.0
    assert found.p_value is None or 0.0 <= found.p_value <= 1.0
    assert math.isfinite(found.value)
    assert math.isfinite(found.expected)
    assert not math.isnan(found.low)
    assert not math.isnan(found.high)
    assert found.low <= found.high
    assert found.baseline_minutes >= 0
    assert found.baseline_documents >= 0
    assert found.explanation
    assert found == detector.assess(view)
    if found.holds or found.near:
        assert detector.possible(view.window)


def wide(detector: dict[str, Any]) -> dict[str, Any]:
    """Baselines that a week's window fits into."""
    if "parts" in detector:
        return {**detector, "parts": [{**part, "detector": wide(part["detector"])} for part in detector["parts"]]}
    return (
        {**detector, "baseline": "28d"}
        if detector["type"] in {"share", "seasonal", "return_period", "change_point", "absence"}
        else detector
    )
