"""A host's report on its way from one task of its chain to the next."""

from __future__ import annotations

from typing import Any

from domain.reports import HostReport
from workflows.canvas import wire


class Reported:
    """JSON for the broker, a few words for Flower and the logs."""

    def __init__(self, report: HostReport) -> None:
        self._report = report

    def __json__(self) -> dict[str, Any]:
        # Kombu's JSON encoder asks for this.
        return wire(self._report)

    def __repr__(self) -> str:
        last = self._report.outcomes[-1]
        return f"{last.event} {last.status} on {self._report.order.target_id}"
