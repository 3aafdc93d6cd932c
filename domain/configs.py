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


class DeploymentConfig(Value):
    """A named, immutable rule for the speed of deployments."""

    deployment_config_name: str
    deployment_config_id: str
    minimum_healthy_hosts: MinimumHealthyHosts
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
