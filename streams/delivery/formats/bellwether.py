"""Our own body: the payload that the Standard Webhooks specification recommends, with the whole alert as its data.

Its JSON Schema is ``docs/schemas/alert.json``; ``python -m streams.delivery.formats.bellwether FILE`` writes it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from streams.documents import Alert, AlertStatus
from streams.documents.wire import Wire

__all__ = ["AlertMessage", "alert_schema", "body"]

SCHEMA_ID = "https://bellwether.example/schemas/alert.json"


class AlertMessage(Wire):
    """What a receiver of the format ``bellwether`` is sent."""

    type: Literal["alert.firing", "alert.resolved"] = Field(description="What happened")
    timestamp: AwareDatetime = Field(description="When: end of the window that was judged (event time, UTC)")
    data: Alert = Field(description="The alert")


def body(alert: Alert) -> str:
    """The message as JSON. The same bytes for every try of it."""
    payload = {
        "type": "alert.resolved" if alert.status is AlertStatus.RESOLVED else "alert.firing",
        "timestamp": alert.observed.end.astimezone(UTC).isoformat(),
        "data": alert.model_dump(mode="json"),
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def alert_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the message, as it is written."""
    schema = AlertMessage.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def _write(file: Path) -> None:
    file.write_text(json.dumps(alert_schema(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
