"""Auto Scaling, end to end: real processes, a server that speaks like AWS, and boto3. Moto sends no lifecycle notices
and knows no lifecycle actions: the test sends the notices as AWS does, and a server before moto's takes the answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import DeploymentStatus
from domain.scaling import LifecycleAction, Transition
from tests.aws_lifecycle import HoldingAws, holding_aws
from tests.services import free_port
from tests.site import Site, wait_until, write_revision
from tests.stories.api_process import boto, is_ready, make_key

ROLE = "arn:aws:iam::123456789012:role/deployer"
FLEET = "fleet"


@dataclass
class Scene:
    """An installation, AWS, a client of the API, and a group on an Auto Scaling group."""

    site: Site
    aws: HoldingAws
    api: Any
    folder: Path
    named: dict[str, str]
    agents: list[str] = field(default_factory=list)

    def launched(self) -> str:
        """One more instance in the Auto Scaling group, with its agent."""
        scaling = self.aws.aws.client("autoscaling")
        before = self.members()
        scaling.set_desired_capacity(AutoScalingGroupName=FLEET, DesiredCapacity=len(before) + 1)
        (new,) = self.members() - before
        self.start_agent(new)
        return new

    def start_agent(self, instance_id: str) -> None:
        self.site.agent(instance_id)
        self.agents.append(instance_id)
        wait_until(lambda: self.site.world.store.seen([instance_id])[0], "the agent's hello")

    def members(self) -> set[str]:
        found = self.aws.aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[FLEET])
        return {member["InstanceId"] for member in found["AutoScalingGroups"][0]["Instances"]}

    def held(self, instance_id: str, transition: Transition = Transition.LAUNCHING) -> LifecycleAction:
        """An instance that the group's own hook holds, told on the queue."""
        (on,) = self.api.get_deployment_group(**self.named)["deploymentGroupInfo"]["autoScalingGroups"]
        hook = on["hook" if transition is Transition.LAUNCHING else "terminationHook"]
        action = self.aws.hold(instance_id, of=FLEET, hook=hook, transition=transition)
        self.aws.tell(action)
        return action

    def result(self, action: LifecycleAction) -> str:
        return wait_until(lambda: self.aws.result_of(action), "the end of the lifecycle action", limit=30)

    def by(self, creator: str) -> list[dict[str, Any]]:
        """Deployments of a creator as the API tells of them, newest first."""
        ids = self.api.list_deployments(**self.named)["deployments"]
        infos = {each: self.api.get_deployment(deploymentId=each)["deploymentInfo"] for each in ids}
        return [infos[each] for each in ids if infos[each]["creator"] == creator]

    def targets(self, deployment: dict[str, Any]) -> list[str]:
        found: list[str] = self.api.list_deployment_targets(deploymentId=deployment["deploymentId"])["targetIds"]
        return found

    def version(self, instance_id: str) -> str:
        return (self.site.root(instance_id) / "app" / "version.txt").read_text()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Version 1 is on the one instance there is. Its ValidateService waits, or fails, where a file says so."""
    port = free_port()
    folder = tmp_path_factory.mktemp("scene")
    with (
        holding_aws() as aws,
        Site(limits={}, SLIPWAY_API__KEY="a key", SLIPWAY_API__PORT=str(port), **aws.environment) as site,
    ):
        for process in ("control", "watch", "scaling", "api"):
            site.start(process)
        (first,) = aws.aws.auto_scaling_group(FLEET, 1)
        wait_until(lambda: is_ready(f"http://127.0.0.1:{port}"), "the API")
        with boto(f"http://127.0.0.1:{port}", make_key(site)) as api:
            named = {"applicationName": "app", "deploymentGroupName": "web"}
            api.create_application(applicationName="app")
            api.create_deployment_group(
                **named,
                serviceRoleArn=ROLE,
                autoScalingGroups=[FLEET],
                deploymentConfigName=ALL_AT_ONCE,
                terminationHookEnabled=True,
            )
            made = Scene(site, aws, api, folder, named)
            made.start_agent(first)
            hooks = {
                "ApplicationStop": f"touch {folder}/stopped",
                "ValidateService": f"while test -e {folder}/slow; do sleep 0.05; done; test ! -e {folder}/broken",
            }
            ended = site.ended(site.deploy(write_revision(folder / "v1", hooks)))
            assert ended.status is DeploymentStatus.SUCCEEDED
            yield made
            # Their end is of no interest here, and they would take a second each.
            for process in ("api", "control", *(f"agent-{instance}" for instance in made.agents)):
                site.kill(process)


def test_a_launched_instance_gets_the_revision_once_and_goes_on(scene: Scene) -> None:
    new = scene.launched()
    before = scene.api.get_deployment_group(**scene.named)["deploymentGroupInfo"]
    scene.aws.send('{"properties": "not an envelope", "Event": ["?"]}')
    (scene.folder / "slow").touch()
    action = scene.held(new)
    scene.aws.tell(action)
    wait_until(lambda: scene.aws.heartbeats_of(action), "a heartbeat while the deployment runs", limit=30)
    assert scene.aws.result_of(action) is None
    (scene.folder / "slow").unlink()
    assert scene.result(action) == "CONTINUE"
    assert scene.version(new) == "v1"
    wait_until(lambda: scene.aws.waiting() == 0, "the end of every message")
    (deployment,) = scene.by("autoscaling")
    assert deployment["status"] == "Succeeded"
    assert scene.targets(deployment) == [new]
    after = scene.api.get_deployment_group(**scene.named)["deploymentGroupInfo"]
    assert after["lastSuccessfulDeployment"] == before["lastSuccessfulDeployment"]
    assert after["lastAttemptedDeployment"] == before["lastAttemptedDeployment"]


def test_an_instance_on_which_the_deployment_fails_is_abandoned(scene: Scene) -> None:
    instance = sorted(scene.members())[0]
    (scene.folder / "broken").touch()
    action = scene.held(instance)
    assert scene.result(action) == "ABANDON"
    assert scene.by("autoscaling")[0]["status"] == "Failed"
    (scene.folder / "broken").unlink()


def test_an_instance_that_is_terminated_is_stopped_first_and_nothing_is_installed(scene: Scene) -> None:
    (scene.folder / "stopped").unlink(missing_ok=True)
    instance = sorted(scene.members())[0]
    action = scene.held(instance, Transition.TERMINATING)
    assert scene.result(action) == "CONTINUE"
    (deployment,) = scene.by("autoscalingTermination")
    assert deployment["status"] == "Succeeded"
    assert (scene.folder / "stopped").exists()
    target = scene.api.get_deployment_target(deploymentId=deployment["deploymentId"], targetId=instance)
    events = target["deploymentTarget"]["instanceTarget"]["lifecycleEvents"]
    assert [event["lifecycleEventName"] for event in events] == ["ApplicationStop"]


def test_an_instance_launched_during_a_deployment_is_brought_level_after_it(scene: Scene) -> None:
    go = scene.folder / "go"
    hold = {"AfterInstall": f"touch {scene.folder}/begun; until test -e {go}; do sleep 0.05; done"}
    root_id = scene.site.deploy(write_revision(scene.folder / "v2", hold))
    wait_until((scene.folder / "begun").exists, "the deployment of version 2")
    new = scene.launched()
    action = scene.held(new)
    assert scene.result(action) == "CONTINUE"
    assert scene.version(new) == "v1"
    assert scene.by("CodeDeployAutoUpdate") == []
    go.touch()
    assert scene.site.ended(root_id).status is DeploymentStatus.SUCCEEDED
    (update,) = wait_until(lambda: scene.by("CodeDeployAutoUpdate"), "the follow-on deployment", limit=30)
    assert scene.site.ended(update["deploymentId"]).status is DeploymentStatus.SUCCEEDED
    assert scene.version(new) == "v2"
    assert scene.targets(update) == [new]
    assert update["relatedDeployments"] == {"autoUpdateOutdatedInstancesRootDeploymentId": root_id}

    def related() -> Any:
        return scene.api.get_deployment(deploymentId=root_id)["deploymentInfo"].get("relatedDeployments")

    told = wait_until(related, "the root to name what followed")
    assert told == {"autoUpdateOutdatedInstancesDeploymentIds": [update["deploymentId"]]}


def test_hooks_come_and_go_with_the_group(scene: Scene) -> None:
    def on_fleet() -> dict[str, str]:
        found = scene.aws.aws.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=FLEET)
        return {hook["LifecycleHookName"]: hook["LifecycleTransition"] for hook in found["LifecycleHooks"]}

    (shown,) = scene.api.get_deployment_group(**scene.named)["deploymentGroupInfo"]["autoScalingGroups"]
    assert on_fleet() == {
        shown["hook"]: Transition.LAUNCHING.value,
        shown["terminationHook"]: Transition.TERMINATING.value,
    }
    update = {"applicationName": "app", "currentDeploymentGroupName": "web"}
    assert scene.api.update_deployment_group(**update, terminationHookEnabled=False)["hooksNotCleanedUp"] == []
    assert list(on_fleet()) == [shown["hook"]]
    assert scene.api.delete_deployment_group(**scene.named)["hooksNotCleanedUp"] == []
    assert on_fleet() == {}
