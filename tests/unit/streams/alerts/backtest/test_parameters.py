"""Parameters by their dotted names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from streams.alerts.backtest.parameters import grid, parse_axis, with_parameters
from streams.alerts.rules.reading import RuleSet, parse_rules
from streams.errors import SettingsError

RULES = """
rules:
  - name: shares
    window: 3h
    detector: {type: share, max_p_value: 1.0e-4}
  - name: volumes
    window: 1h
    signal: documents
    detector: {type: seasonal, max_p_value: 1.0e-5}
  - name: limit
    signal: negative
    detector: {type: threshold, above: 20}
"""


@pytest.fixture
def rules() -> RuleSet:
    return parse_rules(RULES, "rules.yaml")


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("detector.max_p_value=1e-3,1e-4", "detector.max_p_value", (1e-3, 1e-4)),
        ("window=1h,3h", "window", ("1h", "3h")),
        ("shares:evidence.documents=8, 12", "shares:evidence.documents", (8, 12)),
        ("signal=negative", "signal", ("negative",)),
        ("explains_away=true,false", "explains_away", (True, False)),
    ],
)
def test_axes_are_written_as_in_the_rule_file(text: str, name: str, values: tuple[Any, ...]) -> None:
    axis = parse_axis(text)
    assert (axis.name, axis.values) == (name, values)


@pytest.mark.parametrize("text", ["window", "window=", "=1h", ":window=1h", "a..b=1", "window=[1"])
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"no parameter with values|cannot read the value"):
        parse_axis(text)


def test_a_grid_holds_every_combination() -> None:
    found = list(grid([parse_axis("window=1h,3h"), parse_axis("hop=5m,10m,15m")]))
    assert len(found) == 6
    assert {"window": "3h", "hop": "10m"} in found
    assert list(grid([])) == [{}]


def test_a_parameter_goes_to_every_rule_that_has_it(rules: RuleSet) -> None:
    changed = with_parameters(rules, {"detector.max_p_value": 1e-7, "limit:detector.above": 50, "for": "30m"})
    shares, volumes, limit = changed.rules
    assert shares.detector.max_p_value == volumes.detector.max_p_value == 1e-7  # type: ignore[union-attr]
    assert limit.detector.above == 50  # type: ignore[union-attr]
    assert {rule.hold for rule in changed.rules} == {timedelta(minutes=30)}
    assert rules.rules[0].detector.max_p_value == 1e-4  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"detector.max_p": 1e-7}, "no rule has"),
        ({"nobody:window": "1h"}, "no rule has"),
        ({"limit:detector.max_p_value": 1e-7}, "no rule has"),
        ({"detector.max_p_value": 3}, "rule shares"),
        ({"window": "soon"}, "window=soon"),
    ],
)
def test_what_no_rule_has_or_takes_is_refused(rules: RuleSet, chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        with_parameters(rules, chosen)
