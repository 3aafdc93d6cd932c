"""How long the engine waits for what, in seconds, and how much there may be of what.

Source: AWS CodeDeploy user guide, "CodeDeploy quotas", for the defaults of the first three; the rest are ours.
"""

from __future__ import annotations

from pydantic import Field

from domain.values import Value


class Limits(Value):
    """Time limits, in seconds."""

    pickup_seconds: int = Field(300, gt=0)
    """An event must be taken up by its agent within this time."""
    event_seconds: int = Field(3600, gt=0)
    """A lifecycle event may run this long, unless its group says otherwise."""
    deployment_seconds: int = Field(43_200, gt=0)
    """A whole in-place deployment may run this long."""
    blue_green_seconds: int = Field(392_400, gt=0)
    """A whole blue/green deployment may run this long."""
    environment_seconds: int = Field(3600, gt=0)
    """The hosts of a green environment must be made, or those of a blue one terminated, within this time."""
    nudge_seconds: float = Field(15.0, gt=0)
    """A lane nothing was heard of for so long has its message sent again; harmless when the first was only slow."""
    look_seconds: float = Field(30.0, gt=0)
    """A running event is looked at this often."""
    silence_seconds: float = Field(120.0, ge=1)
    """An agent silent for so long while its event runs is taken for dead. One that speaks less than twice in that time
    gets twice as long as it is silent on purpose."""
    takeover_seconds: float = Field(15.0, gt=0)
    """The looks of a watch that died, and the programs of a control process that did, are another's after this time."""
    alarm_seconds: float = Field(10.0, gt=0)
    """The alarms of a deployment under way are looked at this often."""
    alarm_patience_seconds: float = Field(60.0, ge=0)
    """An alarm that cannot be read for so long stops the deployment, unless ignorePollAlarmFailure is set."""
    vanished_seconds: float = Field(15.0, ge=1)
    """The hosts at work are looked for this often: those that were terminated or deregistered are given up."""


class Quotas(Value):
    """How much there may be of what. The defaults are AWS's, but for `targets`: AWS stops at 1000."""

    applications: int = Field(1000, ge=1)
    groups_per_application: int = Field(1000, ge=1)
    custom_configs: int = Field(200, ge=1)
    running_deployments: int = Field(1300, ge=1)
    targets: int = Field(20_000, ge=1)
    """Of one deployment."""
    alarms_per_group: int = Field(50, ge=1)
    resource_tags: int = Field(50, ge=1)
