"""The connection to Elasticsearch, and what its faults mean to us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from elasticsearch import ApiError, AsyncElasticsearch, TransportError, UnsupportedProductError

from streams.errors import BellwetherError, SettingsError, TransientError
from streams.retry_after import retry_after
from streams.settings import SearchSettings

__all__ = ["as_error", "connect", "masked"]

_REFUSALS = {401, 403}


def masked(url: str) -> str:
    """The address without what must not be printed: user and password become ``***``, the query is left out."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"***@{host}" if "@" in parts.netloc else host
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))


def connect(settings: SearchSettings) -> AsyncElasticsearch:
    """A client for the configured server; nothing is sent yet.

    Raises:
        SettingsError: the settings contradict each other, or the CA file cannot be read.
    """
    if settings.api_key is not None and settings.username is not None:
        raise SettingsError("search: both api_key and username are set", mend="keep one of them")
    if (settings.username is None) != (settings.password is None):
        raise SettingsError("search: username and password go together", mend="set both, or neither")
    try:
        parts = urlsplit(settings.url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"search.url: {error}", mend="for example https://search:9200") from error
    url = settings.url
    if port is None:
        # The client wants the port spelt out; an address without one means what it means everywhere else.
        url = urlunsplit(parts._replace(netloc=f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"))
    # No retries in the client: a broken connection must be seen, for the server that answers next may have lost what it was told.
    options: dict[str, Any] = {"request_timeout": settings.timeout, "max_retries": 0}
    if settings.api_key is not None:
        options["api_key"] = settings.api_key.get_secret_value()
    elif settings.username is not None and settings.password is not None:
        options["basic_auth"] = (settings.username, settings.password.get_secret_value())
    if settings.ca_certs is not None:
        options["ca_certs"] = str(settings.ca_certs)
    try:
        return AsyncElasticsearch(url, **options)
    except (ValueError, OSError) as error:
        raise SettingsError(f"search: {error}", mend="see search.url and search.ca_certs") from error


def as_error(error: ApiError | TransportError | UnsupportedProductError, url: str, doing: str) -> BellwetherError:
    """What a fault of the client means: TransientError where waiting can help, else BellwetherError.

    Wrong credentials and a server that is not Elasticsearch do not heal by themselves; everything else may.

    Args:
        error: what the client raised.
        url: the configured address; it is masked here.
        doing: what was being done, for the message.
    """
    place = f"search: {masked(url)}: {doing}"
    if isinstance(error, UnsupportedProductError):
        return BellwetherError(
            f"{place}: the server does not say that it is Elasticsearch", mend="search.url must lead to Elasticsearch 8 or later"
        )
    if isinstance(error, ApiError):
        message = f"{place}: status {error.status_code}, {_short(error)}"
        if error.status_code in _REFUSALS:
            return BellwetherError(message, mend="check search.username, search.password or search.api_key and the rights they carry")
        return TransientError(message, retry_after=retry_after(error.meta.headers, datetime.now(UTC)))
    return TransientError(f"{place}: {type(error).__name__}: {error.message}", mend="is the server running? `bellwether doctor` looks")


def _short(error: ApiError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return f"{body['error'].get('type', '')}: {body['error'].get('reason', '')}"[:500]
    return str(error.message)[:500]
