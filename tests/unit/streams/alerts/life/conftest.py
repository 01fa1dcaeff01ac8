"""Turns and alerts made to order, and a desk whose story can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from streams.alerts.detectors.contract import Assessment
from streams.alerts.judgement import Episode, Judgement, Turn, TurnKind, Witness
from streams.alerts.life.desk import Desk, DeskResult
from streams.alerts.life.fingerprint import alert_id, fingerprint
from streams.alerts.rules.model import Rule
from streams.alerts.tally import Buckets, Tally, View
from streams.documents import Alert, AlertStatus, Key, Measure, Observation

START = 29_000_000 // 60 * 60
"""A full hour, in minutes since 1970."""


def at(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def share_of_half(rule: Rule, view: View) -> Assessment:
    """The negative share is at least a half: enough of a detector to see what is left of a window."""
    share = view.window.share
    return Assessment(share >= 0.5, False, share, None, share, 0.2, 0.0, 0.4, 0, 0.0, "a half")


def make_rule(name: str = "negative-share", **fields: Any) -> Rule:
    return Rule.model_validate({"name": name, **fields})


def make_witnesses(end: int, *groups: tuple[int, bool, tuple[str, ...]], known: bool = True) -> tuple[Witness, ...]:
    """Groups of (documents, negative, entities), spread over the last hour."""
    found: list[Witness] = []
    for count, negative, entities in groups:
        for _ in range(count):
            n = len(found)
            found.append(
                Witness(
                    f"d{n}",
                    f"d{n}",
                    end - 1 - n % 60,
                    True,
                    negative,
                    -0.9 if negative else 0.5,
                    f"s{n % 7}",
                    n,
                    "en",
                    "",
                    1.0,
                    False,
                    entities if known else (),
                    f"title {n}" if known else "",
                )
            )
    return tuple(sorted(found, key=lambda witness: (witness.minute, witness.id)))


def make_judgement(rule: Rule, key: Key, end: int, witnesses: Sequence[Witness] = ()) -> Judgement:
    hop, size = rule.hop_minutes, rule.window_minutes // rule.hop_minutes
    sums = np.zeros((4, size))
    start = end - rule.window_minutes
    for witness in witnesses:
        place = (witness.minute - start) // hop
        sums[:, place] += np.array([1, witness.scored, witness.negative, witness.score]) * witness.weight
    recent = Buckets(start, hop, *sums)
    window = Tally(*(float(row.sum()) for row in sums))
    view = View(end, size, window, recent, Buckets(start, 60, *np.zeros((4, 0))), 0, sources=7, languages=1)
    return Judgement(rule, key, view, share_of_half(rule, view), tuple(witnesses))


def make_alert(rule: Rule, key: Key, start: int, end: int, over: bool = False, negative: int = 20) -> Alert:
    mark = fingerprint(rule.name, key)
    return Alert(
        id=alert_id(mark, start),
        fingerprint=mark,
        rule=rule.name,
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        severity=rule.severity,
        key=key,
        starts_at=at(start),
        observed=Observation(start=at(end - rule.window_minutes), end=at(end), documents=30, negative=negative, share=negative / 30),
        baseline=None,
        p_value=1e-6,
        evidence=(),
        languages={"en": negative},
        sources={"wire": negative},
        summary=f"Opinion about {key.name} turned.",
        measure=Measure(
            signal="negative_share",
            detector="share",
            value=0.7,
            expected=0.2,
            low=0.0,
            high=0.4,
            score=0.9,
            p_value=1e-6,
            baseline_minutes=0,
            baseline_documents=0,
            explanation="",
        ),
    )


class Story:
    """A desk and everything that left it. Minutes count from START."""

    def __init__(self, *rules: Rule, limits: Any = None, saved: dict[str, bytes] | None = None) -> None:
        self.rules = {rule.name: rule for rule in rules or (make_rule(),)}
        self.limits = limits
        self.alerts: list[Alert] = []
        self.decisions: list[Any] = []
        self.saved: dict[str, bytes] = saved if saved is not None else {}
        self.desk = Desk(list(self.rules.values()), share_of_half, limits)

    def turn(
        self,
        kind: TurnKind,
        value: str,
        minute: int,
        *,
        rule: str = "",
        dimension: str = "entity",
        start: int = 0,
        witnesses: Sequence[tuple[int, bool, tuple[str, ...]]] = (),
        negative: int = 20,
    ) -> tuple[Turn, Alert]:
        chosen = self.rules[rule or next(iter(self.rules))]
        key = Key(kind=dimension, value=value, name=value.title())
        alert = make_alert(chosen, key, START + start, START + minute, kind.over, negative)
        seen = make_witnesses(START + minute, *(witnesses or ((negative, True, ()),)))
        judgement = make_judgement(chosen, key, START + minute, seen)
        episode = Episode(alert.id, START + start, START + start, START + minute if kind.over else None, 0.7, 0.2, 0.7)
        return Turn(kind, episode, judgement), alert

    def take(self, result: DeskResult) -> list[tuple[str, str]]:
        self.alerts += result.alerts
        self.decisions += result.decisions
        return [(alert.reason, alert.key.value) for alert in result.alerts]

    def handle(self, now: int, *turns: tuple[Turn, Alert]) -> list[tuple[str, str]]:
        return self.take(self.desk.handle(list(turns), START + now))

    def fire(self, value: str, minute: int, **more: Any) -> list[tuple[str, str]]:
        return self.handle(minute, self.turn(TurnKind.FIRED, value, minute, start=minute, **more))

    def end(self, value: str, minute: int, start: int, kind: TurnKind = TurnKind.RECOVERED, **more: Any) -> list[tuple[str, str]]:
        return self.handle(minute, self.turn(kind, value, minute, start=start, **more))

    def advance(self, now: int) -> list[tuple[str, str]]:
        return self.take(self.desk.advance(START + now))

    def command(self, command: Any) -> list[tuple[str, str]]:
        return self.take(self.desk.command(command))

    def save(self) -> None:
        for name, value in self.desk.changes().items():
            if value is None:
                self.saved.pop(name, None)
            else:
                self.saved[name] = value

    def restart(self, *rules: Rule) -> None:
        """A kill, and a new process that reads what was saved."""
        self.save()
        if rules:
            self.rules = {rule.name: rule for rule in rules}
        self.desk = Desk(list(self.rules.values()), share_of_half, self.limits)
        self.desk.restore(self.saved)

    def outcomes(self, value: str | None = None) -> list[str]:
        return [decision.outcome.value for decision in self.decisions if value in (None, decision.key.value)]

    @property
    def messages(self) -> list[Alert]:
        """What receivers got."""
        return [alert for alert in self.alerts if alert.reason != "grouped"]


@pytest.fixture(scope="session")
def story() -> type[Story]:
    return Story


@pytest.fixture(scope="session")
def rule() -> Any:
    return make_rule


@pytest.fixture(scope="session")
def judgement() -> Any:
    return make_judgement


@pytest.fixture(scope="session")
def witnesses() -> Any:
    return make_witnesses
