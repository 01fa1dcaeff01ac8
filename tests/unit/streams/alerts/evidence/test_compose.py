"""The alert of a turn."""

from __future__ import annotations

from streams.alerts.evidence.background import Background
from streams.alerts.evidence.compose import Composer
from streams.documents import Alert, AlertStatus


def test_an_alert_carries_its_numbers(witness, judged, turned) -> None:
    judgement = judged([*(witness(number) for number in range(16)), *(witness(20 + n, negative=False, score=0.4) for n in range(4))])
    alert = Composer(Background()).alert(turned(judgement))
    print(alert.model_dump_json(indent=1))
    assert Alert.model_validate_json(alert.model_dump_json()) == alert
    assert alert.status is AlertStatus.FIRING
