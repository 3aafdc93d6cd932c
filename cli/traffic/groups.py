"""What calls of the API say of a deployment group behind a load balancer, and the setting that names the balancer."""

from __future__ import annotations

import json
from typing import Any

from cli.traffic.haproxy import BACKEND, HAProxy

NAME = "web"
"""The balancer's name in the settings and in deployment groups."""
BALANCED = {"loadBalancerInfo": {"targetGroupInfoList": [{"name": NAME}]}}
IN_PLACE = {
    **BALANCED,
    "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
}
BLUE_GREEN = {
    **BALANCED,
    "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "blueGreenDeploymentConfiguration": {
        "greenFleetProvisioningOption": {"action": "DISCOVER_EXISTING"},
        "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
        "terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"},
    },
}


def balancer_settings(balancer: HAProxy) -> dict[str, str]:
    """The variables that tell an installation of the balancer."""
    here = {"kind": "haproxy", "address": f"unix://{balancer.runtime}", "backend": BACKEND}
    return {"SLIPWAY_LOAD_BALANCERS": json.dumps({NAME: here})}


def tag_filter(key: str, value: str) -> dict[str, Any]:
    """A filter for hosts with a tag."""
    return {"Key": key, "Value": value, "Type": "KEY_AND_VALUE"}


def green_hosts(key: str, value: str) -> dict[str, Any]:
    """The `targetInstances` of a deployment: the hosts that are to take over."""
    return {"tagFilters": [tag_filter(key, value)]}
