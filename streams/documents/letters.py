"""Dead letters: what cannot be read, scored or delivered, with the reason and the original bytes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BeforeValidator, ConfigDict

from streams.documents.scored import Outcome
from streams.documents.wire import Wire, replace_surrogates

__all__ = ["DeadLetter"]


class DeadLetter(Wire):
    """What stands on the dead-letter topic: the original bytes as the value, the rest as headers.

    `reason` is machine-readable and dotted; reasons that begin with ``filtered.`` are documents that the configuration
    asked to leave out.
    """

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    reason: str
    detail: Annotated[str, BeforeValidator(replace_surrogates)]
    stage: Literal["source", "score", "index", "watch", "notify"]
    origin: str
    failed_at: AwareDatetime
    original: bytes
    truncated_from: int | None = None

    @property
    def outcome(self) -> Outcome:
        """FILTERED for reasons under ``filtered.``, else DEAD."""
        return Outcome.FILTERED if self.reason.startswith("filtered.") else Outcome.DEAD

    def headers(self) -> list[tuple[str, bytes]]:
        """Kafka headers, UTF-8."""
        headers = {
            "bellwether-reason": self.reason,
            "bellwether-detail": self.detail[:1000],
            "bellwether-stage": self.stage,
            "bellwether-origin": self.origin,
            "bellwether-failed-at": self.failed_at.isoformat(),
        }
        if self.truncated_from is not None:
            headers["bellwether-truncated-from"] = str(self.truncated_from)
        return [(name, value.encode("utf-8", "replace")) for name, value in headers.items()]

    @classmethod
    def from_record(cls, value: bytes | None, headers: list[tuple[str, bytes]]) -> DeadLetter:
        """Read a record of the dead-letter topic. Raises pydantic's ValidationError if the headers are not ours."""
        found = {name: data.decode("utf-8", "replace") for name, data in headers if data is not None}
        fields: dict[str, Any] = {
            "reason": found.get("bellwether-reason"),
            "detail": found.get("bellwether-detail"),
            "stage": found.get("bellwether-stage"),
            "origin": found.get("bellwether-origin"),
            "failed_at": found.get("bellwether-failed-at"),
            "original": value or b"",
            "truncated_from": found.get("bellwether-truncated-from"),
        }
        return cls.model_validate(fields)
