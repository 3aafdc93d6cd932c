"""An alarm that is a query to Prometheus, or to what speaks like it: active while the query answers with any sample, or
with one above or below a bound.

Source: Prometheus documentation, "HTTP API", "Instant queries".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from adapters.alarms.login import authorization
from adapters.exchange import Answer, exchange
from adapters.load_balancers.naming import shown
from domain.alarms import AlarmReading, AlarmState
from domain.errors import AlarmUnreadable, WorldError

MOST_BYTES = 256 * 1024
_LASTING = frozenset({400, 401, 403})
"""Answers that stay the same until somebody mends the query or the login."""


class PrometheusAlarm:
    """`url` is what comes before /api/v1. With no bound any sample makes the alarm active, as in Prometheus' rules."""

    kind = "prometheus"

    def __init__(
        self,
        *,
        url: str,
        query: str,
        above: float | None = None,
        below: float | None = None,
        seconds: float = 5.0,
        username: str = "",
        password: str = "",
        token: str = "",
        ca_file: str | None = None,
    ) -> None:
        self._url, self._above, self._below = f"{url.rstrip('/')}/api/v1/query", above, below
        self._seconds, self._ca_file = seconds, ca_file
        self._bounded = above is not None or below is not None
        # One sample is enough where any will do; with bounds every series has to be looked at.
        asked = {
            "query": query,
            "timeout": f"{max(1, math.floor(seconds * 1000))}ms",
            **({} if self._bounded else {"limit": "1"}),
        }
        self._body = urlencode(asked).encode()
        self._headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "slipway",
            **authorization(username=username, password=password, token=token),
        }

    def read(self) -> AlarmReading:
        """Raises AlarmUnreadable for a query or a login that Prometheus refuses."""
        answer = exchange(
            "POST",
            self._url,
            headers=self._headers,
            body=self._body,
            seconds=self._seconds,
            most=MOST_BYTES,
            ca_file=self._ca_file,
        )
        kind, samples = _samples(_result(answer))
        return self._by_bounds(samples) if self._bounded else self._by_any(kind, samples)

    def _by_any(self, kind: str, samples: Sequence[float]) -> AlarmReading:
        if kind == "scalar":
            raise AlarmUnreadable(
                "The query answers with a plain number, which is always there: say above or below in the setting."
            )
        if not samples:
            return AlarmReading(kind=self.kind, state=AlarmState.OK)
        return AlarmReading(kind=self.kind, state=AlarmState.ALARM, detail=f"the query answers {samples[0]:g}")

    def _by_bounds(self, samples: Sequence[float]) -> AlarmReading:
        numbers = [number for number in samples if not math.isnan(number)]
        if not numbers:
            return AlarmReading(
                kind=self.kind, state=AlarmState.INSUFFICIENT_DATA, detail="the query answers with no number"
            )
        if self._above is not None and (most := max(numbers)) > self._above:
            return AlarmReading(kind=self.kind, state=AlarmState.ALARM, detail=f"{most:g} is above {self._above:g}")
        if self._below is not None and (least := min(numbers)) < self._below:
            return AlarmReading(kind=self.kind, state=AlarmState.ALARM, detail=f"{least:g} is below {self._below:g}")
        return AlarmReading(kind=self.kind, state=AlarmState.OK)


def _result(answer: Answer) -> Mapping[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    members = told if isinstance(told, dict) else {}
    problem = shown(str(members.get("error", ""))) if members else shown(answer.body[:200].decode(errors="replace"))
    said = f"({answer.status}): {problem}" if problem.strip("'") else f"({answer.status})"
    if answer.status in _LASTING:
        raise AlarmUnreadable(f"Prometheus refuses the query {said}")
    data = members.get("data")
    if answer.status != 200 or members.get("status") != "success" or not isinstance(data, dict):
        raise WorldError(f"Prometheus does not answer the query as it should {said}")
    return data


def _samples(data: Mapping[str, Any]) -> tuple[str, Sequence[float]]:
    """The type of a result, and its numbers; NaN for a sample that is none."""
    kind, result = data.get("resultType"), data.get("result")
    if kind not in {"vector", "scalar"}:
        raise AlarmUnreadable(f"The query answers with a {shown(str(kind))}; it must be a vector or a number.")
    if kind == "scalar":
        return "scalar", [_number(result)]
    if not isinstance(result, list):
        raise WorldError("Prometheus answers with a vector that is none")
    return "vector", [_number(each.get("value") if isinstance(each, dict) else None) for each in result]


def _number(sample: object) -> float:
    if isinstance(sample, list) and len(sample) == 2 and isinstance(sample[1], str):
        try:
            return float(sample[1])
        except ValueError:
            pass
    return math.nan
