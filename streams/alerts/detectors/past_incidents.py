"""Which hours of a key's past belong to an incident that is over: they say nothing of what is ordinary.

An incident is what is far from the same six hours of the other days: five robust deviations (by the median absolute deviation)
and twice as much, or three and next to nothing. Six hours together show what single hours of a small key do not.

* It is over: what goes on may be the new ordinary. It was short: what lasted for more than four days was a change.
* It was rare. Of a key that has one every other day, incidents are what is to be expected: only the greatest are left out, one
  for every ten days, so that the rest makes the key's dispersion what it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.alerts.tally import Floats

__all__ = ["INCIDENT_EVERY", "INCIDENT_HOURS", "SPAN", "median", "without_incidents"]

SPAN = 6
"""Hours that are looked at together."""

INCIDENT_EVERY = 10
"""Days for each of which one past incident is left out: what comes oftener is how the key is."""

INCIDENT_HOURS = 96
"""What is out of line for longer is no incident but a change."""

_DAY = 24
_MAD = 1.4826
_MUCH_OUT = 5.0
_MUCH = 2.0
_LEAST = 5.0
_LITTLE_OUT = 3.0
_LITTLE = 0.2


def median(values: Floats) -> Floats:
    """Median along the first axis. `numpy.median` takes several times as long for arrays as small as these."""
    ordered = np.sort(values, axis=0)
    found: Floats = 0.5 * (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2])
    return found


def without_incidents(past: Floats) -> NDArray[np.bool_]:
    """False for the hours of incidents that are over, at most one for every `INCIDENT_EVERY` days; shape (hours,).

    Args:
        past: documents an hour, oldest first, shape (days, 24).
    """
    days, hours = past.shape[0], past.size
    usual = np.ones(hours, dtype=np.bool_)
    if days < INCIDENT_EVERY:
        return usual
    cumulated = np.concatenate((np.zeros(SPAN), past.ravel().cumsum()))
    came = (cumulated[SPAN:] - cumulated[:-SPAN]).reshape(days, _DAY)
    centre = median(came)
    away = (came - centre) / np.sqrt(centre + 1.0)
    scale = max(1.0, _MAD * float(median(np.abs(away).ravel())))
    much = (away > _MUCH_OUT * scale) & (came > _MUCH * centre + _LEAST)
    little = (away < -_LITTLE_OUT * scale) & (came < _LITTLE * centre)
    out = (much | little).ravel()
    if not out.any():
        return usual
    # A span is named by its last hour: what is out of line are its six hours.
    spread = np.convolve(out[SPAN - 1 :], np.ones(SPAN)) > 0.0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], spread, [False]))))
    runs = [(int(first), int(last)) for first, last in edges.reshape(-1, 2) if last - first <= INCIDENT_HOURS and last < hours]
    sizes = {run: float(np.abs(away.ravel()[run[0] : run[1]]).sum()) for run in runs}
    for first, last in sorted(runs, key=lambda run: -sizes[run])[: days // INCIDENT_EVERY]:
        usual[first:last] = False
    return usual
