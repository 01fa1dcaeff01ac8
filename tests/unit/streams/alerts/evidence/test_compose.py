"""The alert of a turn, whole."""

from __future__ import annotations

from datetime import UTC, datetime

from streams.alerts.evidence.background import Background
from streams.alerts.evidence.compose import MAX_SOURCES, Composer
from streams.alerts.judgement import TurnKind
from streams.alerts.life.fingerprint import fingerprint
from streams.documents import Alert, AlertStatus, DecisionOutcome

END = datetime(2026, 3, 20, 16, tzinfo=UTC)


def test_an_alert_carries_its_numbers_and_survives_the_wire(witness, judged, turned) -> None:
    negative = [witness(n, title=f"Depositors queue at branch {'abcdefghijklmnop'[n]}x") for n in range(16)]
    judgement = judged([*negative, *(witness(20 + n, negative=False, score=0.4) for n in range(4))], rule={"channels": ["desk"]})
    background = Background()
    for n in range(200):
        background.add(f"Ordinary news about branch {n:x}q", 29_560_000, "en")
    alert = Composer(background).alert(turned(judgement, revision=2))
    assert Alert.model_validate_json(alert.model_dump_json()) == alert
    assert alert.id == "e" * 32
    assert alert.fingerprint == fingerprint("negative-share", judgement.key)
    assert (alert.status, alert.reason, alert.revision, alert.ends_at) == (AlertStatus.FIRING, "fired", 2, None)
    assert alert.starts_at == END
    assert (alert.observed.documents, alert.observed.negative, alert.observed.share) == (20, 16, 0.8)
    assert alert.measure is not None
    assert alert.measure.detector == "share"
    assert (alert.p_value, alert.channels, alert.topics) == (1e-6, ("desk",), {"economy": 16})
    assert (alert.independent_sources, alert.independent_languages) == (16, 1)
    assert len(alert.evidence) == 16
    assert {"depositors", "queue"} <= {term.term for term in alert.terms}
    assert "branch" not in {term.term for term in alert.terms}
    assert alert.series is not None


def test_an_alert_that_is_over(witness, judged, turned) -> None:
    for kind in (TurnKind.RECOVERED, TurnKind.SILENT, TurnKind.RETRACTED):
        alert = Composer(Background()).alert(turned(judged([witness(1)]), kind))
        assert (alert.status, alert.reason, alert.ends_at, alert.flags) == (AlertStatus.RESOLVED, kind.value, END, ())
        assert alert.starts_at < END


def test_thousands_of_sources_fit_into_a_message(witness, judged, turned) -> None:
    alert = Composer(Background()).alert(turned(judged([witness(n) for n in range(3000)])))
    assert len(alert.sources) == MAX_SOURCES
    assert alert.independent_sources == 3000
    assert len(alert.model_dump_json()) < 20_000


def test_composing_changes_nothing(witness, judged, turned) -> None:
    composer, turn = Composer(Background()), turned(judged([witness(n) for n in range(5)]))
    assert composer.alert(turn) == composer.alert(turn)


def test_a_decision_is_that_of_the_log(witness, judged) -> None:
    judgement = judged([witness(1)])
    decision = Composer(Background()).decision(judgement, DecisionOutcome.TOO_FEW, "11 more are needed")
    assert decision.explanation == "the numbers of the detector; 11 more are needed"
    assert decision.at == END
