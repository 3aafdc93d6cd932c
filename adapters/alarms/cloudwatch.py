"""Alarms of Amazon CloudWatch, metric alarms and composite ones, by their names.

Source: Amazon CloudWatch API reference, DescribeAlarms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.alarms.readings import unreadable
from adapters.aws import Aws
from adapters.load_balancers.naming import shown
from domain.alarms import AlarmReading, AlarmState
from domain.errors import CannotBegin, WorldError

MOST_NAMES = 100
"""Of one call."""
KIND = "cloudwatch"


class CloudWatchAlarms:
    """The alarms of one account in one region."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def read(self, names: Sequence[str]) -> Mapping[str, AlarmReading]:
        """As many calls as it takes, each for up to a hundred of them."""
        found: dict[str, AlarmReading] = {}
        for at in range(0, len(names), MOST_NAMES):
            asked = names[at : at + MOST_NAMES]
            try:
                told = dict(self._described(asked))
            except (WorldError, CannotBegin) as error:
                found |= dict.fromkeys(asked, unreadable(KIND, error))
            else:
                found |= {name: told.get(name) or self._missing(name) for name in asked}
        return found

    def _described(self, names: Sequence[str]) -> Iterator[tuple[str, AlarmReading]]:
        # Without AlarmTypes only metric alarms are told of.
        pages = self._aws.pages(
            "cloudwatch", "describe_alarms", AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        for page in pages:
            for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ())):
                yield alarm["AlarmName"], _reading(alarm)

    def _missing(self, name: str) -> AlarmReading:
        region = self._aws.client("cloudwatch").meta.region_name
        text = f"There is no CloudWatch alarm {shown(name)} in {region}."
        return AlarmReading(kind=KIND, detail=text, lasting=True)


def _reading(alarm: Mapping[str, Any]) -> AlarmReading:
    said = str(alarm.get("StateValue"))
    if said not in AlarmState.__members__:
        return AlarmReading(kind=KIND, detail=f"CloudWatch says that its state is {shown(said)}.")
    reason = shown(str(alarm.get("StateReason", ""))) if said == AlarmState.ALARM else ""
    return AlarmReading(kind=KIND, state=AlarmState(said), detail=reason)
