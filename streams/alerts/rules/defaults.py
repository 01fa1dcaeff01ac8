"""The rules of a service that was given none: what the settings ``alerts.*`` describe."""

from __future__ import annotations

import hashlib
import math
from datetime import timedelta

from pydantic import ValidationError

from streams.alerts.rules.detectors import ShareSpec
from streams.alerts.rules.faults import FAULT
from streams.alerts.rules.model import Dimension, MinimumEvidence, Rule
from streams.alerts.rules.ruleset import RuleSet
from streams.errors import SettingsError
from streams.settings import AlertSettings

__all__ = ["default_rules"]

_RULES: tuple[tuple[str, Dimension], ...] = (("negative-share", "entity"), ("negative-share-tags", "tag"))


def default_rules(settings: AlertSettings) -> RuleSet:
    """Negative share of every entity, and of every tag, against its own past, with the thresholds of `settings`.

    Raises:
        SettingsError: the settings contradict each other.
    """
    try:
        rules = tuple(_rule(name, dimension, settings) for name, dimension in _RULES)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        context = first.get("ctx", {}) if first["type"] == FAULT else {}
        field = [str(part) for part in (*first["loc"], *context.get("at", ())) if part not in ("detector", "share", "evidence")]
        raise SettingsError(f"alerts.{'.'.join(field)}: {context.get('what', first['msg'])}", mend=str(context.get("mend", ""))) from error
    digest = hashlib.sha256("\n".join(rule.model_dump_json() for rule in rules).encode()).hexdigest()
    return RuleSet(rules, {}, "settings alerts.*", digest)


def _rule(name: str, dimension: Dimension, settings: AlertSettings) -> Rule:
    return Rule(
        name=name,
        description=f"The negative share of what is written about one {dimension} is far above its own past.",
        group_by=(dimension,),
        # Windows are counted in whole minutes.
        window=timedelta(minutes=math.ceil(settings.window / timedelta(minutes=1))),
        detector=ShareSpec(type="share", baseline=settings.baseline, max_p_value=settings.max_p_value, min_share=settings.min_share),
        evidence=MinimumEvidence(documents=settings.min_documents),
        cool_down=settings.cool_down,
        allowed_lateness=settings.allowed_lateness,
        severity=settings.severity,
    )
