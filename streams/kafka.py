"""The one place that turns :class:`~streams.settings.KafkaSettings` into the options of each client library.

kafka-python (admin side), aiokafka (sources, state) and Faust (agents) speak to the same brokers with the same security
settings; none of them sees a setting that the others do not. Faust is not imported here: its part is plain data.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal, NamedTuple

from streams.errors import SettingsError
from streams.settings import KafkaSettings

__all__ = ["CLIENT_ID", "FaustBroker", "MaskedSecret", "admin_options", "aiokafka_options", "faust_broker", "ssl_context"]

CLIENT_ID = "bellwether"
"""How we name ourselves in the brokers' logs and quotas."""

_FIRST_ANSWER = 10.0
"""Seconds that kafka-python goes on knocking at brokers that refuse; a person waits for the answer."""


class MaskedSecret(str):
    """A password that the clients can use and that no log shows.

    kafka-python writes its whole configuration to the debug log, Faust keeps credentials in objects that are printed:
    both go through ``repr``, which is masked here. Encoding and joining give the real value.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"


class FaustBroker(NamedTuple):
    """Where and how Faust connects.

    `credentials` are keyword arguments: empty for PLAINTEXT, ``context`` for ``faust.SSLCredentials``, ``username``,
    ``password``, ``mechanism`` and ``ssl_context`` (None without TLS) for ``faust.SASLCredentials``.
    """

    urls: list[str]
    credentials: dict[str, Any]

    @property
    def credentials_class(self) -> Literal["SASLCredentials", "SSLCredentials"] | None:
        """Name of the class in the faust package that takes `credentials`; None: there are none."""
        if "username" in self.credentials:
            return "SASLCredentials"
        return "SSLCredentials" if self.credentials else None


def _servers(settings: KafkaSettings) -> list[str]:
    return settings.bootstrap_servers.split(",")


def _readable(path: Path | None, setting: str) -> str | None:
    if path is None:
        return None
    if not path.is_file():
        raise SettingsError(f"kafka.{setting}: {path} is not a file", mend=f"name a PEM file, BELLWETHER_KAFKA__{setting.upper()}=…")
    return str(path)


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """TLS context for the brokers (host names checked, TLS 1.2 or newer); None when the protocol has no TLS.

    Raises:
        SettingsError: a certificate or key file is missing or cannot be read.
    """
    if settings.security_protocol not in {"SSL", "SASL_SSL"}:
        return None
    cafile = _readable(settings.ssl_cafile, "ssl_cafile")
    certfile = _readable(settings.ssl_certfile, "ssl_certfile")
    keyfile = _readable(settings.ssl_keyfile, "ssl_keyfile")
    if keyfile is not None and certfile is None:
        raise SettingsError("kafka.ssl_keyfile: a key without its certificate", mend="set BELLWETHER_KAFKA__SSL_CERTFILE=… too")
    reading = "ssl_cafile"
    try:
        context = ssl.create_default_context(cafile=cafile)
        if certfile is not None:
            reading = "ssl_certfile"
            # An encrypted key would make OpenSSL ask on the terminal, in the middle of a service's start.
            context.load_cert_chain(certfile, keyfile, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(f"kafka.{reading}: not a usable PEM file: {error}", mend="certificate and unencrypted key in PEM") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _security(settings: KafkaSettings) -> dict[str, Any]:
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    context = ssl_context(settings)
    if context is not None:
        options["ssl_context"] = context
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = _password(settings)
    return options


def _password(settings: KafkaSettings) -> MaskedSecret:
    if settings.sasl_password is None or not settings.sasl_username:
        raise SettingsError(
            f"kafka.sasl_password: {settings.security_protocol} needs a user and a password",
            mend="set BELLWETHER_KAFKA__SASL_USERNAME and BELLWETHER_KAFKA__SASL_PASSWORD",
        )
    return MaskedSecret(settings.sasl_password.get_secret_value())


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _connection(settings: KafkaSettings) -> dict[str, Any]:
    """What kafka-python and aiokafka take by the same names."""
    return {
        "bootstrap_servers": _servers(settings),
        "client_id": CLIENT_ID,
        "request_timeout_ms": _milliseconds(settings.request_timeout),
        **_security(settings),
    }


def admin_options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments for ``kafka.admin.KafkaAdminClient`` and ``kafka.KafkaConsumer`` (kafka-python 3).

    Raises:
        SettingsError: a certificate cannot be read, or SASL lacks its user or password.
    """
    return {**_connection(settings), "bootstrap_timeout_ms": _milliseconds(min(settings.request_timeout, _FIRST_ANSWER))}


def aiokafka_options(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments for ``aiokafka.AIOKafkaProducer`` and ``aiokafka.AIOKafkaConsumer``.

    Raises:
        SettingsError: a certificate cannot be read, or SASL lacks its user or password.
    """
    return _connection(settings)


def faust_broker(settings: KafkaSettings) -> FaustBroker:
    """Broker URLs and arguments of the credentials class for a Faust app.

    Raises:
        SettingsError: a certificate cannot be read, or SASL lacks its user or password.
    """
    urls = [f"kafka://{server}" for server in _servers(settings)]
    context = ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        return FaustBroker(
            urls,
            {
                "username": settings.sasl_username,
                "password": _password(settings),
                "mechanism": settings.sasl_mechanism,
                "ssl_context": context,
            },
        )
    return FaustBroker(urls, {} if context is None else {"context": context})
