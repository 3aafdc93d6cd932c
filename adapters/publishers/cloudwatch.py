"""Deployments and hosts as metrics of CloudWatch; docs/notifications.md lists them.

CloudWatch knows no ids: what is told again after a lost answer is counted again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.aws import Aws, answering
from domain.channels import Delivery
from domain.errors import CannotBegin, WorldError
from domain.happenings import TERMINAL, Happening, HappeningType

METRICS: Mapping[HappeningType, str] = {
    HappeningType.DEPLOYMENT_START: "DeploymentsCreated",
    HappeningType.DEPLOYMENT_SUCCESS: "DeploymentsSucceeded",
    HappeningType.DEPLOYMENT_FAILURE: "DeploymentsFailed",
    HappeningType.DEPLOYMENT_STOP: "DeploymentsStopped",
    HappeningType.INSTANCE_SUCCESS: "InstancesSucceeded",
    HappeningType.INSTANCE_FAILURE: "InstancesFailed",
}
DURATION = "DeploymentDuration"
OLDEST = 13 * 86_400.0
"""CloudWatch takes nothing that is two weeks old."""


class CloudWatchPublisher:
    """Puts metrics into one namespace, with the dimensions Application and DeploymentGroup."""

    patience: float | None = OLDEST

    def __init__(self, aws: Aws, *, namespace: str, now: Callable[[], float]) -> None:
        self._aws, self._namespace, self._now = aws, namespace, now

    def wants(self, happening: Happening) -> bool:
        """What counts for a metric."""
        return happening.type in METRICS

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell all of them in one call, but for those that CloudWatch would not take any more."""
        fresh = [each for each in happenings if self._now() - each.at < OLDEST]
        data = [datum for happening in fresh for datum in _data(happening)]
        if data:
            self._put(data)
        return Delivery(done=len(happenings), left_out=len(happenings) - len(fresh))

    def _put(self, data: Sequence[Mapping[str, Any]]) -> None:
        try:
            client = self._aws.client("cloudwatch")
            with answering("cloudwatch", "PutMetricData"):
                client.put_metric_data(Namespace=self._namespace, MetricData=data)
        except CannotBegin as error:
            raise WorldError(error.message) from error


def _data(happening: Happening) -> Iterator[dict[str, Any]]:
    dimensions = {"Application": happening.application_name, "DeploymentGroup": happening.deployment_group_name}
    about = {
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Timestamp": datetime.fromtimestamp(happening.at, UTC),
    }
    yield {"MetricName": METRICS[happening.type], "Value": 1.0, "Unit": "Count", **about}
    if happening.type in TERMINAL and happening.create_time is not None:
        seconds = max(0.0, happening.at - happening.create_time)
        yield {"MetricName": DURATION, "Value": seconds, "Unit": "Seconds", **about}
