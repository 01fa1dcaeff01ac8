"""Settings of Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from streams.settings.section import Section
from streams.settings.values import HostPort, Seconds

__all__ = ["KafkaSettings"]


class KafkaSettings(Section):
    """Connection to Kafka; the security settings reach Faust, kafka-python and every other client alike."""

    bootstrap_servers: HostPort = Field("127.0.0.1:9092", description="Brokers to ask first", examples=["kafka-1:9092,kafka-2:9092"])
    group: str = Field("bellwether", description="Consumer group", min_length=1, examples=["bellwether"])
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers", examples=["SASL_SSL"]
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism", examples=["SCRAM-SHA-512"]
    )
    sasl_username: str | None = Field(None, description="SASL user", examples=["bellwether"])
    sasl_password: SecretStr | None = Field(None, description="SASL password", examples=["…"])
    ssl_cafile: Path | None = Field(None, description="CA certificates (PEM)", examples=["/etc/ssl/kafka-ca.pem"])
    ssl_certfile: Path | None = Field(None, description="Client certificate (PEM)", examples=["/etc/ssl/client.pem"])
    ssl_keyfile: Path | None = Field(None, description="Key of the client certificate (PEM)", examples=["/etc/ssl/client.key"])
    request_timeout: Seconds = Field(30.0, description="Seconds until a request to a broker counts as failed", examples=[30])

    @field_validator("sasl_password")
    @classmethod
    def _both_or_none(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if info.data.get("security_protocol", "").startswith("SASL") and (value is None or not info.data.get("sasl_username")):
            raise ValueError("security_protocol asks for SASL: sasl_username and sasl_password are needed")
        return value
