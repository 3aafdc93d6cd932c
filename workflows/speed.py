"""The speed of a deployment: how many targets stay healthy, how many are worked on at once, and what counts as success.

Source: AWS CodeDeploy user guide, "Instance health" and "Deployment configurations".
"""

from __future__ import annotations

from domain.configs import HALF_AT_A_TIME, MinimumHealthyHosts, MinimumHealthyHostsPerZone, MinimumHealthyHostsType
from domain.deployments import Progress


def floor_of(minimum: MinimumHealthyHosts | MinimumHealthyHostsPerZone, total: int, *, config_name: str = "") -> int:
    """M: how many of `total` targets must stay healthy; frozen when a deployment starts.

    A percentage is rounded up. MOST_CONCURRENCY v keeps all but v. The predefined HalfAtATime deploys to at least one
    target, so that a group of one host can be deployed to; the documented formula would refuse it for ever.
    """
    match minimum.type:
        case MinimumHealthyHostsType.HOST_COUNT:
            floor = minimum.value
        case MinimumHealthyHostsType.FLEET_PERCENT:
            floor = -(-total * minimum.value // 100)
        case MinimumHealthyHostsType.MOST_CONCURRENCY:
            floor = max(0, total - minimum.value)
    return min(floor, max(0, total - 1)) if config_name == HALF_AT_A_TIME else floor


def lanes_of(total: int, floor: int) -> int:
    """K = N - M: how many targets may be in flight together at the start; 0 if the deployment cannot start."""
    return max(0, total - floor)


def succeeded(progress: Progress, floor: int, *, lost_before: int = 0) -> bool:
    """The verdict once nothing is pending and nothing in flight: at least `floor` succeeded, and at least one. Targets
    that were lost in an earlier phase are passed over if lanes get so far, and are not pending where they do not."""
    left = progress.pending - (lost_before - progress.passed)
    return left == 0 and progress.succeeded >= max(1, floor)
