"""What the composition root hands on from the settings."""

from __future__ import annotations

import pytest

from adapters.alarms.cloudwatch import CloudWatchAlarms
from adapters.aws import IMPATIENT
from adapters.environments.auto_scaling import AutoScalingEnvironment
from adapters.environments.command import CommandEnvironment
from adapters.environments.instances import SingleInstances
from adapters.store.memory import MemoryStore
from api.operations.github import delete_git_hub_account_token, list_git_hub_account_token_names
from config.settings import InvalidSettings, Settings
from domain.api_errors import OperationNotSupported
from domain.errors import AutoScalingGroupMissing, AwsOff
from domain.fleet import Instance, TargetKind
from domain.scaling import ScalingHook
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_group
from workers.wiring import (
    make_alarms,
    make_aws,
    make_environments,
    make_fleet,
    make_lifecycle_queue,
    make_scaling,
    make_site,
)


def test_the_api_names_the_github_tokens_of_the_settings_and_tells_none() -> None:
    settings = Settings(
        store={"url": "redis://127.0.0.1:1"},
        github={"tokens": {"work": "a-secret", "home": "another"}, "owners": {"*": "work"}},
    )
    site = make_site(settings, Engine(store=MemoryStore()).world())
    assert list_git_hub_account_token_names(site, {}) == {"tokenNameList": ["home", "work"]}
    with pytest.raises(OperationNotSupported, match="work"):
        delete_git_hub_account_token(site, {"tokenName": "work"})
    assert "a-secret" not in repr(site)


def test_a_look_at_cloudwatch_is_one_short_try_and_other_calls_are_not() -> None:
    settings = Settings(aws={"enabled": True, "endpoint_url": "http://127.0.0.1:1"})
    config = make_aws(settings, IMPATIENT).client("cloudwatch").meta.config
    assert config.connect_timeout + config.read_timeout <= settings.limits.alarm_seconds
    assert config.retries["total_max_attempts"] == 1
    cloudwatch = make_alarms(settings)._cloudwatch
    assert isinstance(cloudwatch, CloudWatchAlarms)
    assert cloudwatch._aws._patience == IMPATIENT
    assert make_aws(settings).client("ec2").meta.config.retries["total_max_attempts"] > 1


VMS = {"vms": {"provision": ["/bin/true"], "retire": ["/bin/true"], "environment": {"TOKEN": "a-secret"}}}


def test_names_of_the_settings_are_programs_and_all_others_auto_scaling_groups() -> None:
    settings = Settings(store={"url": "redis://127.0.0.1:1"}, environments=VMS, aws={"enabled": True})
    environments = make_environments(settings, MemoryStore())
    assert isinstance(environments.named("vms"), CommandEnvironment)
    assert environments.named("vms") is environments.named("vms")
    assert isinstance(environments.named("web-asg"), AutoScalingEnvironment)
    assert isinstance(environments.named(""), SingleInstances)
    assert "a-secret" not in repr(vars(environments.named("vms")))


def test_with_aws_off_there_is_nobody_for_other_names() -> None:
    environments = make_environments(Settings(environments=VMS), MemoryStore())
    with pytest.raises(AutoScalingGroupMissing, match="web-asg is no environment of the settings, and AWS is off"):
        environments.named("web-asg")
    assert isinstance(environments.named(""), SingleInstances)


def test_the_fleet_knows_the_members_of_environments() -> None:
    store = MemoryStore()
    host = Instance(instance_id="web-1", kind=TargetKind.ON_PREMISES, arn="arn:1", auto_scaling_groups=("vms",))
    store.instances.add("web-1", host)
    for aws in ({}, {"enabled": True, "endpoint_url": "http://127.0.0.1:1"}):
        fleet = make_fleet(Settings(environments=VMS, aws=aws), store)
        assert fleet.instances(a_group(auto_scaling_groups=("vms",))) == [host]


def test_a_group_may_name_an_environment() -> None:
    settings = Settings(
        store={"url": "redis://127.0.0.1:1"},
        environments=VMS,
        aws={"enabled": True, "endpoint_url": "http://127.0.0.1:1"},
    )
    site = make_site(settings, Engine(store=MemoryStore()).world())
    assert site.missing_auto_scaling_groups(["vms"]) == ()


def test_without_aws_there_are_no_hooks_and_nobody_listens() -> None:
    settings = Settings(store={"url": "redis://127.0.0.1:1"})
    site = make_site(settings, Engine(store=MemoryStore()).world())
    assert site.put_hook is None
    assert not site.delete_hook(ScalingHook(auto_scaling_group="a", name="left"))
    with pytest.raises(AwsOff, match="SLIPWAY_AWS__ENABLED"):
        make_scaling(settings)
    with pytest.raises(InvalidSettings, match="SLIPWAY_AWS__LIFECYCLE_QUEUE_URL"):
        make_lifecycle_queue(settings)
