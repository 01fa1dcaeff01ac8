"""One rule over all its keys: counts documents, judges the keys that they touch, and speaks or says why not.

Every document is judged at its own event time, one by one, so that it does not matter in which batches documents come.
A late document is judged in every window that holds it.
"""

from __future__ import annotations

from collections import Counter

from streams.alerts.clock import Clock, Ignored, minute_of
from streams.alerts.composition import Judgement, compose_alert, compose_decision
from streams.alerts.detectors.counts_contract import Assessment, Detector
from streams.alerts.episode import Episode, KeyState
from streams.alerts.explaining import Explanation, causes, remainder
from streams.alerts.rule import Rule, minutes
from streams.alerts.windows import Counts, KeyWindow, Vote
from streams.documents import Alert, AlertStatus, Decision, DecisionOutcome, Key, ScoredDocument, SentimentLabel

__all__ = ["MAX_KEYS", "Watch"]

MAX_KEYS = 100_000
"""More keys than this are not kept: the longest silent are forgotten first."""

_WARM_UP_WINDOWS = 2
_NEAR_P = 100.0
_NEAR_SHARE = 0.8
_TITLE = 300


class Watch:
    """State of one rule. Not for several threads.

    Attributes:
        alerts, decisions, ignored: what happened since they were last taken.
        changed: keys whose header must be saved. touched: keys with new votes. evicted: keys that are gone, with their (hour, parts).
        silent: sources that are forgotten.
    """

    def __init__(self, rule: Rule, detector: Detector) -> None:
        self.rule = rule
        self.span = rule.span
        self.clock = Clock(self.span.lateness)
        self.keys: dict[str, KeyState] = {}
        self.alerts: list[Alert] = []
        self.decisions: list[Decision] = []
        self.ignored: Counter[str] = Counter()
        self.changed: set[str] = set()
        self.touched: set[str] = set()
        self.evicted: dict[str, list[tuple[int, int]]] = {}
        self.silent: list[str] = []
        self._detector = detector
        self._cool_down = minutes(rule.cool_down)
        self._spoken: dict[str, KeyState] = {}
        self._documents = 0
        self._negative = 0

    def adopt(self, name: str, state: KeyState) -> None:
        """Take a restored key in."""
        self.keys[name] = state
        self._documents += state.window.documents
        self._negative += state.window.negative
        if state.episode is not None:
            self._spoken[name] = state

    def observe(self, document: ScoredDocument) -> None:
        """Count one document and judge the keys that it touches. Seeing it again changes nothing."""
        if document.sentiment is None:
            self.ignored[Ignored.UNSCORED] += 1
            return
        minute = minute_of(document)
        before = self.clock.newest
        reason = self.clock.admit(document, minute)
        if reason is not None:
            self.ignored[reason] += 1
            return
        if before is not None and self.clock.newest is not None and self.clock.newest > before:
            self._time_passed(before, self.clock.newest)
        keys = self.rule.keys(document)
        if not keys:
            self.ignored[Ignored.NO_KEY] += 1
            return
        touched = self._count(keys, _vote(document, minute))
        found = [judgement for state in touched if (judgement := self._judge_all(state, minute)) is not None]
        found.sort(key=lambda item: (item.state.key.kind, -item.window.negative, item.state.key.value))
        for judgement in found:
            self._speak_or_hold(judgement)

    def _count(self, keys: list[Key], vote: Vote) -> list[KeyState]:
        touched = []
        verdicts = set()
        for key in keys:
            name = str(key)
            state = self.keys.get(name)
            if state is None:
                state = self.keys[name] = KeyState(key, KeyWindow(self.span))
                self.changed.add(name)
            window = state.window
            if not window.accepts(vote.minute):
                verdicts.add(Ignored.LATE)
                continue
            documents, negative = window.documents, window.negative
            if not window.add(vote):
                verdicts.add(Ignored.REDELIVERED)
                continue
            self.touched.add(name)
            self._documents += window.documents - documents
            self._negative += window.negative - negative
            touched.append(state)
        if not touched:
            self.ignored[min(verdicts)] += 1
        return touched

    def _judge_all(self, state: KeyState, minute: int) -> Judgement | None:
        if state.episode is not None and state.episode.firing:
            self._resolve_if_over(state, state.episode)
            return None
        for end in state.window.ends(minute):
            judgement = self._judge(state, end)
            if judgement is not None:
                return judgement
        return None

    def _assess(self, state: KeyState, end: int, window: Counts) -> Judgement:
        baseline = state.window.before(end)
        return Judgement(state, end, window, baseline, self._compare(window, baseline, window))

    def _compare(self, window: Counts, baseline: Counts, own: Counts) -> Assessment:
        others = Counts(self._documents - own.documents, self._negative - own.negative)
        return self._detector.assess(window, baseline, others)

    def _judge(self, state: KeyState, end: int) -> Judgement | None:
        """The judgement if the rule holds for the window that ends with minute `end`; else it is noted why not, if near."""
        rule, window = self.rule, state.window.window(end)
        if window.documents < rule.min_documents:
            if window.share >= rule.min_share and 2 * window.documents >= rule.min_documents:
                reason = f"{window.negative} of {window.documents} negative; {rule.min_documents} documents are needed"
                self._note(Judgement(state, end, window), DecisionOutcome.TOO_FEW, reason)
            return None
        if window.share < rule.min_share:
            if window.share >= _NEAR_SHARE * rule.min_share:
                reason = f"{window.negative} of {window.documents} negative ({window.share:.0%}); {rule.min_share:.0%} are needed"
                self._note(Judgement(state, end, window), DecisionOutcome.BELOW_SHARE, reason)
            return None
        judgement = self._assess(state, end, window)
        assert judgement.assessment is not None
        assert judgement.baseline is not None
        p_value = judgement.assessment.p_value
        if p_value > rule.max_p_value:
            if p_value <= _NEAR_P * rule.max_p_value:
                self._note(judgement, DecisionOutcome.NOT_UNUSUAL, f"p must be at most {rule.max_p_value:g}")
            return None
        if judgement.baseline.documents < rule.min_documents and not self._knows_the_world(end):
            reason = f"too little is known before: {judgement.baseline.documents} documents of this key, and the stream has just begun"
            self._note(judgement, DecisionOutcome.NO_BASELINE, reason)
            return None
        if state.episode is not None and state.episode.covers(end, self._cool_down):
            alert_id = state.episode.alert_id(rule.name, state.key)
            self._note(judgement, DecisionOutcome.COOLING_DOWN, f"silent for {rule.cool_down} after the last alert", alert_id)
            return None
        return judgement

    def _knows_the_world(self, end: int) -> bool:
        """Other votes can stand in for a missing baseline once the stream has run for a while."""
        first = self.clock.first
        return first is not None and end - self.span.window - first >= _WARM_UP_WINDOWS * self.span.window

    def _speak_or_hold(self, judgement: Judgement) -> None:
        explanation = self._explain(judgement)
        if explanation is not None:
            told = f"whose alert is {explanation.alert_id}" if explanation.alert_id else "which has no alert of its own"
            rest = explanation.rest
            reason = (
                f"held: {explanation.negative} of {judgement.window.negative} negative votes name {explanation.cause.name} "
                f"({explanation.cause}), {told}; without it {rest.negative} of {rest.documents} are negative, which is not unusual"
            )
            self._note(judgement, DecisionOutcome.HELD, reason, explanation.alert_id)
            return
        state, assessment = judgement.state, judgement.assessment
        assert assessment is not None
        episode = Episode(start=judgement.end, share=judgement.window.share, expected=assessment.expected_share)
        state.episode = episode
        self._spoken[str(state.key)] = state
        self.changed.add(str(state.key))
        alert = compose_alert(self.rule, judgement, episode, AlertStatus.FIRING)
        self.alerts.append(alert)
        self.decisions.append(compose_decision(self.rule, judgement, DecisionOutcome.FIRED, "fired", alert.id))

    def _explain(self, judgement: Judgement) -> Explanation | None:
        key, end, rule = judgement.state.key, judgement.end, self.rule
        assert judgement.baseline is not None
        votes = [vote for vote, counted in judgement.state.window.votes(end) if counted]
        speaking = {
            state.key.value: state.episode.alert_id(rule.name, state.key)
            for state in self._spoken.values()
            if state.key.kind == "entity" and state.episode is not None and state.episode.covers(end, self._cool_down)
        }
        found = causes(key, votes, speaking)
        if not found:
            return None
        rest = remainder(votes, {entity for entity, _ in found})
        if rest.documents >= rule.min_documents and rest.share >= rule.min_share:
            alone = self._compare(rest, judgement.baseline, judgement.window)
            if alone.p_value <= rule.max_p_value:
                return None
        entity, negative = found[0]
        known = self.keys.get(f"entity:{entity}")
        cause = known.key if known else Key(kind="entity", value=entity, name=entity)
        return Explanation(cause, speaking.get(entity), negative, rest)

    def _resolve_if_over(self, state: KeyState, episode: Episode) -> None:
        end = state.window.head
        assert end is not None
        if end > episode.start:
            window = state.window.window(end)
            if episode.is_over(window.share):
                self._resolve(state, episode, end, window)

    def _resolve(self, state: KeyState, episode: Episode, end: int, window: Counts) -> None:
        state.episode = Episode(episode.start, episode.share, episode.expected, firing=False)
        self.changed.add(str(state.key))
        judgement = self._assess(state, end, window)
        alert = compose_alert(self.rule, judgement, episode, AlertStatus.RESOLVED)
        self.alerts.append(alert)
        reason = "back near the baseline" if window.documents else "nothing was heard for a whole window"
        self.decisions.append(compose_decision(self.rule, judgement, DecisionOutcome.RESOLVED, reason, alert.id))

    def _note(self, judgement: Judgement, outcome: DecisionOutcome, reason: str, alert_id: str | None = None) -> None:
        """Write a decision down: one of a kind for a key and hour, so that the log stays readable and bounded."""
        state, hour = judgement.state, judgement.end // 60
        if state.noted.get(outcome.value) == hour:
            return
        state.noted[outcome.value] = hour
        self.changed.add(str(state.key))
        self.decisions.append(compose_decision(self.rule, judgement, outcome, reason, alert_id))

    def _time_passed(self, before: int, now: int) -> None:
        window = self.span.window
        for name, state in list(self._spoken.items()):
            episode, head = state.episode, state.window.head
            assert episode is not None
            assert head is not None
            if episode.firing and now - head >= window:
                self._resolve(state, episode, head + window, Counts(0, 0))
            elif not episode.covers(now, self._cool_down) and now - episode.start > self._cool_down + self.span.lateness:
                del self._spoken[name]
        if now // 1440 != before // 1440 or len(self.keys) > MAX_KEYS:
            self._evict(now)

    def _evict(self, now: int) -> None:
        limit = now - self.span.kept_counts
        heads = {name: state.window.head or 0 for name, state in self.keys.items() if not (state.episode and state.episode.firing)}
        idle = [name for name, head in heads.items() if head < limit]
        if len(self.keys) - len(idle) > MAX_KEYS:
            idle = sorted(heads, key=lambda name: (heads[name], name))[: len(self.keys) - MAX_KEYS + MAX_KEYS // 10]
        for name in idle:
            state = self.keys.pop(name)
            self._documents -= state.window.documents
            self._negative -= state.window.negative
            self._spoken.pop(name, None)
            self.changed.discard(name)
            self.evicted[name] = state.window.parts()
        self.silent.extend(self.clock.forget(limit))


def _vote(document: ScoredDocument, minute: int) -> Vote:
    assert document.sentiment is not None
    negative = document.sentiment.label is SentimentLabel.NEGATIVE
    title = (document.title or document.text)[:_TITLE] if negative else ""
    return Vote(
        id=document.id,
        original=document.duplicate_of or document.id,
        minute=minute,
        negative=negative,
        score=document.sentiment.score,
        source=document.source,
        language=document.language.code,
        entities=tuple(entity.id for entity in document.entities),
        published=document.published_at.timestamp(),
        title=title,
        url=document.url if negative else None,
    )
