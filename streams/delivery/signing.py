"""Signatures by the Standard Webhooks scheme (https://www.standardwebhooks.com), symmetric, ``v1``."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from datetime import datetime

from pydantic import SecretStr
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from streams.errors import SettingsError

__all__ = ["Signer"]

MEND = "whsec_ and 24 to 64 bytes in base64"


class Signer:
    """Signs with every secret at once, so that a receiver may change from one to the next when it likes.

    Args:
        secrets: the newest first; each ``whsec_`` and base64. None: nothing is signed.
        place: the setting, for the message.

    Raises:
        SettingsError: a secret is not base64.
    """

    def __init__(self, secrets: Sequence[SecretStr], place: str) -> None:
        self._keys = [_key(secret, place) for secret in secrets]

    def headers(self, message_id: str, at: datetime, body: str) -> dict[str, str]:
        """The three headers of the scheme; without secrets only the id and the time.

        Args:
            message_id: the same for every try of a message; no dot in it.
            at: of this try, UTC.
            body: as it will be sent.
        """
        headers = {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp()))}
        if self._keys:
            headers["webhook-signature"] = " ".join(key.sign(message_id, at, body) for key in self._keys)
        return headers


def _key(secret: SecretStr, place: str) -> Webhook:
    value = secret.get_secret_value()
    if not value.startswith("whsec_"):
        raise SettingsError(f"{place}: must begin with whsec_", mend=MEND)
    try:
        return Webhook(value)
    except (binascii.Error, ValueError, EmptyWebhookSecretError) as error:
        raise SettingsError(f"{place}: after whsec_ there must be base64", mend=MEND) from error
