"""State-change events on a bus of EventBridge."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from adapters.aws import Aws, answering
from adapters.publishers.eventbridge_form import STATES, eventbridge_event
from adapters.publishers.origin import Origin
from domain.channels import Delivery
from domain.errors import CannotBegin, PublishRefused, WorldError
from domain.happenings import Happening

MOST_ENTRIES = 10
REFUSED = frozenset({"MalformedDetail", "InvalidArgument"})
"""Answers about one event that stay the same."""


class EventBridgePublisher:
    """Puts events on a bus. EventBridge gives each an id of its own; ours is `eventId` in the detail."""

    patience: float | None = None

    def __init__(self, aws: Aws, origin: Origin, *, bus: str, source: str) -> None:
        self._aws, self._origin, self._bus, self._source = aws, origin, bus, source

    def wants(self, happening: Happening) -> bool:
        """What EventBridge has a state for."""
        return happening.type in STATES

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell the first ten."""
        return Delivery(done=self._put([self._entry(happening) for happening in happenings[:MOST_ENTRIES]]))

    def _entry(self, happening: Happening) -> dict[str, Any]:
        event = eventbridge_event(happening, self._origin, source=self._source)
        assert event is not None  # noqa: S101  (only what has a state is wanted)
        return {
            "Time": datetime.fromtimestamp(happening.at, UTC),
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Resources": event["resources"],
            "Detail": json.dumps({**event["detail"], "eventId": happening.event_id}),
            "EventBusName": self._bus,
        }

    def _put(self, entries: Sequence[Mapping[str, Any]]) -> int:
        """How many were taken before the first that was not."""
        try:
            client = self._aws.client("events")
            with answering("events", "PutEvents"):
                answers = client.put_events(Entries=entries)["Entries"]
        except CannotBegin as error:
            raise WorldError(error.message) from error
        taken = len(list(takewhile(lambda answer: not answer.get("ErrorCode"), answers)))
        if taken == 0:
            code, text = answers[0].get("ErrorCode"), answers[0].get("ErrorMessage")
            refuse = PublishRefused if code in REFUSED else WorldError
            raise refuse(f"EventBridge does not take an event on the bus {self._bus} ({code}: {text})")
        return taken
