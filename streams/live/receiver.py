"""A webhook receiver on this machine, so that the demo delivers its alerts for real and checks their signatures."""

from __future__ import annotations

import base64
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

__all__ = ["Receiver"]


class Receiver:
    """Listens on a free port of 127.0.0.1 and keeps what verifies, by webhook-id.

    Attributes:
        secret: signing secret, fresh for each receiver.
        url: where to deliver.
        verified: payloads whose signature is right, by webhook-id.
        refused: how many requests had a wrong one.
    """

    def __init__(self) -> None:
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.verified: dict[str, dict[str, Any]] = {}
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, name="webhook receiver", daemon=True)

    @property
    def url(self) -> str:
        """Address of the receiver."""
        return f"http://127.0.0.1:{self._server.server_port}/alerts"

    def resolved_at(self, alert_id: str) -> str | None:
        """When the alert was resolved (event time, ISO 8601); None as long as nobody said that it was."""
        payload = self._of(alert_id, "resolved")
        return None if payload is None else str(payload["data"]["observed"]["end"])

    def has(self, alert_id: str, status: str) -> bool:
        """Whether a notice of the alert with this status has come."""
        return self._of(alert_id, status) is not None

    def _of(self, alert_id: str, status: str) -> dict[str, Any] | None:
        """The newest such notice."""
        names = [name for name in list(self.verified) if name.startswith(f"{alert_id}-") and name.endswith(f"-{status}")]
        return self.verified[names[-1]] if names else None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                try:
                    body = self.rfile.read(int(self.headers.get("content-length", 0)))
                    payload = Webhook(receiver.secret).verify(body, {name.lower(): value for name, value in self.headers.items()})
                # ValueError: a signature that is no signature, a length that is no number, a body that is no JSON.
                except (WebhookVerificationError, ValueError):
                    receiver.refused += 1
                    self.send_response(401)
                else:
                    receiver.verified[self.headers["webhook-id"]] = payload
                    self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Standard error belongs to the view."""

        return Handler
