"""Any other receiver, behind a URL of its owner's: each happening is a signed POST. What a receiver may rely on, and
must answer, is in docs/notifications.md.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Collection, Sequence

from adapters.exchange import Answer, exchange
from adapters.publishers.forms import FORMS
from adapters.publishers.origin import Origin
from domain.channels import Delivery
from domain.errors import PublishRefused, WorldError
from domain.happenings import Happening, HappeningType

PATIENCE = 86_400.0
"""Seconds after which what a receiver has not taken becomes a dead letter."""
REFUSED = frozenset({400, 410, 413, 415, 422})
"""Answers that concern this very event."""


class WebhookPublisher:
    """One receiver; `secret` signs what it is told, `events` is what it wants to hear of (none named: all)."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        secret: str,
        origin: Origin,
        form: str = "slipway",
        events: Collection[HappeningType] = (),
        seconds: float = 10.0,
        patience: float = PATIENCE,
        ca_file: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._url, self._secret = name, url, secret.encode()
        self._origin, self._form, self._events = origin, FORMS[form], frozenset(events)
        self._seconds, self._ca_file, self._now = seconds, ca_file, now
        self.patience: float | None = patience

    def wants(self, happening: Happening) -> bool:
        """What the receiver named, if it named any, and has a form."""
        named = not self._events or not happening.kinds.isdisjoint(self._events)
        return named and happening.type in self._form.kinds

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell the first."""
        first = happenings[0]
        self._read(self._post(first, self._form.text(first, self._origin, self._name).encode()))
        return Delivery(done=1)

    def _post(self, happening: Happening, body: bytes) -> Answer:
        at = str(int(self._now()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "slipway",
            "X-Slipway-Event-Id": happening.event_id,
            "X-Slipway-Event-Type": happening.type.value,
            "X-Slipway-Timestamp": at,
            "X-Slipway-Signature": "sha256=" + signature(self._secret, at, happening.event_id, body),
        }
        return exchange(
            "POST",
            self._url,
            headers=headers,
            body=body,
            seconds=self._seconds,
            most=None,
            ca_file=self._ca_file,
        )

    def _read(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            return
        text = f"the webhook {self._name} answers {answer.status}"
        raise PublishRefused(text) if answer.status in REFUSED else WorldError(text)


def signature(secret: bytes, timestamp: str, event_id: str, body: bytes) -> str:
    """The HMAC-SHA256 of timestamp, event id and body, joined by full stops, in hex."""
    return hmac.digest(secret, f"{timestamp}.{event_id}.".encode() + body, "sha256").hex()
