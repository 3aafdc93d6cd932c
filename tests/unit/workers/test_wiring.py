"""What the composition root hands on from the settings."""

from __future__ import annotations

import pytest

from adapters.environments.auto_scaling import AutoScalingEnvironment
from adapters.environments.command import CommandEnvironment
from adapters.environments.instances import SingleInstances
from adapters.store.memory import MemoryStore
from api.operations.github import delete_git_hub_account_token, list_git_hub_account_token_names
from config.settings import Settings
from domain.api_errors import OperationNotSupported
from domain.errors import AutoScalingGroupMissing
from domain.fleet import Instance, TargetKind
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_group
from workers.wiring import make_environments, make_fleet, make_site


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
