"""Channels: where alerts may go, read from the rule file and from the settings."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError, field_validator, model_validator

from streams.alerts.life.grouping import is_recorded_only
from streams.alerts.rules.duration import Duration
from streams.documents import Alert, AlertStatus
from streams.errors import SettingsError
from streams.settings import WebhookSettings
from streams.settings.values import HttpUrl
from streams.sinks.connection import masked

__all__ = [
    "DEFAULT",
    "AlertmanagerChannel",
    "AppriseChannel",
    "Channel",
    "Channels",
    "WebhookChannel",
    "read_channels",
]

DEFAULT = "default"
"""The channel of a rule that names none."""

_VARIABLE = "env:"
_SEVERITIES = ("info", "warning", "critical")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PRINTABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = {
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
}

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Timeout = Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)]


class _Channel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    min_severity: Literal["info", "warning", "critical"] = "info"
    send_resolved: bool = True
    timeout: Timeout = 10.0

    def takes(self, alert: Alert) -> bool:
        """Whether `alert` is for this channel, by its severity and status."""
        if _SEVERITIES.index(alert.severity) < _SEVERITIES.index(self.min_severity):
            return False
        return self.send_resolved or alert.status is not AlertStatus.RESOLVED

    @property
    def target(self) -> str:
        """The address without what must not be printed."""
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """Changes when the channel leads elsewhere or its body is another one: then a receiver may be asked anew."""
        return hashlib.sha256("\n".join(self._identity()).encode()).hexdigest()[:16]

    def _identity(self) -> Iterable[str]:
        raise NotImplementedError


class WebhookChannel(_Channel):
    """A POST of JSON, signed by the Standard Webhooks scheme.

    `secrets`: the newest first; all of them sign. `format`: our own body, or Alertmanager's webhook body (version 4).
    `headers` are sent beside ours.
    """

    type: Literal["webhook"]
    url: HttpUrl
    secrets: tuple[SecretStr, ...] = ()
    format: Literal["bellwether", "alertmanager"] = "bellwether"
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    external_url: HttpUrl | None = None

    @field_validator("secrets", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, SecretStr)) else value

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, content in value.items():
            if not _HEADER.fullmatch(name) or not _PRINTABLE.fullmatch(content.get_secret_value()):
                raise ValueError(f"{name!r} is no header that can be sent")
            if name.lower() in _OURS:
                raise ValueError(f"{name} is set by Bellwether")
        return value

    @model_validator(mode="after")
    def _signed(self) -> WebhookChannel:
        if self.format == "bellwether" and not self.secrets:
            raise ValueError("secrets: at least one is needed; whsec_ and base64, or env:NAME")
        return self

    @property
    def target(self) -> str:
        """The address without user, password and query."""
        return masked(self.url)

    def _identity(self) -> Iterable[str]:
        return self.type, self.url, self.format


class AlertmanagerChannel(_Channel):
    """A Prometheus Alertmanager. `expires`: how long it takes an alert as firing when nothing more is said of it."""

    type: Literal["alertmanager"]
    url: HttpUrl
    username: str | None = None
    password: SecretStr | None = None
    bearer: SecretStr | None = None
    expires: Duration = timedelta(days=7)
    external_url: HttpUrl | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> AlertmanagerChannel:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.username is not None and self.bearer is not None:
            raise ValueError("both password and bearer are given: keep one")
        if self.expires <= timedelta(0):
            raise ValueError("expires: must be positive")
        if self.bearer is not None and not _PRINTABLE.fullmatch(self.bearer.get_secret_value()):
            raise ValueError("bearer: cannot be sent as a header")
        return self

    def authorization(self) -> dict[str, str]:
        """The header by which it lets us in; none where it needs none."""
        if self.bearer is not None:
            return {"authorization": f"Bearer {self.bearer.get_secret_value()}"}
        if self.username is not None and self.password is not None:
            pair = f"{self.username}:{self.password.get_secret_value()}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    @property
    def target(self) -> str:
        """The address without user, password and query."""
        return masked(self.url)

    def _identity(self) -> Iterable[str]:
        return self.type, self.url


class AppriseChannel(_Channel):
    """Chat, mail and phone by an Apprise URL (https://github.com/caronc/apprise/wiki)."""

    type: Literal["apprise"]
    url: SecretStr
    timeout: Timeout = 30.0

    @property
    def target(self) -> str:
        """Only which service it is: in an Apprise URL anything may be a secret."""
        return f"{self.url.get_secret_value().partition(':')[0]}://…"

    def _identity(self) -> Iterable[str]:
        return self.type, self.url.get_secret_value()


Channel = WebhookChannel | AlertmanagerChannel | AppriseChannel
_READ: TypeAdapter[Channel] = TypeAdapter(Annotated[Channel, Field(discriminator="type")])


class Channels:
    """All channels by their names.

    Args:
        groups: channels by the name that rules use; only ``default`` may be several (one a receiver of ``webhook.urls``) or none.
    """

    def __init__(self, groups: Mapping[str, Sequence[Channel]]) -> None:
        self._groups = {name: tuple(group) for name, group in groups.items()}
        self.all: dict[str, Channel] = {channel.name: channel for group in self._groups.values() for channel in group}

    def of(self, alert: Alert) -> tuple[list[Channel], list[str]]:
        """Channels that `alert` is for, and names that it gives of which there is none. What a digest tells goes to none by itself."""
        if is_recorded_only(alert):
            return [], []
        names = alert.channels or (DEFAULT,)
        unknown = [name for name in names if name not in self._groups and name not in self.all]
        known = {
            channel.name: channel
            for name in names
            for channel in (self._groups.get(name) or ((self.all[name],) if name in self.all else ()))
            if channel.takes(alert)
        }
        return list(known.values()), unknown


def read_channels(given: Mapping[str, Mapping[str, Any]], settings: WebhookSettings, environ: Mapping[str, str] | None = None) -> Channels:
    """Channels of a rule file, and the one that the settings describe (``default``, unless the rule file has one of that name).

    Values ``env:NAME`` are taken from the environment.

    Args:
        given: the rule file's ``channels``.
        settings: ``webhook``.
        environ: the environment; this process's own where None.

    Raises:
        SettingsError: a channel is not right; names it and the field, and no value.
    """
    variables = os.environ if environ is None else environ
    groups: dict[str, Sequence[Channel]] = {DEFAULT: _of_settings(settings)}
    for name, fields in given.items():
        groups[name] = (_channel(name, fields, variables),)
    taken = [channel.name for group in groups.values() for channel in group]
    twice = sorted({name for name in taken if taken.count(name) > 1})
    if twice:
        raise SettingsError(f"channel {twice[0]}: a receiver of webhook.urls has this name", mend="give the channel another name")
    return Channels(groups)


def _of_settings(settings: WebhookSettings) -> list[Channel]:
    secrets = (*((settings.secret,) if settings.secret else ()), *settings.secrets)
    return [
        WebhookChannel(
            type="webhook",
            name=DEFAULT if number == 1 else f"{DEFAULT}-{number}",
            url=url,
            secrets=secrets,
            timeout=min(settings.timeout, 120.0),
        )
        for number, url in enumerate(settings.urls, start=1)
    ]


def _channel(name: str, fields: Mapping[str, Any], environ: Mapping[str, str]) -> Channel:
    place = f"channel {name}"
    if not isinstance(fields, Mapping):
        raise SettingsError(f"{place}: is not a mapping", mend="type: webhook, url: …, secrets: [env:NAME]")
    try:
        return _READ.validate_python({**{key: _resolved(value, f"{place}: {key}", environ) for key, value in fields.items()}, "name": name})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"] if part not in {"webhook", "alertmanager", "apprise"})
        what = fault["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{place}: {where + ': ' if where else ''}{what}", mend="see docs/delivery.md, Channels") from error


def _resolved(value: Any, place: str, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str) and value.startswith(_VARIABLE):
        variable = value.removeprefix(_VARIABLE)
        if not environ.get(variable):
            raise SettingsError(
                f"{place}: the environment variable {variable} is not set", mend=f"set {variable} where the worker is started"
            )
        return environ[variable]
    if isinstance(value, Mapping):
        return {key: _resolved(inner, f"{place}.{key}", environ) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_resolved(inner, place, environ) for inner in value]
    return value
