"""Blue/green deployments without AWS, through boto3: killed in every phase, and every way to fail.

Real agents, real control, watch and API processes, a program that makes hosts, a balancer that the test moves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import wait_until
from tests.stories.blue_green_site import (
    BEFORE_TRAFFIC,
    INTO_TRAFFIC,
    OUT_OF_TRAFFIC,
    BlueGreenSite,
    blue_green_site,
)

MACHINES = ("vm-1", "vm-2", "vm-3", "vm-4")
WAIT = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 10}
AT_ONCE = {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
TERMINATE = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 10}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlueGreenSite]:
    with blue_green_site(tmp_path_factory.mktemp("blue-green"), MACHINES, ("vms",)) as site:
        yield site


def test_killed_in_every_phase(here: BlueGreenSite) -> None:
    client, balancer = here.client, here.balancer
    here.add_group("vms", ready=WAIT, ending=TERMINATE)
    blue, green = ("vm-1", "vm-2"), ("vm-3", "vm-4")
    first = here.deploy("vms", here.version("v1"))
    here.until(first, "Ready")
    client.continue_deployment(deploymentId=first)
    assert here.until(first, "Succeeded")["deploymentOverview"]["Succeeded"] == 2
    assert balancer.serving == here.members("vms") == set(blue)

    held = here.hold_program("make")
    second = here.deploy("vms", here.version("v2"))
    wait_until(lambda: here.calls("make") == 2, "the program that makes hosts")
    is_shown(here, second, "InProgress", blue="Pending")
    not_yet(here, second, "READY_WAIT")
    here.crash()
    held.unlink()

    held = here.hold("AfterInstall")
    wait_until(lambda: "AfterInstall" in here.hooks("vm-3", second), "AfterInstall on vm-3")
    is_shown(here, second, "InProgress", blue="Pending", green=("InProgress", "Pending"))
    not_yet(here, second, "READY_WAIT")
    here.crash()
    held.unlink()

    here.until(second, "Ready")
    not_yet(here, second, "TERMINATION_WAIT")
    here.crash()
    is_shown(here, second, "Ready", blue="Pending", green="Ready")
    assert balancer.serving == set(blue)

    balancer.held = {"allow"}
    client.continue_deployment(deploymentId=second, deploymentWaitType="READY_WAIT")
    wait_until(lambda: balancer.steps("allow", "vm-3"), "vm-3 on its way into traffic")
    is_shown(here, second, "InProgress", blue="Pending", green=("InProgress", "Ready"))
    here.crash()
    balancer.held = {"block"}

    wait_until(lambda: all(balancer.steps("block", host) for host in blue), "blue on its way out of traffic")
    is_shown(here, second, "InProgress", blue="InProgress", green="Succeeded")
    assert balancer.serving == {*blue, *green}
    here.crash()
    balancer.held = set()

    wait_until(lambda: here.info(second)["instanceTerminationWaitTimeStarted"], "the wait before blue is terminated")
    is_shown(here, second, "InProgress", blue="Succeeded", green="Succeeded", waiting=True)
    assert balancer.serving == set(green)
    not_yet(here, second, "READY_WAIT")
    here.crash()
    assert here.calls("remove") == 0

    held = here.hold_program("remove")
    client.skip_wait_time_for_instance_termination(deploymentId=second)
    wait_until(lambda: here.calls("remove"), "the program that removes hosts")
    assert here.members("vms") == {*blue, *green}
    not_yet(here, second, "TERMINATION_WAIT")
    here.crash()
    held.unlink()

    info = here.until(second, "Succeeded")
    is_shown(here, second, "Succeeded", blue="Succeeded", green="Succeeded", waiting=True)
    assert "deploymentStatusMessages" not in info
    assert balancer.serving == here.members("vms") == set(green)
    assert here.taken() == dict.fromkeys(green, second)
    for host in green:
        assert here.hooks(host, second) == [*BEFORE_TRAFFIC, *INTO_TRAFFIC]
    for host in blue:
        assert here.hooks(host, second) == list(OUT_OF_TRAFFIC)
    for end in (client.continue_deployment, client.skip_wait_time_for_instance_termination):
        with pytest.raises(client.exceptions.DeploymentAlreadyCompletedException):
            end(deploymentId=second)


def is_shown(
    here: BlueGreenSite,
    deployment_id: str,
    status: str,
    *,
    blue: str,
    green: str | tuple[str, str] = (),
    waiting: bool = False,
) -> None:
    """What clients see of a deployment from vm-1 and vm-2 to vm-3 and vm-4."""
    info = here.info(deployment_id)
    assert (info["status"], info["instanceTerminationWaitTimeStarted"]) == (status, waiting)
    of_green = (green, green) if isinstance(green, str) else green
    shown = {host: ("Blue", blue) for host in ("vm-1", "vm-2")}
    shown |= {host: ("Green", each) for host, each in zip(("vm-3", "vm-4"), of_green, strict=False)}
    assert here.targets(deployment_id) == shown
    counted = {name: count for name, count in info["deploymentOverview"].items() if count}
    assert counted == Counter(each for _, each in shown.values())


def not_yet(here: BlueGreenSite, deployment_id: str, wait: str) -> None:
    """The deployment does not wait for that."""
    with pytest.raises(here.client.exceptions.DeploymentIsNotInReadyStateException):
        here.client.continue_deployment(deploymentId=deployment_id, deploymentWaitType=wait)
