"""A deployment group behind a load balancer, by calls of the API's own operations, and the setting that names the
balancer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from api.operations import instances
from api.operations.applications import create_application
from api.operations.groups import add_group, update_deployment_group
from api.site import Site
from cli.traffic.haproxy import BACKEND, HAProxy
from domain.fleet import ADDRESS_TAG

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
BLUE = {"Key": "color", "Value": "blue", "Type": "KEY_AND_VALUE"}
GREEN_HOSTS: dict[str, Any] = {"tagFilters": [{"Key": "color", "Value": "green", "Type": "KEY_AND_VALUE"}]}
"""The `targetInstances` of a blue/green deployment: the hosts that are to take over."""


def balancer_settings(balancer: HAProxy) -> dict[str, str]:
    """The variables that tell an installation of the balancer."""
    here = {"kind": "haproxy", "address": str(balancer.runtime), "backend": BACKEND}
    return {"SLIPWAY_LOAD_BALANCERS": json.dumps({NAME: here})}


def add_balanced_group(api: Site, application: str, group: str, balancer: HAProxy, *, event_seconds: int) -> None:
    """Make the application, register the balancer's hosts, blue those in service and green the others, and make the
    group of the blue ones, deployed to in place behind the balancer."""
    create_application(api, {"applicationName": application})
    for server in balancer.servers:
        color = "blue" if server.in_service else "green"
        instances.register(api, server.name, {"color": color, ADDRESS_TAG: f"127.0.0.1:{server.port}"})
    names = {"applicationName": application, "deploymentGroupName": group}
    add_group(api, {**names, "onPremisesInstanceTagFilters": [BLUE], **IN_PLACE}, {"eventSeconds": event_seconds})


def change_group(api: Site, application: str, group: str, members: Mapping[str, Any]) -> None:
    """Change how the group is deployed to."""
    update_deployment_group(api, {"applicationName": application, "currentDeploymentGroupName": group, **members})
