"""Judged windows, made to order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from streams.alerts.detectors.contract import Assessment
from streams.alerts.judgement import Episode, Judgement, Turn, TurnKind, Witness
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Buckets, Tally, View
from streams.documents import Key

END = 29_567_040
"""2026-03-20 16:00 UTC in minutes: the end of the window."""

BANK = Key(kind="entity", value="caldrava-bank", name="Caldrava Bank")


def make_witness(number: int, **changed: object) -> Witness:
    """A negative document, `number` minutes after the window's start."""
    fields: dict[str, object] = {
        "id": f"d{number}",
        "original": f"d{number}",
        "minute": END - 180 + number % 180,
        "scored": True,
        "negative": True,
        "score": -0.9 + number / 1000,
        "source": f"site{number}",
        "author": 0,
        "language": "en",
        "topic": "economy",
        "weight": 1.0,
        "capped": False,
        "title": f"Run on Caldrava Bank {number}",
        "url": f"https://site{number}.example/{number}",
    }
    return Witness(**(fields | changed))  # type: ignore[arg-type]


def make_view(window: Tally, *, hours: int = 72, hourly: Tally | None = None, known_since: int = 0, lookback: int = 1) -> View:
    """A window of three hours in buckets of five minutes, with `hours` of past that all look like `hourly`."""
    ordinary = hourly or Tally(4.0, 4.0, 1.0, 0.4)
    fine = 36 * lookback
    recent = [np.full(fine, value / 12) for value in ordinary]
    for array, value in zip(recent, window, strict=True):
        array[-36:] = 0.0
        array[-1] = value
    return View(
        end=END,
        size=36,
        window=window,
        recent=Buckets(END - 180 * lookback, 5, *recent),
        hours=Buckets(END - 180 - 60 * hours, 60, *(np.full(hours, value) for value in ordinary)),
        known_since=known_since,
    )


def make_judgement(
    witnesses: Sequence[Witness] = (),
    *,
    key: Key = BANK,
    rule: dict[str, object] | None = None,
    view: View | None = None,
    **changed: object,
) -> Judgement:
    """A judgement of `witnesses`; `changed` are fields of its assessment."""
    counted = [witness for witness in witnesses if witness.weight > 0]
    scored = [witness for witness in counted if witness.scored]
    window = Tally(
        float(len(counted)),
        float(len(scored)),
        float(sum(witness.negative for witness in scored)),
        float(sum(witness.score for witness in scored)),
    )
    fields: dict[str, object] = {
        "holds": True,
        "near": False,
        "score": 0.9,
        "p_value": 1e-6,
        "value": window.share,
        "expected": 0.25,
        "low": 0.1,
        "high": 0.4,
        "baseline_minutes": 72 * 60,
        "baseline_documents": 288.0,
        "explanation": "the numbers of the detector",
    }
    return Judgement(
        rule=Rule.model_validate({"name": "negative-share"} | (rule or {})),
        key=key,
        view=view or make_view(window),
        assessment=Assessment(**(fields | changed)),  # type: ignore[arg-type]
        witnesses=tuple(sorted(witnesses, key=lambda witness: (witness.minute, witness.id))),
    )


def make_turn(judgement: Judgement, kind: TurnKind = TurnKind.FIRED, revision: int = 0) -> Turn:
    start = judgement.end if not kind.over else judgement.end - 240
    end = judgement.end if kind.over else None
    return Turn(kind, Episode("e" * 32, start, start, end, 0.9, 0.25, 0.9, revision), judgement)


@pytest.fixture
def witness() -> Callable[..., Witness]:
    return make_witness


@pytest.fixture
def view() -> Callable[..., View]:
    return make_view


@pytest.fixture
def judged() -> Callable[..., Judgement]:
    return make_judgement


@pytest.fixture
def turned() -> Callable[..., Turn]:
    return make_turn
