"""Any other balancer, behind a URL of its owner's: each step is a signed POST, answered with whether it is done.

The contract is in docs/balancers.md.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable

from adapters.exchange import Answer, exchange
from adapters.load_balancers.naming import shown
from domain.errors import BalancerRefuses, WorldError
from domain.fleet import Target
from domain.traffic import Standing

MOST_BYTES = 64 * 1024
_DETAIL = 300
_REFUSED = frozenset({409, 422})


class WebhookBalancer:
    """A balancer that its owner moves; `secret` signs what is asked."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        secret: str,
        seconds: float = 10.0,
        ca_file: str | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._name, self._url, self._secret = name, url, secret.encode()
        self._seconds, self._ca_file, self._now = seconds, ca_file, now

    def block(self, target: Target, *, waited: float) -> Standing:
        """Done when the other side says so; how long it drains is its affair."""
        return self._step("block", target, waited)

    def allow(self, target: Target, *, waited: float) -> Standing:
        """Done when the other side says so."""
        return self._step("allow", target, waited)

    def check(self) -> None:
        """Nothing: what stands behind the URL is known when it is asked, and nothing can be asked without doing it."""

    def _step(self, action: str, target: Target, waited: float) -> Standing:
        asked = {
            "action": action,
            "balancer": self._name,
            "target": {
                "id": target.target_id,
                "arn": target.arn,
                "address": target.address,
                "zone": target.zone,
            },
            "waitedSeconds": round(waited, 3),
        }
        return self._read(self._post(json.dumps(asked).encode()))

    def _post(self, body: bytes) -> Answer:
        at = str(int(self._now()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "slipway",
            "X-Slipway-Timestamp": at,
            "X-Slipway-Signature": "sha256=" + signature(self._secret, at, body),
        }
        return exchange(
            "POST",
            self._url,
            headers=headers,
            body=body,
            seconds=self._seconds,
            most=MOST_BYTES,
            ca_file=self._ca_file,
        )

    def _read(self, answer: Answer) -> Standing:
        said = _detail(answer.body)
        if answer.status in _REFUSED:
            raise BalancerRefuses(f"The webhook of {self._name} refuses ({answer.status}): {said}")
        if answer.status != 200:
            raise WorldError(f"the webhook of {self._name} answers {answer.status}: {said}")
        done = _member(answer.body, "done")
        if not isinstance(done, bool):
            raise WorldError(f'the webhook of {self._name} answers without "done": true or false: {said}')
        return Standing(done=done, detail=said)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """The HMAC-SHA256 of the timestamp, a full stop and the body, in hex."""
    return hmac.digest(secret, timestamp.encode() + b"." + body, "sha256").hex()


def _member(body: bytes, name: str) -> object:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer.get(name) if isinstance(answer, dict) else None


def _detail(body: bytes) -> str:
    told = _member(body, "detail")
    if isinstance(told, str):
        return " ".join("".join(c if c.isprintable() else " " for c in told[:_DETAIL]).split())
    return "" if _member(body, "done") is not None else shown(body[:_DETAIL].decode(errors="replace"))
