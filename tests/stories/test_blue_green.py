"""Blue/green deployments without AWS, through boto3: killed in every phase, and every way to fail.

Real agents, real control, watch and API processes, a program that makes hosts, a balancer that the test moves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.services import wait_until
from tests.stories.api_process import events, targets
from tests.stories.blue_green_site import (
    BEFORE_TRAFFIC,
    INTO_TRAFFIC,
    OUT_OF_TRAFFIC,
    BlueGreenSite,
    blue_green_site,
)

MACHINES = ("vm-1", "vm-2", "vm-3", "vm-4")
WAIT = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 10}
NO_WAIT = {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
TERMINATE = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 10}
KEEP = {"action": "KEEP_ALIVE"}
TOLD = {
    "DeploymentStart": 1,
    "DeploymentReady": 1,
    "DeploymentSuccess": 1,
    "InstanceStart": 4,
    "InstanceReady": 2,
    "InstanceSuccess": 4,
}
Hosts = tuple[str, ...]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlueGreenSite]:
    """The group vms, which has two hosts in traffic; each environment may take two more."""
    folder = tmp_path_factory.mktemp("blue-green")
    with blue_green_site(folder, MACHINES, ("vms", "idle", "stopped", "unfit", "astray")) as site:
        site.add_group("vms", ready=WAIT, ending=TERMINATE)
        first = site.deploy("vms", site.version("v0"))
        site.until(first, "Ready")
        site.client.continue_deployment(deploymentId=first)
        assert site.until(first, "Succeeded")["deploymentOverview"]["Succeeded"] == 2
        yield site
        assert site.errors() == []


@pytest.fixture
def sides(here: BlueGreenSite) -> tuple[Hosts, Hosts]:
    """The machines of the group vms, and those that are its next green."""
    blue = tuple(sorted(here.members("vms")))
    assert here.balancer.serving.issuperset(blue)
    return blue, tuple(name for name in MACHINES if name not in blue)


def test_killed_in_every_phase(here: BlueGreenSite, sides: tuple[Hosts, Hosts]) -> None:
    client, balancer = here.client, here.balancer
    blue, green = sides
    pending = dict.fromkeys(blue, "Pending")
    ran, removed = here.calls("make"), here.calls("remove")

    held = here.hold_program("make")
    killed = here.deploy("vms", here.version("v1"))
    wait_until(lambda: here.calls("make") > ran, "the program that makes hosts")
    is_shown(here, killed, "InProgress", blue=pending)
    not_yet(here, killed, "READY_WAIT")
    here.crash()
    held.unlink()

    held = here.hold("AfterInstall")
    wait_until(lambda: "AfterInstall" in here.hooks(green[0], killed), f"AfterInstall on {green[0]}")
    is_shown(here, killed, "InProgress", blue=pending, green={green[0]: "InProgress", green[1]: "Pending"})
    not_yet(here, killed, "READY_WAIT")
    here.crash()
    held.unlink()

    here.until(killed, "Ready")
    not_yet(here, killed, "TERMINATION_WAIT")
    here.crash()
    is_shown(here, killed, "Ready", blue=pending, green=dict.fromkeys(green, "Ready"))
    assert balancer.serving.isdisjoint(green)

    balancer.held = {"allow"}
    client.continue_deployment(deploymentId=killed, deploymentWaitType="READY_WAIT")
    wait_until(lambda: balancer.steps("allow", green[0]), f"{green[0]} on its way into traffic")
    is_shown(here, killed, "InProgress", blue=pending, green={green[0]: "InProgress", green[1]: "Ready"})
    here.crash()
    balancer.held = {"block"}

    wait_until(lambda: all(balancer.steps("block", host) for host in blue), "blue on its way out of traffic")
    done = dict.fromkeys(green, "Succeeded")
    is_shown(here, killed, "InProgress", blue=dict.fromkeys(blue, "InProgress"), green=done)
    assert balancer.serving.issuperset({*blue, *green})
    asked = balancer.steps("block", blue[0])
    wait_until(lambda: balancer.steps("block", blue[0]) > asked + 5, "more looks")
    log = here.site.slipway("logs", killed, blue[0], "BlockTraffic").stdout.splitlines()
    assert log == [f"{blue[0]} out of traffic at edge", "edge: held by hand"]
    here.crash()
    balancer.held = set()

    wait_until(lambda: here.info(killed)["instanceTerminationWaitTimeStarted"], "the wait before blue is terminated")
    *_, last = here.site.slipway("logs", killed, blue[0], "BlockTraffic").stdout.splitlines()
    assert last == "edge: block was done by hand"
    gone = dict.fromkeys(blue, "Succeeded")
    is_shown(here, killed, "InProgress", blue=gone, green=done, waiting=True)
    not_yet(here, killed, "READY_WAIT")
    here.crash()
    assert here.calls("remove") == removed

    held = here.hold_program("remove")
    client.skip_wait_time_for_instance_termination(deploymentId=killed)
    wait_until(lambda: here.calls("remove") > removed, "the program that removes hosts")
    assert here.members("vms") == {*blue, *green}
    not_yet(here, killed, "TERMINATION_WAIT")
    here.crash()
    held.unlink()

    info = here.until(killed, "Succeeded")
    is_shown(here, killed, "Succeeded", blue=gone, green=done, waiting=True)
    assert "deploymentStatusMessages" not in info
    wait_until(lambda: here.told(killed)["DeploymentSuccess"], "the terminal event")
    assert here.told(killed) == TOLD
    green_is_blue(here, killed, blue, green)


def test_the_next_one_starts_from_the_present_green(here: BlueGreenSite, sides: tuple[Hosts, Hosts]) -> None:
    blue, green = sides
    later = here.deploy("vms", here.version("v2"))
    here.until(later, "Ready")
    is_shown(here, later, "Ready", blue=dict.fromkeys(blue, "Pending"), green=dict.fromkeys(green, "Ready"))
    here.client.continue_deployment(deploymentId=later, deploymentWaitType="READY_WAIT")
    wait_until(lambda: here.info(later)["instanceTerminationWaitTimeStarted"], "the wait before blue is terminated")
    here.client.continue_deployment(deploymentId=later, deploymentWaitType="TERMINATION_WAIT")
    here.until(later, "Succeeded")
    green_is_blue(here, later, blue, green)


def green_is_blue(here: BlueGreenSite, deployment_id: str, blue: Hosts, green: Hosts) -> None:
    """Green serves alone and is what the next deployment starts from; blue is gone; every script ran once."""
    assert here.members("vms") == set(green)
    assert here.balancer.serving & set(MACHINES) == set(green)
    assert here.taken() == dict.fromkeys(green, deployment_id)
    for host in green:
        assert here.hooks(host, deployment_id) == [*BEFORE_TRAFFIC, *INTO_TRAFFIC]
    for host in blue:
        assert here.hooks(host, deployment_id) == list(OUT_OF_TRAFFIC)
    group = here.client.get_deployment_group(applicationName="app", deploymentGroupName="vms")["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == deployment_id
    assert [each["name"] for each in group["autoScalingGroups"]] == ["vms"]
    for end in (here.client.continue_deployment, here.client.skip_wait_time_for_instance_termination):
        with pytest.raises(here.client.exceptions.DeploymentAlreadyCompletedException):
            end(deploymentId=deployment_id)


def test_nobody_continues(here: BlueGreenSite) -> None:
    here.add_group("idle", ready={**WAIT, "waitTimeInMinutes": 0}, ending=TERMINATE)
    here.put_in("idle", "idle-1")
    given_up = here.deploy("idle", here.version("idle"))
    info = here.until(given_up, "Stopped")
    assert info["errorInformation"]["code"] == "TIMEOUT"
    assert "Nobody continued the deployment within 0 minutes" in info["errorInformation"]["message"]
    green_is_gone(here, given_up, "idle-1")


def test_stopped_while_it_waits_and_killed_while_it_cleans_up(here: BlueGreenSite) -> None:
    here.add_group("stopped", ready=WAIT, ending=TERMINATE)
    here.put_in("stopped", "stopped-1")
    stopped = here.deploy("stopped", here.version("stopped"))
    here.until(stopped, "Ready")
    held, removed = here.hold_program("remove"), here.calls("remove")
    assert here.client.stop_deployment(deploymentId=stopped)["status"] == "Pending"
    wait_until(lambda: here.calls("remove") > removed, "the program that removes hosts")
    assert here.info(stopped)["status"] == "InProgress"
    not_yet(here, stopped, "READY_WAIT")
    here.crash()
    held.unlink()
    info = here.until(stopped, "Stopped")
    assert info["errorInformation"] == {"code": "MANUAL_STOP", "message": "The deployment was stopped by request."}
    assert "rollbackInfo" not in info
    assert sorted(here.targets(stopped).values()) == [("Blue", "Skipped"), ("Green", "Skipped")]
    for target in targets(here.client, stopped).values():
        # Green was installed, and waited for traffic.
        installed = target["instanceLabel"] == "Green"
        for event, status in events(target).items():
            assert status == ("Succeeded" if installed and "Traffic" not in event else "Skipped"), event
    green_is_gone(here, stopped, "stopped-1")


def test_green_that_cannot_be_installed(here: BlueGreenSite) -> None:
    here.add_group("unfit", ready=NO_WAIT, ending=TERMINATE)
    here.put_in("unfit", "unfit-1", "unfit-2")
    failed = here.deploy("unfit", here.version("unfit", ApplicationStart="exit 7"))
    assert here.until(failed, "Failed")["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    assert Counter(here.targets(failed).values()) == {
        ("Blue", "Skipped"): 2,
        ("Green", "Failed"): 1,
        ("Green", "Skipped"): 1,
    }
    green_is_gone(here, failed, "unfit-1", "unfit-2")


def green_is_gone(here: BlueGreenSite, deployment_id: str, *blue: str) -> None:
    """What was made for a deployment is there no more and never had traffic; blue was not touched."""
    assert deployment_id not in here.taken().values()
    known = here.targets(deployment_id)
    made = {host for host, (label, _) in known.items() if label == "Green"}
    assert made
    assert known.keys() - made == set(blue)
    registered = here.client.list_on_premises_instances(registrationStatus="Registered")["instanceNames"]
    assert made.isdisjoint(registered)
    assert here.balancer.serving.issuperset(blue)
    assert not any(here.balancer.steps("block", host) for host in blue)
    for host in made:
        assert "BeforeAllowTraffic" not in here.hooks(host, deployment_id)


def test_a_program_that_cannot_make_hosts(here: BlueGreenSite) -> None:
    here.add_group("broken", ready=NO_WAIT, ending=TERMINATE)
    here.put_in("broken", "broken-1")
    failed = here.deploy("broken", here.version("broken"))
    error = here.until(failed, "Failed")["errorInformation"]
    assert "ended with exit code 3; it said: no room in the rack" in error["message"]
    removed, *_ = map(json.loads, (here.folder / "removed").read_text().splitlines())
    assert (removed["abandoned"], removed["hosts"]) == (failed, [{"id": "half-made", "tags": {}}])
    assert here.targets(failed) == {"broken-1": ("Blue", "Skipped")}
    assert not here.balancer.steps("block", "broken-1")


def test_a_balancer_that_is_not_there(here: BlueGreenSite) -> None:
    made, asked = here.calls("make"), list(here.balancer.asked)
    here.add_group("astray", ready=NO_WAIT, ending=TERMINATE, balancer="nowhere")
    here.put_in("astray", "astray-1")
    error = here.until(here.deploy("astray", here.version("astray")), "Failed")["errorInformation"]
    assert error["code"] == "ELASTIC_LOAD_BALANCING_INVALID"
    assert "nowhere" in error["message"]
    assert (here.calls("make"), here.balancer.asked) == (made, asked)


def is_shown(
    here: BlueGreenSite,
    deployment_id: str,
    status: str,
    *,
    blue: Mapping[str, str],
    green: Mapping[str, str] | None = None,
    waiting: bool = False,
) -> None:
    """What clients see of a deployment, by the status of each host."""
    info = here.info(deployment_id)
    assert (info["status"], info["instanceTerminationWaitTimeStarted"]) == (status, waiting)
    shown = {host: ("Blue", each) for host, each in blue.items()}
    shown |= {host: ("Green", each) for host, each in (green or {}).items()}
    assert here.targets(deployment_id) == shown
    counted = {name: count for name, count in info["deploymentOverview"].items() if count}
    assert counted == Counter(each for _, each in shown.values())


def not_yet(here: BlueGreenSite, deployment_id: str, wait: str) -> None:
    """The deployment does not wait for that."""
    with pytest.raises(here.client.exceptions.DeploymentIsNotInReadyStateException):
        here.client.continue_deployment(deploymentId=deployment_id, deploymentWaitType=wait)


def add_pair(here: BlueGreenSite, name: str, *, ending: Mapping[str, Any]) -> tuple[str, str]:
    """A group of one of two registered hosts, which is in traffic: each can be told by its colour."""
    pair = (f"{name}-left", f"{name}-right")
    for host, machine in zip(pair, MACHINES[:2], strict=True):
        # Work for a host goes to its queue, so the agent of a machine can be another host's too.
        here.site.register([host], queue=f"host.{machine}", color=host)
    here.balancer.serving.add(pair[0])
    here.add_group(name, ready=NO_WAIT, ending=ending, hosts={"onPremisesInstanceTagFilters": filters(pair[0])})
    return pair


def filters(color: str) -> list[dict[str, str]]:
    return [{"Key": "color", "Value": color, "Type": "KEY_AND_VALUE"}]


def move(here: BlueGreenSite, group: str, green: str) -> str:
    """Deploy to a registered host."""
    return here.deploy(group, here.version(group), targetInstances={"tagFilters": filters(green)})


def selected(here: BlueGreenSite, group: str) -> list[dict[str, str]]:
    """The tags by which a group selects its hosts."""
    info = here.client.get_deployment_group(applicationName="app", deploymentGroupName=group)["deploymentGroupInfo"]
    assert not info.get("ec2TagFilters")
    found: list[dict[str, str]] = info["onPremisesInstanceTagFilters"]
    return found


def test_there_and_back_between_hosts_that_exist(here: BlueGreenSite) -> None:
    pair = add_pair(here, "there", ending=KEEP)
    with pytest.raises(here.client.exceptions.InvalidTargetInstancesException):
        here.deploy("there", here.version("there"))
    for blue, green in (pair, pair[::-1]):
        moved = move(here, "there", green)
        info = here.until(moved, "Succeeded")
        is_shown(here, moved, "Succeeded", blue={blue: "Succeeded"}, green={green: "Succeeded"})
        assert "deploymentStatusMessages" not in info
        assert here.balancer.serving & set(pair) == {green}
        assert selected(here, "there") == filters(green)
        assert only_labelled(here, moved, "Green") == [green]


def only_labelled(here: BlueGreenSite, deployment_id: str, label: str) -> list[str]:
    """The targets of an environment, by both operations that list them."""
    wanted = {"ServerInstanceLabel": [label]}
    found = here.client.list_deployment_targets(deploymentId=deployment_id, targetFilters=wanted)["targetIds"]
    instances = here.client.list_deployment_instances(deploymentId=deployment_id, instanceTypeFilter=[label])
    assert instances["instancesList"] == found
    return list(found)


def test_blue_that_keeps_its_traffic(here: BlueGreenSite) -> None:
    blue, green = pair = add_pair(here, "stuck", ending=TERMINATE)
    here.balancer.stuck.add(blue)
    failed = move(here, "stuck", green)
    info = here.until(failed, "Failed")
    assert info["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    assert "Original instances could not be taken out of traffic" in info["errorInformation"]["message"]
    is_shown(here, failed, "Failed", blue={blue: "Failed"}, green={green: "Succeeded"})
    assert here.balancer.serving.issuperset(pair)
    (message,) = info["deploymentStatusMessages"]
    assert "Traffic had begun to go to the replacement instances" in message
    assert selected(here, "stuck") == filters(blue)
    # Green serves beside blue: it leaves traffic before the next deployment touches it.
    here.balancer.stuck.discard(blue)
    held = here.hold("BeforeInstall")
    again = move(here, "stuck", green)
    wait_until(lambda: here.hooks(MACHINES[1], again), "a hook on green")
    assert here.balancer.serving & set(pair) == {blue}
    held.unlink()
    wait_until(lambda: here.info(again)["instanceTerminationWaitTimeStarted"], "the wait before blue is terminated")
    assert here.balancer.serving & set(pair) == {green}


def test_stopped_once_green_has_the_traffic(here: BlueGreenSite) -> None:
    blue, green = add_pair(here, "halted", ending=TERMINATE)
    stopped = move(here, "halted", green)
    wait_until(lambda: here.info(stopped)["instanceTerminationWaitTimeStarted"], "the wait before blue is terminated")
    here.client.stop_deployment(deploymentId=stopped)
    here.until(stopped, "Stopped")
    done = {"blue": {blue: "Succeeded"}, "green": {green: "Succeeded"}}
    is_shown(here, stopped, "Stopped", **done, waiting=True)
    # Blue is left as it is, and green is what serves.
    assert here.balancer.serving & {blue, green} == {green}
    assert selected(here, "halted") == filters(green)


def test_registered_hosts_are_not_terminated_from_here(here: BlueGreenSite) -> None:
    blue, green = add_pair(here, "lasting", ending={**TERMINATE, "terminationWaitTimeInMinutes": 0})
    moved = move(here, "lasting", green)
    (message,) = here.until(moved, "Succeeded")["deploymentStatusMessages"]
    assert "The replacement instances have the traffic" in message
    assert blue in message
    assert selected(here, "lasting") == filters(green)
