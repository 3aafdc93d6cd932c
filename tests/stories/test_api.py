"""A whole installation driven by real boto3 and the real aws command line: API, control, watch and two agents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import WaiterError

from tests.services import require
from tests.site import Site, wait_until, write_revision
from tests.stories.api_process import Key, api_site, aws, aws_version_2, boto, make_key

HOSTS = ("web-1", "web-2")
NAMED = {"applicationName": "app", "deploymentGroupName": "web"}
ROLE = "arn:aws:iam::111122223333:role/deployer"
EVENTS = ["ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart"]
RESTART = {**NAMED, "deploymentMode": "RESTART"}
SOON = {"Delay": 1, "MaxAttempts": 60}


@dataclass
class Installed:
    """A running installation and its clients."""

    site: Site
    url: str
    key: Key
    client: Any

    def aws(self, *arguments: str) -> Any:
        return aws(self.site, self.url, self.key, *arguments)

    def events(self, deployment_id: str, target_id: str) -> dict[str, Any]:
        found = self.client.get_deployment_target(deploymentId=deployment_id, targetId=target_id)
        target = found["deploymentTarget"]["instanceTarget"]
        return {each["lifecycleEventName"]: each for each in target["lifecycleEvents"]}


@pytest.fixture(scope="module")
def here() -> Iterator[Installed]:
    with api_site() as (site, url):
        for process in ("control", "watch"):
            site.start(process)
        key = make_key(site)
        with boto(url, key) as client:
            installed = Installed(site, url, key, client)
            furnish(installed)
            for host in HOSTS:
                site.agent(host)
            wait_until(lambda: all(site.world.store.seen(HOSTS)), "the agents' hello")
            yield installed


def furnish(here: Installed) -> None:
    """The application, its group and its hosts, made by both clients."""
    here.client.create_application(applicationName="app", tags=[{"Key": "team", "Value": "shop"}])
    for host in HOSTS:
        arn = f"arn:aws:iam::111122223333:user/{host}"
        here.aws("register-on-premises-instance", "--instance-name", host, "--iam-user-arn", arn)
    here.client.add_tags_to_on_premises_instances(tags=[{"Key": "role", "Value": "web"}], instanceNames=list(HOSTS))
    here.aws(
        *("create-deployment-group", "--application-name", "app", "--deployment-group-name", "web"),
        *("--service-role-arn", ROLE, "--deployment-config-name", "CodeDeployDefault.AllAtOnce"),
        *("--on-premises-instance-tag-filters", "Key=role,Value=web,Type=KEY_AND_VALUE"),
    )


@pytest.fixture
def revision(here: Installed, tmp_path: Path) -> Path:
    """A revision that is on both hosts; where the file `hold` is, its ApplicationStart waits until it is gone."""
    began = f'touch "{tmp_path}/$(basename "$(dirname "$SLIPWAY_ROOT")")"'
    hook = f'if [ -e "{tmp_path}/hold" ]; then {began}; fi; while [ -e "{tmp_path}/hold" ]; do sleep 0.05; done'
    # The name of the file is new each time: one of an earlier test would be in the way.
    made = write_revision(tmp_path / "v1", {"ApplicationStart": hook}, {f"{tmp_path.name}.txt": "1"})
    ended = here.site.ended(here.site.deploy(made, file_exists_behavior="OVERWRITE"))
    assert ended.status == "Succeeded", ended.error_information
    return tmp_path


def test_a_deployment_through_boto_and_how_it_is_looked_at(here: Installed, revision: Path) -> None:
    client = here.client
    deployment_id = client.create_deployment(**RESTART, description="once more")["deploymentId"]
    client.get_waiter("deployment_successful").wait(deploymentId=deployment_id, WaiterConfig=SOON)
    info = client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
    assert (info["status"], info["description"], info["creator"]) == ("Succeeded", "once more", "user")
    assert info["deploymentOverview"]["Succeeded"] == 2
    assert info["createTime"] <= info["startTime"] <= info["completeTime"]
    assert here.aws("get-deployment", "--deployment-id", deployment_id)["deploymentInfo"]["status"] == "Succeeded"

    pages = client.get_paginator("list_deployments").paginate(**NAMED, includeOnlyStatuses=["Succeeded"])
    assert next(iter(pages.search("deployments[]"))) == deployment_id
    targets = list(
        client.get_paginator("list_deployment_targets").paginate(deploymentId=deployment_id).search("targetIds[]")
    )
    assert sorted(targets) == list(HOSTS)
    found = client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=targets)["deploymentTargets"]
    for each in found:
        events = each["instanceTarget"]["lifecycleEvents"]
        assert {event["status"] for event in events} == {"Succeeded"}
        assert all(event["startTime"] <= event["endTime"] for event in events)
    instances = client.list_deployment_instances(deploymentId=deployment_id)["instancesList"]
    summary = client.get_deployment_instance(deploymentId=deployment_id, instanceId=instances[0])["instanceSummary"]
    assert summary["status"] == "Succeeded"
    group = client.get_deployment_group(**NAMED)["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == deployment_id


def test_a_busy_group_and_a_stop_in_the_middle(here: Installed, revision: Path) -> None:
    client = here.client
    (revision / "hold").touch()
    running = client.create_deployment(**RESTART)["deploymentId"]
    wait_until(lambda: all((revision / host).exists() for host in HOSTS), "the hooks")
    with pytest.raises(client.exceptions.DeploymentLimitExceededException, match=running):
        client.create_deployment(**RESTART)
    assert client.list_deployments(**NAMED, includeOnlyStatuses=["InProgress"])["deployments"] == [running]
    filters = {"TargetStatus": ["InProgress"]}
    assert len(client.list_deployment_targets(deploymentId=running, targetFilters=filters)["targetIds"]) == 2

    stopped = client.stop_deployment(deploymentId=running, autoRollbackEnabled=False)
    assert stopped["status"] == "Pending"
    (revision / "hold").unlink()
    with pytest.raises(WaiterError):
        client.get_waiter("deployment_successful").wait(deploymentId=running, WaiterConfig=SOON)
    info = client.get_deployment(deploymentId=running)["deploymentInfo"]
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    with pytest.raises(client.exceptions.DeploymentAlreadyCompletedException):
        client.stop_deployment(deploymentId=running)


def test_what_failed_says_why(here: Installed, tmp_path: Path) -> None:
    hook = "echo the database is away >&2; exit 3"
    made = write_revision(tmp_path / "bad", {"AfterInstall": hook}, {f"{tmp_path.name}.txt": "bad"})
    failed = here.site.deploy(made, file_exists_behavior="OVERWRITE")
    with pytest.raises(WaiterError):
        here.client.get_waiter("deployment_successful").wait(deploymentId=failed, WaiterConfig=SOON)
    info = here.client.get_deployment(deploymentId=failed)["deploymentInfo"]
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    events = here.events(failed, "web-1")
    assert [events[name]["status"] for name in EVENTS] == ["Succeeded"] * 4 + ["Failed", "Skipped"]
    diagnostics = events["AfterInstall"]["diagnostics"]
    assert diagnostics["errorCode"] == "ScriptFailed"
    assert diagnostics["scriptName"] == "scripts/AfterInstall.sh"
    assert "the database is away" in diagnostics["logTail"]
    shown = here.aws("batch-get-deployment-targets", "--deployment-id", failed, "--target-ids", *HOSTS)
    assert {each["instanceTarget"]["status"] for each in shown["deploymentTargets"]} == {"Failed"}


def test_a_rename_while_it_runs(here: Installed, revision: Path) -> None:
    client = here.client
    (revision / "hold").touch()
    running = client.create_deployment(**RESTART)["deploymentId"]
    wait_until(lambda: all((revision / host).exists() for host in HOSTS), "the hooks")
    client.update_application(applicationName="app", newApplicationName="store")
    try:
        renamed = {**NAMED, "applicationName": "store"}
        assert client.list_deployments(**renamed)["deployments"][0] == running
        (revision / "hold").unlink()
        client.get_waiter("deployment_successful").wait(deploymentId=running, WaiterConfig=SOON)
        assert client.get_deployment(deploymentId=running)["deploymentInfo"]["applicationName"] == "store"
        last = client.get_deployment_group(**renamed)["deploymentGroupInfo"]["lastSuccessfulDeployment"]
        assert last["deploymentId"] == running
    finally:
        client.update_application(applicationName="store", newApplicationName="app")


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs from call to call and from one resource to the next of its name."""
    differ = {"ResponseMetadata", "applicationId", "deploymentGroupId", "deploymentConfigId", "instanceArn"}
    differ |= {"createTime", "registerTime"}
    return {name: told(each) if isinstance(each, dict) else each for name, each in answer.items() if name not in differ}


def test_five_lives_of_every_resource_without_drift(here: Installed) -> None:
    """As Terraform does it: create, read back, update, read back, delete."""
    seen = [life(here.client) for _ in range(5)]
    assert all(each == seen[0] for each in seen)
    names = {
        name for page in here.client.get_paginator("list_applications").paginate() for name in page["applications"]
    }
    assert "infra" not in names


def life(client: Any) -> list[dict[str, Any]]:
    """What is read back after each step."""
    group = {"applicationName": "infra", "deploymentGroupName": "g"}
    minimum = {"type": "FLEET_PERCENT", "value": 50}
    client.create_application(applicationName="infra", computePlatform="Server", tags=[{"Key": "a", "Value": "1"}])
    client.create_deployment_config(deploymentConfigName="infra", minimumHealthyHosts=minimum)
    client.create_deployment_group(
        **group,
        serviceRoleArn=ROLE,
        deploymentConfigName="infra",
        ec2TagSet={"ec2TagSetList": [[{"Key": "k", "Value": "v", "Type": "KEY_AND_VALUE"}]]},
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        alarmConfiguration={"enabled": True, "ignorePollAlarmFailure": False, "alarms": [{"name": "a"}]},
    )
    client.register_on_premises_instance(
        instanceName="infra", iamSessionArn="arn:aws:sts::111122223333:assumed-role/r/infra"
    )
    s3 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip", "eTag": '"e"'}}
    client.register_application_revision(applicationName="infra", revision=s3, description="first")
    found = client.get_application_revision(applicationName="infra", revision=s3)
    assert (found["revision"], found["revisionInfo"]["description"]) == (s3, "first")
    assert client.list_application_revisions(applicationName="infra", s3Bucket="b")["revisions"] == [s3]
    seen = read(client, group)
    arn = "arn:aws:codedeploy:eu-north-1:000000000000:application:infra"
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["a"])
    client.update_deployment_group(
        applicationName="infra",
        currentDeploymentGroupName="g",
        newDeploymentGroupName="h",
        ec2TagFilters=[{"Key": "k", "Type": "KEY_ONLY"}],
        deploymentConfigName="CodeDeployDefault.OneAtATime",
        alarmConfiguration={"enabled": False, "alarms": []},
    )
    group["deploymentGroupName"] = "h"
    client.add_tags_to_on_premises_instances(instanceNames=["infra"], tags=[{"Key": "k", "Value": "v"}])
    seen += read(client, group)
    assert [each["Key"] for each in client.list_tags_for_resource(ResourceArn=arn)["Tags"]] == ["b"]
    client.deregister_on_premises_instance(instanceName="infra")
    client.delete_deployment_group(**group)
    client.delete_deployment_config(deploymentConfigName="infra")
    client.delete_application(applicationName="infra")
    with pytest.raises(client.exceptions.ApplicationDoesNotExistException):
        client.get_application(applicationName="infra")
    return seen


def read(client: Any, group: dict[str, str]) -> list[dict[str, Any]]:
    return [
        told(client.get_application(applicationName="infra")),
        told(client.get_deployment_config(deploymentConfigName="infra")),
        told(client.get_deployment_group(**group)),
        told(client.get_on_premises_instance(instanceName="infra")),
    ]


def test_pages_through_the_real_store(here: Installed) -> None:
    client = here.client
    for number in range(230):
        client.create_application(applicationName=f"p{number:03d}")
    names = list(client.get_paginator("list_applications").paginate().search("applications[]"))
    assert names == sorted(names)
    assert len([name for name in names if name.startswith("p")]) == 230
    listed = here.aws("list-applications")["applications"]
    assert listed == names


def command_line(here: Installed, *program: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `aws deploy …` of a version."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(here.site.home),
        "AWS_ACCESS_KEY_ID": here.key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": here.key.secret,
        "AWS_DEFAULT_REGION": "eu-north-1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*program, "--endpoint-url", here.url, "deploy", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_version_2_of_the_aws_command_line_is_served(here: Installed) -> None:
    ask = command_line(here, require(aws_version_2(), "aws of version 2 (Debian's awscli)"))
    shown = ask("get-application", "--application-name", "app")
    assert json.loads(shown.stdout)["application"]["applicationName"] == "app"
    assert "(ApplicationDoesNotExistException)" in ask("get-application", "--application-name", "nobody").stderr
    page = ask("list-deployments", "--max-items", "1", "--create-time-range", "start=2020-01-01T00:00:00Z")
    assert len(json.loads(page.stdout)["deployments"]) <= 1


def test_aws_deploy_register_needs_no_iam(here: Installed) -> None:
    done = command_line(here, sys.executable, "-m", "awscli")(
        *("register", "--instance-name", "boxed", "--iam-user-arn", "arn:aws:iam::111122223333:user/boxed"),
        *("--tags", "Key=role,Value=box", "--region", "eu-north-1"),
    )
    assert done.returncode == 0, done.stderr
    found = here.client.get_on_premises_instance(instanceName="boxed")["instanceInfo"]
    assert found["tags"] == [{"Key": "role", "Value": "box"}]


def test_calls_and_events_are_measured(here: Installed) -> None:
    def measured() -> str | None:
        told = httpx.get(f"{here.url}/metrics")
        assert told.headers["content-type"].startswith("text/plain")
        return told.text if 'slipway_api_calls_total{code="OK",operation="CreateApplication"}' in told.text else None

    text = wait_until(measured, "the calls in the metrics")
    assert "slipway_agents_seen 2.0" in text
    assert 'slipway_up{part="store"} 1.0' in text
