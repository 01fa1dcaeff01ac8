"""The rules stage: a rule file that changes while the service runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from streams.alerts.rules.reloading import RuleWatcher
from streams.alerts.rules.ruleset import RuleSet
from streams.delivery.channels import read_channels
from streams.errors import SettingsError
from streams.metrics import Metrics
from streams.settings import WebhookSettings
from streams.stages.notify import NotifyStage
from streams.stages.watch import WatchStage

__all__ = ["RuleStage"]

log = structlog.get_logger(__name__)


class RuleStage:
    """Puts changed rules, and the channels that they name, into force together.

    Args:
        path: the rule file.
        current: the rules in force.
        watch: whose engine takes the rules.
        notify: which takes the channels.
        webhook: settings that hold for every channel.
        metrics: counts what was loaded and what was broken.
    """

    def __init__(
        self, path: Path, current: RuleSet, watch: WatchStage, notify: NotifyStage, webhook: WebhookSettings, metrics: Metrics
    ) -> None:
        self._watch = watch
        self._notify = notify
        self._webhook = webhook
        self._metrics = metrics
        self._watcher = RuleWatcher(path, current, on_broken=lambda _: metrics.rules_broken.inc())
        self._pending: RuleSet | None = None

    async def poll(self) -> None:
        """Look at the file; to be called every few seconds. A file that cannot be used leaves everything as it is, and says so once.

        Raises:
            TransientError: the new rules are in force, but what ends with the old ones could not be written; the next call tries again.
        """
        found = await asyncio.to_thread(self._watcher.poll)
        if found is not None:
            self._pending = found
        rules = self._pending
        if rules is None:
            return
        try:
            channels = read_channels(rules.channels, self._webhook)
            await self._notify.configure(channels)
            await self._watch.reload(rules)
        except SettingsError as error:
            self._pending = None
            self._metrics.rules_broken.inc()
            log.warning("rules.broken", file=rules.source, error=error.message, mend=error.mend)
            return
        self._pending = None
        self._metrics.rules_loaded.inc()
