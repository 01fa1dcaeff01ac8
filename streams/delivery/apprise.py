"""Chat, mail and phone through Apprise, which blocks: it runs in threads of its own, with an end in time."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apprise

from streams.alerts.evidence.words_told import telling_words
from streams.delivery.channels import AppriseChannel
from streams.delivery.guard import Guard
from streams.documents import Alert, AlertStatus
from streams.errors import PermanentError, SettingsError, TransientError

__all__ = ["AppriseSender", "text_of"]

_THREADS = 4
_HEADLINES = 3
_MEMBERS = 20
_TYPES = {"info": apprise.NotifyType.INFO, "warning": apprise.NotifyType.WARNING, "critical": apprise.NotifyType.FAILURE}


def text_of(alert: Alert) -> tuple[str, str]:
    """Title and text for a person, without mark-up."""
    state = "over" if alert.status is AlertStatus.RESOLVED else alert.severity
    lines = [alert.summary]
    if alert.measure is not None and alert.measure.explanation not in alert.summary:
        lines.append(alert.measure.explanation)
    headlines = [f"- [{item.language}] {item.title} {item.url or ''}".rstrip() for item in alert.evidence[:_HEADLINES]]
    place, words = telling_words(alert)
    if words and place < len(headlines):
        headlines.insert(place + 1, f"  its words: {words}")
    lines += headlines
    lines += [f"- {member.summary}" for member in alert.members[:_MEMBERS]]
    if len(alert.members) > _MEMBERS:
        lines.append(f"… and {len(alert.members) - _MEMBERS} more")
    return f"[{state}] {alert.key.name}", "\n".join(line for line in lines if line)


class AppriseSender:
    """Notifies one Apprise URL.

    Apprise makes its own connections. The server that a URL names is judged before each message; a service that Apprise
    knows by itself (Slack, Telegram ...) is not.

    Args:
        channel: the URL.
        guard: judges the server.

    Raises:
        SettingsError: Apprise does not know the URL. It is not shown.
    """

    def __init__(self, channel: AppriseChannel, guard: Guard) -> None:
        self._channel = channel
        self._guard = guard
        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log addresses and answers; the fault is told by us
        self._plugin: Any = apprise.Apprise.instantiate(channel.url.get_secret_value())
        if self._plugin is None:
            raise SettingsError(f"channel {channel.name}: {channel.target} is no Apprise URL", mend="see the wiki of Apprise for its form")
        self._plugin.socket_connect_timeout = self._plugin.socket_read_timeout = channel.timeout
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"apprise {channel.name}")

    @property
    def shown(self) -> str:
        """The URL with its secrets masked by Apprise."""
        return str(self._plugin.url(privacy=True)).partition("?")[0]

    async def send(self, alert: Alert, message_id: str) -> None:
        """Notify.

        Raises:
            TransientError: the service did not take it, or not in time. Apprise does not tell why, nor whether waiting helps.
            PermanentError: reason ``webhook.forbidden``: the server is not public.
        """
        title, text = text_of(alert)
        kind = apprise.NotifyType.SUCCESS if alert.status is AlertStatus.RESOLVED else _TYPES[alert.severity]
        place = f"channel {self._channel.name}: {self.shown}"
        try:
            async with asyncio.timeout(self._channel.timeout):
                await self._judge(place)
                taken = await asyncio.get_running_loop().run_in_executor(self._threads, self._notify, title, text, kind)
        except TimeoutError as error:
            raise TransientError(f"{place}: no answer within {self._channel.timeout:g} s", mend="is the service up?") from error
        if not taken:
            raise TransientError(f"{place}: was not taken", mend="are the tokens of the URL right, and is the service up?")

    def _notify(self, title: str, text: str, kind: apprise.NotifyType) -> bool:
        return bool(self._plugin.notify(body=text, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT))

    async def _judge(self, place: str) -> None:
        host = getattr(self._plugin, "smtp_host", None) or getattr(self._plugin, "host", None)
        if not host:
            return
        try:
            await self._guard.addresses(str(host), int(getattr(self._plugin, "port", None) or 443))
        except (OSError, UnicodeError):
            return  # a token where others have a host, or a name that Apprise will not find either
        except PermanentError as error:
            raise PermanentError(f"{place}: {error.message}", reason=error.reason, mend=error.mend) from error

    async def close(self) -> None:
        """Let go of the threads; one that hangs ends with its connection. May be called twice."""
        self._threads.shutdown(wait=False, cancel_futures=True)
