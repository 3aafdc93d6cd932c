"""Hosts: what is known of a machine before, between and after deployments.

Source: AWS CodeDeploy user guide, "Instance health".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from domain.values import Instant, Value


class TargetKind(StrEnum):
    """Where a host lives."""

    EC2 = "EC2"
    ON_PREMISES = "OnPremises"


AGENT_TAG = "slipway:agent"
"""The tag of an EC2 instance whose agent runs under another id than the instance's: it holds the agent's id."""

ADDRESS_TAG = "slipway:address"
"""The tag that says where a host's application listens, as `host` or `host:port`, for load balancers that need it."""
ZONE_TAG = "slipway:zone"
"""The tag that says in which zone an on-premises host is."""


class Instance(Value):
    """A host that may be chosen as a target: an EC2 instance or a registered on-premises one."""

    instance_id: str
    kind: TargetKind
    arn: str
    tags: Mapping[str, str] = {}
    zone: str | None = None
    address: str | None = None
    """Where other machines reach it: an IP address or a name, where that is known without its tag."""
    queue: str | None = None
    """The queue its agent consumes, where it is not `host.<instance_id>`."""
    auto_scaling_groups: tuple[str, ...] = ()
    """Those it is a member of."""
    register_time: Instant = 0.0
    deregister_time: Instant | None = None
    iam_user_arn: str | None = None
    iam_session_arn: str | None = None
    launching: tuple[str, ...] = ()
    """Those of its Auto Scaling groups that have not put it in service yet."""
    leaving: tuple[str, ...] = ()
    """Auto Scaling groups that are about to terminate it: it counts as a member of none of them."""


class ArnHolder(Value):
    """The on-premises instance that was registered with an IAM ARN last. It may have left since."""

    instance_name: str


class Target(Value):
    """A host as one deployment sees it."""

    target_id: str
    arn: str
    queue: str
    zone: str | None = None
    address: str | None = None
    """Where its application listens for load balancers: `host` or `host:port`, where that is known."""

    @property
    def kind(self) -> TargetKind:
        """Where it lives."""
        return TargetKind.EC2 if self.arn.split(":")[2:3] == ["ec2"] else TargetKind.ON_PREMISES


class Fate(StrEnum):
    """What became of a host that is no more."""

    TERMINATED = "terminated"
    DEREGISTERED = "deregistered"


class InstanceHealth(StrEnum):
    """Healthy: the last deployment to the host succeeded. Never deployed to is Unhealthy."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"


class RevisionHealth(StrEnum):
    """The host's revision against its group's target revision."""

    CURRENT = "Current"
    OLD = "Old"
    UNKNOWN = "Unknown"


class HostRecord(Value):
    """What one deployment group remembers of one host between deployments."""

    health: InstanceHealth = InstanceHealth.UNHEALTHY
    revision: str | None = None
    """Identity of the revision the host last installed with success in this group."""
    deployment_id: str | None = None
    """The deployment that last attempted the host."""
    lost_by: str | None = None
    """A deployment that failed here while the host had the group's revision: if that deployment succeeded as a whole,
    what the host holds is Unknown."""


class AgentSeen(Value):
    """When an agent was last heard of."""

    host: str
    at: Instant
    version: str = ""
    root: str = "/"
    started_at: Instant = 0.0
    ahead: float = 0.0
    """Seconds by which the host's clock is ahead of control's; a word that waited in a queue makes it seem behind."""
    every: float = 0.0
    """Seconds between two of its words; 0 where it does not say."""
    grace: float = 0.0
    """Seconds that it lets a script end by itself once its time is over."""
    running: int = 0
    slots: int = 0
    """How many events it carried out then, and how many it could; 0 where it does not say."""
    full_at: Instant | None = None
    """When it last could not have begun another event."""

    @property
    def full(self) -> bool:
        """It carried out as many events as it could."""
        return 0 < self.slots <= self.running
