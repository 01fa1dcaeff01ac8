"""Settings of the delivery."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, field_validator

from streams.settings.section import Section
from streams.settings.values import Count, HttpUrl, Network, Seconds

__all__ = ["WebhookSettings"]


class WebhookSettings(Section):
    """Where alerts go whose rule names no channel, signed by the Standard Webhooks scheme; and what holds for every channel."""

    urls: tuple[HttpUrl, ...] = Field((), description="Receivers", examples=[["https://ops.example/hooks/bellwether"]])
    secrets: tuple[SecretStr, ...] = Field(
        (), description="Further signing secrets, while they are exchanged: each signs, after `secret`", examples=[["whsec_…"]]
    )
    secret: SecretStr | None = Field(None, description="Signing secret, whsec_ and base64", examples=["whsec_…"])
    timeout: Seconds = Field(10.0, description="Seconds until a delivery counts as failed", examples=[10])
    attempts: Count = Field(10, description="Tries until a delivery is given up, some three days after the first", examples=[10])
    allow_networks: tuple[Network, ...] = Field(
        (), description="Networks (CIDR) that alerts may go to although they are not public", examples=[["10.20.0.0/16"]]
    )
    log_days: Count = Field(90, description="Days that the log of deliveries is kept, in whole months", examples=[90])

    @field_validator("secrets")
    @classmethod
    def _each_with_its_prefix(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(secret.get_secret_value().startswith("whsec_") for secret in value):
            raise ValueError("each must begin with whsec_")
        return value

    @field_validator("secret")
    @classmethod
    def _needed(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if info.data.get("urls") and value is None and not info.data.get("secrets"):
            raise ValueError("webhook.urls is set: a signing secret is needed")
        if value is not None and not value.get_secret_value().startswith("whsec_"):
            raise ValueError("must begin with whsec_")
        return value
