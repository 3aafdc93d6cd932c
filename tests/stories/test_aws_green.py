"""Green that exists already, in AWS: named by EC2 tags in either form and by Auto Scaling group, with boto3 at our API.

AWS is played as in test_aws_traffic.py, which says what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE
from tests.balancers import make_group
from tests.stories.aws_scene import Scene, aws_scene
from workflows.events import BLUE, GREEN

FOUND: dict[str, Any] = {
    "greenFleetProvisioningOption": {"action": "DISCOVER_EXISTING"},
    "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
    "terminateBlueInstancesOnDeploymentSuccess": {"action": "KEEP_ALIVE"},
}
HOW = ["tags", "tag-set", "membership"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with aws_scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


def fleet(scene: Scene, how: str, color: str, size: int) -> list[str]:
    """Instances of a color, to be found in this way and in no other."""
    if how == "membership":
        return sorted(scene.aws.aws.auto_scaling_group(f"{how}-{color}", size))
    return sorted(scene.aws.aws.run(size, kind=how, color=color))


def selected(how: str, color: str, *, tags: str) -> dict[str, Any]:
    """How the fleet of a color is named; `tags` is what the call calls filters."""
    by_kind, by_color = (
        {"Key": key, "Value": value, "Type": "KEY_AND_VALUE"} for key, value in (("kind", how), ("color", color))
    )
    named: dict[str, dict[str, Any]] = {
        "tags": {tags: [by_color]},
        "tag-set": {"ec2TagSet": {"ec2TagSetList": [[by_kind], [by_color]]}},
        "membership": {"autoScalingGroups": [f"{how}-{color}"]},
    }
    return named[how]


@pytest.mark.parametrize("how", HOW)
def test_green_that_exists_is_found_and_takes_over(scene: Scene, how: str) -> None:
    before, after, other = f"blue-{how}", f"green-{how}", f"other-{how}"
    (blue,), green = fleet(scene, how, before, 1), fleet(scene, how, after, 2)
    fleet(scene, how, other, 1)
    arn = make_group(scene.aws.aws, how)
    scene.client("elbv2").register_targets(TargetGroupArn=arn, Targets=[{"Id": blue}])
    scene.start_agents([blue, *green])
    scene.make_group(
        how,
        **selected(how, before, tags="ec2TagFilters"),
        deploymentConfigName=ALL_AT_ONCE,
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        blueGreenDeploymentConfiguration=FOUND,
        loadBalancerInfo={"targetGroupInfoList": [{"name": how}]},
    )
    wanted = selected(how, after, tags="tagFilters")

    deployment = scene.deploy(how, f"v-{how}", targetInstances=wanted)
    info = scene.ended(deployment)

    assert info["status"] == "Succeeded", info["errorInformation"]
    assert info["targetInstances"] == wanted
    assert {name: count for name, count in info["deploymentOverview"].items() if count} == {"Succeeded": 3}
    assert scene.labels(deployment) == {blue: "Blue"} | dict.fromkeys(green, "Green")
    for host, events in ((blue, BLUE), *((each, GREEN) for each in green)):
        assert scene.target(deployment, host)["status"] == "Succeeded"
        assert scene.events(deployment, host) == dict.fromkeys(events, "Succeeded")
    assert scene.in_target_group(arn) == set(green)
    assert [scene.version(host) for host in (blue, *green)] == [None, f"v-{how}", f"v-{how}"]
    # The group selects green from here on, as the deployment did and in no other way.
    shown = scene.info(how)
    named = [each["name"] for each in shown["autoScalingGroups"]]
    kept = {name: shown[name] for name in ("ec2TagFilters", "ec2TagSet") if shown.get(name)}
    assert kept | ({"autoScalingGroups": named} if named else {}) == selected(how, after, tags="ec2TagFilters")
    assert not shown["onPremisesInstanceTagFilters"]
