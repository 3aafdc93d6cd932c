"""Deployment configurations: how many targets must stay healthy while others are being deployed to.

Source: AWS CodeDeploy user guide, "Working with deployment configurations".
"""

from __future__ import annotations

from enum import StrEnum

from domain.values import Instant, Value


class MinimumHealthyHostsType(StrEnum):
    """How a minimum is counted. MOST_CONCURRENCY is what AWS answers for OneAtATime; callers may not create it."""

    HOST_COUNT = "HOST_COUNT"
    FLEET_PERCENT = "FLEET_PERCENT"
    MOST_CONCURRENCY = "MOST_CONCURRENCY"


class MinimumHealthyHosts(Value):
    """The least number (or percentage) of targets that stay healthy."""

    type: MinimumHealthyHostsType
    value: int


class MinimumHealthyHostsPerZone(Value):
    """The least number (or percentage) of a zone's targets that stay healthy."""

    type: MinimumHealthyHostsType
    value: int


class ZonalConfig(Value):
    """One zone after the other, and how long to look on after each; seconds."""

    first_zone_monitor_duration_in_seconds: int | None = None
    monitor_duration_in_seconds: int | None = None
    minimum_healthy_hosts_per_zone: MinimumHealthyHostsPerZone | None = None


class DeploymentConfig(Value):
    """A named, immutable rule for the speed of deployments."""

    deployment_config_name: str
    deployment_config_id: str
    minimum_healthy_hosts: MinimumHealthyHosts
    zonal_config: ZonalConfig | None = None
    create_time: Instant = 0.0
    compute_platform: str = "Server"


ALL_AT_ONCE = "CodeDeployDefault.AllAtOnce"
HALF_AT_A_TIME = "CodeDeployDefault.HalfAtATime"
ONE_AT_A_TIME = "CodeDeployDefault.OneAtATime"

PREDEFINED: dict[str, DeploymentConfig] = {
    config.deployment_config_name: config
    for config in (
        DeploymentConfig(
            deployment_config_name=ONE_AT_A_TIME,
            deployment_config_id="00000000-0000-0000-0000-000000000001",
            minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.MOST_CONCURRENCY, value=1),
        ),
        DeploymentConfig(
            deployment_config_name=HALF_AT_A_TIME,
            deployment_config_id="00000000-0000-0000-0000-000000000002",
            minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.FLEET_PERCENT, value=50),
        ),
        DeploymentConfig(
            deployment_config_name=ALL_AT_ONCE,
            deployment_config_id="00000000-0000-0000-0000-000000000003",
            minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=0),
        ),
    )
}


class RoutingConfig(Value):
    """A predefined configuration of another compute platform: listed and shown as AWS does, of no use to servers."""

    deployment_config_name: str
    compute_platform: str
    type: str
    percentage: int | None = None
    interval: int | None = None
    """Minutes."""


def _routing(
    platform: str, name: str, kind: str, percentage: int | None = None, interval: int | None = None
) -> RoutingConfig:
    return RoutingConfig(
        deployment_config_name=f"CodeDeployDefault.{platform}{name}",
        compute_platform=platform,
        type=kind,
        percentage=percentage,
        interval=interval,
    )


ROUTING: dict[str, RoutingConfig] = {
    config.deployment_config_name: config
    for config in (
        _routing("Lambda", "AllAtOnce", "AllAtOnce"),
        *(_routing("Lambda", f"Canary10Percent{m}Minutes", "TimeBasedCanary", 10, m) for m in (5, 10, 15, 30)),
        _routing("Lambda", "Linear10PercentEvery1Minute", "TimeBasedLinear", 10, 1),
        *(_routing("Lambda", f"Linear10PercentEvery{m}Minutes", "TimeBasedLinear", 10, m) for m in (2, 3, 10)),
        _routing("ECS", "AllAtOnce", "AllAtOnce"),
        *(_routing("ECS", f"Linear10PercentEvery{m}Minutes", "TimeBasedLinear", 10, m) for m in (1, 3)),
        *(_routing("ECS", f"Canary10Percent{m}Minutes", "TimeBasedCanary", 10, m) for m in (5, 15)),
    )
}
"""The predefined configurations of Lambda and ECS, by name."""
