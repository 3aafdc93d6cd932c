"""Operations on deployment groups, rule by rule: what may be said of one, and that it is read back as it was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from domain.errors import WorldError
from tests.unit.api.operations.calling import LONG, ROLE, S3, Api, without

NAMED = {"applicationName": "shop", "deploymentGroupName": "web"}
CURRENT = {"applicationName": "shop", "currentDeploymentGroupName": "web"}
TOPIC = "arn:aws:sns:eu-central-1:111122223333:deployments"
DEFAULTS = {
    **NAMED,
    "deploymentConfigName": "CodeDeployDefault.OneAtATime",
    "ec2TagFilters": [],
    "onPremisesInstanceTagFilters": [],
    "autoScalingGroups": [],
    "serviceRoleArn": ROLE,
    "triggerConfigurations": [],
    "deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
    "outdatedInstancesStrategy": "UPDATE",
    "computePlatform": "Server",
    "terminationHookEnabled": False,
}
"""What is told of a group of which nothing was said."""


def tag(number: int = 0, **more: Any) -> dict[str, Any]:
    return {"Key": f"k{number}", "Value": "v", "Type": "KEY_AND_VALUE", **more}


def trigger(**more: Any) -> dict[str, Any]:
    return {"triggerName": "t", "triggerTargetArn": TOPIC, "triggerEvents": ["DeploymentSuccess"], **more}


def blue_green(
    *, provisioning: str = "DISCOVER_EXISTING", wait: int = 60, keep: int = 5, **more: Any
) -> dict[str, Any]:
    return {
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "loadBalancerInfo": {"targetGroupInfoList": [{"name": "tg"}]},
        "blueGreenDeploymentConfiguration": {
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": keep},
            "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": wait},
            "greenFleetProvisioningOption": {"action": provisioning},
        },
        **more,
    }


def names(count: int) -> list[dict[str, str]]:
    return [{"name": f"n{number}"} for number in range(count)]


BALANCED = {"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"}

MEMBERS: Sequence[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"deploymentConfigName": "CodeDeployDefault.AllAtOnce"},
        {"deploymentConfigName": "CodeDeployDefault.HalfAtATime"},
    ),
    ({"serviceRoleArn": ROLE}, {"serviceRoleArn": "arn:aws-cn:iam::111122223333:role/a/path/Other_1"}),
    ({"ec2TagFilters": [tag(), tag(1, Value="GRP-*a")]}, {"ec2TagFilters": [{"Value": "v", "Type": "VALUE_ONLY"}]}),
    (
        {"ec2TagSet": {"ec2TagSetList": [[tag()], [tag(1), tag(2)]]}},
        {"ec2TagSet": {"ec2TagSetList": [[{"Key": "k", "Type": "KEY_ONLY"}]]}},
    ),
    ({"onPremisesInstanceTagFilters": [tag()]}, {"onPremisesInstanceTagFilters": [tag(n) for n in range(10)]}),
    (
        {"onPremisesTagSet": {"onPremisesTagSetList": [[tag()], [tag(1)], [tag(2)]]}},
        {"onPremisesTagSet": {"onPremisesTagSetList": [[tag(3)]]}},
    ),
    (
        {"triggerConfigurations": [trigger(), trigger(triggerName="u", triggerEvents=["InstanceFailure"])]},
        {"triggerConfigurations": [trigger(triggerEvents=["DeploymentRollback", "InstanceReady"])]},
    ),
    (
        {"alarmConfiguration": {"enabled": True, "ignorePollAlarmFailure": True, "alarms": [{"name": "a"}]}},
        {"alarmConfiguration": {"enabled": False, "ignorePollAlarmFailure": False, "alarms": names(50)}},
    ),
    (
        {"autoRollbackConfiguration": {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}},
        {"autoRollbackConfiguration": {"enabled": False, "events": ["DEPLOYMENT_STOP_ON_ALARM"]}},
    ),
    ({"outdatedInstancesStrategy": "IGNORE"}, {"outdatedInstancesStrategy": "UPDATE"}),
    (
        {"deploymentStyle": BALANCED, "loadBalancerInfo": {"elbInfoList": [{"name": "lb"}]}},
        {"deploymentStyle": BALANCED, "loadBalancerInfo": {"elbInfoList": names(10), "targetGroupInfoList": names(10)}},
    ),
    (blue_green(), blue_green(wait=0, keep=2880)),
    (
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["Terminate", "AZRebalance"]}},
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["InstanceRefresh", "ScheduledActions"]}},
    ),
    ({"terminationHookEnabled": True}, {"terminationHookEnabled": False}),
]
"""Each member with two values that it may have."""


def ids(value: Any) -> str:
    return ",".join(value) if isinstance(value, dict) else ""


def told(api: Api, **named: Any) -> dict[str, Any]:
    found = api("GetDeploymentGroup", **{**NAMED, **named})["deploymentGroupInfo"]
    return without(found, "deploymentGroupId")


def expected(given: dict[str, Any]) -> dict[str, Any]:
    """The defaults and what was given; a set of tags stands in the place of the plain list."""
    plain = {"ec2TagSet": "ec2TagFilters", "onPremisesTagSet": "onPremisesInstanceTagFilters"}
    return {**without(DEFAULTS, *(plain[member] for member in given if member in plain)), **given}


def test_a_group_of_which_nothing_was_said(api: Api) -> None:
    api.group()
    assert told(api) == DEFAULTS


@pytest.mark.parametrize(("one", "other"), MEMBERS, ids=ids)
def test_members_are_read_back_replaced_and_kept(api: Api, one: dict[str, Any], other: dict[str, Any]) -> None:
    api.group(**one)
    assert told(api) == expected(one)
    api("UpdateDeploymentGroup", **CURRENT)
    assert told(api) == expected(one)
    assert api("UpdateDeploymentGroup", **CURRENT, **other) == {"hooksNotCleanedUp": []}
    assert told(api) == expected({**one, **other})


def test_everything_at_once(api: Api) -> None:
    given: dict[str, Any] = {}
    for one, _ in MEMBERS:
        given |= one
    given = without(given, "ec2TagFilters", "onPremisesInstanceTagFilters", "onPremisesTagSet")
    api.group(**given)
    assert told(api) == expected(given)


@pytest.mark.parametrize(
    ("one", "empty"),
    [
        ({"ec2TagFilters": [tag()]}, {"ec2TagFilters": []}),
        ({"ec2TagSet": {"ec2TagSetList": [[tag()]]}}, {"ec2TagSet": {"ec2TagSetList": []}}),
        ({"ec2TagSet": {"ec2TagSetList": [[tag()]]}}, {"ec2TagSet": {}}),
        ({"ec2TagSet": {"ec2TagSetList": [[tag()]]}}, {"ec2TagFilters": []}),
        ({"onPremisesInstanceTagFilters": [tag()]}, {"onPremisesInstanceTagFilters": []}),
        ({"onPremisesTagSet": {"onPremisesTagSetList": [[tag()]]}}, {"onPremisesTagSet": {"onPremisesTagSetList": []}}),
        ({"triggerConfigurations": [trigger()]}, {"triggerConfigurations": []}),
        ({"autoScalingGroups": ["a"]}, {"autoScalingGroups": []}),
    ],
    ids=ids,
)
def test_an_empty_list_clears(api: Api, one: dict[str, Any], empty: dict[str, Any]) -> None:
    api.group(**one)
    api("UpdateDeploymentGroup", **CURRENT, **empty)
    assert told(api) == DEFAULTS


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("alarmConfiguration", {"enabled": False, "alarms": []}),
        ("autoRollbackConfiguration", {"enabled": False, "events": []}),
        ("alarmConfiguration", {}),
        ("loadBalancerInfo", {"elbInfoList": [], "targetGroupInfoList": []}),
        ("ec2DeploymentOptions", {"autoScalingGroupProcessesToSuspend": []}),
    ],
)
def test_an_empty_block_replaces(api: Api, member: str, value: dict[str, Any]) -> None:
    api.group(**{name: each for one, _ in MEMBERS[7:13] for name, each in one.items() if name == member})
    api("UpdateDeploymentGroup", **CURRENT, **{member: value})
    assert told(api)[member] == value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"ec2TagFilters": [tag()]}, {"ec2TagSet": {"ec2TagSetList": [[tag(1)]]}}),
        ({"ec2TagSet": {"ec2TagSetList": [[tag(1)]]}}, {"ec2TagFilters": [tag()]}),
        ({"onPremisesInstanceTagFilters": [tag()]}, {"onPremisesTagSet": {"onPremisesTagSetList": [[tag(1)]]}}),
        ({"onPremisesTagSet": {"onPremisesTagSetList": [[tag(1)]]}}, {"onPremisesInstanceTagFilters": [tag()]}),
    ],
    ids=ids,
)
def test_either_form_of_a_selection_drops_the_other(api: Api, one: dict[str, Any], other: dict[str, Any]) -> None:
    api.group(**one)
    # What a client sends that knows both forms: the one it wants, and the other empty.
    emptied = {name: [] if isinstance(value, list) else {f"{name}List": []} for name, value in one.items()}
    for given in (other, one, {**emptied, **other}):
        api("UpdateDeploymentGroup", **CURRENT, **given)
        assert told(api) == expected(
            {name: value for name, value in given.items() if value and value not in emptied.values()}
        )


def test_what_is_gone_since_does_not_stand_in_the_way_of_other_changes(api: Api) -> None:
    api.group(autoScalingGroups=["a"])
    api.missing = list
    api("UpdateDeploymentGroup", **CURRENT, terminationHookEnabled=True)
    assert api.code("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a"]) == "InvalidAutoScalingGroup"


def test_auto_scaling_groups_come_back_by_name(api: Api) -> None:
    api.group(autoScalingGroups=["b", "a"])
    assert told(api)["autoScalingGroups"] == [{"name": "b"}, {"name": "a"}]


@pytest.mark.parametrize(
    ("condition", "kind"),
    [({"Key": "k"}, "KEY_ONLY"), ({"Value": "v"}, "VALUE_ONLY"), ({"Key": "k", "Value": "v"}, "KEY_AND_VALUE")],
)
def test_a_filter_without_a_type_has_that_of_its_members(api: Api, condition: dict[str, str], kind: str) -> None:
    api.group(ec2TagFilters=[condition])
    assert told(api)["ec2TagFilters"] == [{**condition, "Type": kind}]


REFUSED: Sequence[tuple[dict[str, Any], str]] = [
    ({"serviceRoleArn": "deployer"}, "InvalidRole"),
    ({"serviceRoleArn": "arn:aws:iam::111122223333:user/u"}, "InvalidRole"),
    ({"ec2TagFilters": [tag()], "ec2TagSet": {"ec2TagSetList": [[tag()]]}}, "InvalidEC2TagCombination"),
    (
        {"onPremisesInstanceTagFilters": [tag()], "onPremisesTagSet": {"onPremisesTagSetList": [[tag()]]}},
        "InvalidOnPremisesTagCombination",
    ),
    ({"ec2TagFilters": [{"Type": "KEY_ONLY"}]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [{"Type": "KEY_ONLY", "Value": "v"}]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [{"Type": "VALUE_ONLY", "Key": "k"}]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [{"Type": "KEY_AND_VALUE", "Key": "k"}]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [{}]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [tag(Type="ANY")]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [tag(Key="k" * 129)]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [tag(Value="v" * 257)]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [tag(n) for n in range(11)]}, "InvalidEC2Tag"),
    ({"ec2TagFilters": [None]}, "InvalidEC2Tag"),
    ({"ec2TagSet": {"ec2TagSetList": [[{}]]}}, "InvalidEC2Tag"),
    ({"ec2TagSet": {"ec2TagSetList": [[tag(n) for n in range(11)]]}}, "InvalidEC2Tag"),
    ({"ec2TagSet": {"ec2TagSetList": [[tag()]] * 4}}, "TagSetListLimitExceeded"),
    ({"onPremisesInstanceTagFilters": [{"Type": "KEY_ONLY"}]}, "InvalidTag"),
    ({"onPremisesInstanceTagFilters": [tag(Type="ANY")]}, "InvalidTag"),
    ({"onPremisesInstanceTagFilters": [tag(n) for n in range(11)]}, "InvalidTag"),
    ({"onPremisesTagSet": {"onPremisesTagSetList": [[tag(Type="ANY")]]}}, "InvalidTag"),
    ({"onPremisesTagSet": {"onPremisesTagSetList": [[tag()]] * 4}}, "TagSetListLimitExceeded"),
    ({"autoScalingGroups": ["unknown"]}, "InvalidAutoScalingGroup"),
    ({"autoScalingGroups": [f"a{n}" for n in range(11)]}, "InvalidAutoScalingGroup"),
    ({"autoScalingGroups": ["a", "a"]}, "InvalidAutoScalingGroup"),
    ({"autoScalingGroups": [""]}, "InvalidAutoScalingGroup"),
    ({"autoScalingGroups": [None]}, "InvalidAutoScalingGroup"),
    ({"deploymentConfigName": "unknown"}, "DeploymentConfigDoesNotExist"),
    ({"deploymentConfigName": "two words"}, "InvalidDeploymentConfigName"),
    ({"deploymentConfigName": LONG}, "InvalidDeploymentConfigName"),
    ({"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}, "InvalidInput"),
    ({"triggerConfigurations": [trigger(triggerName=None)]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerName="")]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerTargetArn=None)]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerTargetArn="topic")]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerEvents=None)]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerEvents=[])]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerEvents=["DeploymentDone"])]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(), trigger()]}, "InvalidTriggerConfig"),
    ({"triggerConfigurations": [trigger(triggerName=f"t{n}") for n in range(11)]}, "TriggerTargetsLimitExceeded"),
    ({"alarmConfiguration": {"enabled": True}}, "InvalidAlarmConfig"),
    ({"alarmConfiguration": {"enabled": True, "alarms": []}}, "InvalidAlarmConfig"),
    ({"alarmConfiguration": {"alarms": [{}]}}, "InvalidAlarmConfig"),
    ({"alarmConfiguration": {"alarms": [{"name": "a"}, {"name": "a"}]}}, "InvalidAlarmConfig"),
    ({"alarmConfiguration": {"alarms": [{"name": "a" * 256}]}}, "InvalidAlarmConfig"),
    ({"alarmConfiguration": {"alarms": names(51)}}, "AlarmsLimitExceeded"),
    ({"autoRollbackConfiguration": {"enabled": True}}, "InvalidAutoRollbackConfig"),
    ({"autoRollbackConfiguration": {"enabled": True, "events": []}}, "InvalidAutoRollbackConfig"),
    ({"autoRollbackConfiguration": {"enabled": True, "events": ["NEVER"]}}, "InvalidAutoRollbackConfig"),
    ({"deploymentStyle": {"deploymentType": "SIDEWAYS"}}, "InvalidDeploymentStyle"),
    ({"deploymentStyle": {"deploymentOption": "SOME"}}, "InvalidDeploymentStyle"),
    ({"deploymentStyle": BALANCED}, "InvalidLoadBalancerInfo"),
    ({"loadBalancerInfo": {"elbInfoList": names(11)}}, "InvalidLoadBalancerInfo"),
    ({"loadBalancerInfo": {"targetGroupInfoList": names(11)}}, "InvalidLoadBalancerInfo"),
    ({"loadBalancerInfo": {"elbInfoList": [{"name": ""}]}}, "InvalidLoadBalancerInfo"),
    ({"loadBalancerInfo": {"elbInfoList": [{}]}}, "InvalidLoadBalancerInfo"),
    (without(blue_green(), "blueGreenDeploymentConfiguration"), "InvalidBlueGreenDeploymentConfiguration"),
    (blue_green(loadBalancerInfo=None), "InvalidLoadBalancerInfo"),
    (blue_green(deploymentStyle={"deploymentType": "BLUE_GREEN"}), "InvalidBlueGreenDeploymentConfiguration"),
    (blue_green(provisioning="MAGIC"), "InvalidBlueGreenDeploymentConfiguration"),
    (blue_green(provisioning="COPY_AUTO_SCALING_GROUP"), "InvalidBlueGreenDeploymentConfiguration"),
    (
        blue_green(provisioning="COPY_AUTO_SCALING_GROUP", autoScalingGroups=["a", "b"]),
        "InvalidBlueGreenDeploymentConfiguration",
    ),
    (blue_green(wait=2881), "InvalidBlueGreenDeploymentConfiguration"),
    (blue_green(wait=-1), "InvalidBlueGreenDeploymentConfiguration"),
    (blue_green(keep=2881), "InvalidBlueGreenDeploymentConfiguration"),
    (
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["terminate"]}},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
    (
        {"ec2DeploymentOptions": {"autoScalingGroupProcessesToSuspend": ["AddToLoadBalancer"]}},
        "InvalidAutoScalingGroupProcessToSuspend",
    ),
    ({"ecsServices": [{"serviceName": "s", "clusterName": "c"}]}, "InvalidECSService"),
    ({"loadBalancerInfo": {"targetGroupPairInfoList": [{}]}}, "InvalidTargetGroupPair"),
    ({"outdatedInstancesStrategy": "LATER"}, "InvalidInput"),
]


@pytest.mark.parametrize(("given", "code"), REFUSED)
def test_what_a_group_cannot_be(api: Api, given: dict[str, Any], code: str) -> None:
    api.missing = lambda asked: [name for name in asked if name == "unknown"]
    api.application()
    assert api.code("CreateDeploymentGroup", **{**NAMED, "serviceRoleArn": ROLE, **given}) == code
    api.group()
    assert api.code("UpdateDeploymentGroup", **CURRENT, **given) == code


@pytest.mark.parametrize(
    ("had", "given"),
    [
        pytest.param({}, {**blue_green(), "deploymentConfigName": "zones"}, id="both"),
        pytest.param(blue_green(), {"deploymentConfigName": "zones"}, id="the configuration"),
        pytest.param({"deploymentConfigName": "zones"}, blue_green(), id="the style"),
        pytest.param(
            {**blue_green(), "deploymentStyle": BALANCED, "deploymentConfigName": "zones"},
            {"deploymentStyle": blue_green()["deploymentStyle"]},
            id="the style of a group that has all else",
        ),
    ],
)
def test_no_blue_green_group_goes_zone_by_zone(api: Api, had: dict[str, Any], given: dict[str, Any]) -> None:
    api.zones()
    api.application()
    made = {**NAMED, "serviceRoleArn": ROLE, **had, **given}
    assert api.code("CreateDeploymentGroup", **made) == "InvalidBlueGreenDeploymentConfiguration"
    api.group(**had)
    refused = api.refusal("UpdateDeploymentGroup", **CURRENT, **given)
    assert refused.code == "InvalidBlueGreenDeploymentConfigurationException"
    assert refused.message.startswith("zones goes zone by zone")
    # As soon as one of the two is in place, both are welcome.
    api("UpdateDeploymentGroup", **CURRENT, deploymentStyle=BALANCED, **without(blue_green(), "deploymentStyle"))
    api("UpdateDeploymentGroup", **CURRENT, deploymentConfigName="zones")
    api("UpdateDeploymentGroup", **CURRENT, **blue_green(deploymentConfigName="CodeDeployDefault.AllAtOnce"))
    assert told(api)["deploymentStyle"]["deploymentType"] == "BLUE_GREEN"


def test_a_blue_green_group_that_was_kept_with_zones_may_change_otherwise(api: Api) -> None:
    api.zones()
    api.group(**blue_green())
    group_id = api("GetDeploymentGroup", **NAMED)["deploymentGroupInfo"]["deploymentGroupId"]
    api.store.groups.change(group_id, lambda group: group.model_copy(update={"deployment_config_name": "zones"}))
    api("UpdateDeploymentGroup", **CURRENT, outdatedInstancesStrategy="IGNORE")
    assert told(api) == expected(blue_green(deploymentConfigName="zones", outdatedInstancesStrategy="IGNORE"))


def test_an_update_is_judged_with_what_the_group_has(api: Api) -> None:
    api.group(**blue_green())
    assert api.code("UpdateDeploymentGroup", **CURRENT, loadBalancerInfo={}) == "InvalidLoadBalancerInfo"
    assert api.code("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a"] * 2) == "InvalidAutoScalingGroup"


def test_registered_hosts_can_be_deployed_to_blue_green(api: Api) -> None:
    api.group(**blue_green(onPremisesInstanceTagFilters=[tag()]))
    assert api.code("UpdateDeploymentGroup", **CURRENT, loadBalancerInfo={}) == "InvalidLoadBalancerInfo"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"applicationName": None}, "ApplicationNameRequired"),
        ({"applicationName": "two words"}, "InvalidApplicationName"),
        ({"applicationName": "unknown"}, "ApplicationDoesNotExist"),
        ({"applicationName": "unknown", "serviceRoleArn": "bad"}, "InvalidRole"),
        ({"deploymentGroupName": None}, "DeploymentGroupNameRequired"),
        ({"deploymentGroupName": ""}, "DeploymentGroupNameRequired"),
        ({"deploymentGroupName": LONG}, "InvalidDeploymentGroupName"),
        ({"deploymentGroupName": "a/b"}, "InvalidDeploymentGroupName"),
        ({"serviceRoleArn": None}, "RoleRequired"),
        ({"serviceRoleArn": ""}, "RoleRequired"),
        ({"tags": [{"Key": "k"}, {"Key": "k"}]}, "InvalidTagsToAdd"),
    ],
)
def test_what_is_needed(api: Api, given: dict[str, Any], code: str) -> None:
    api.application()
    assert api.code("CreateDeploymentGroup", **{**NAMED, "serviceRoleArn": ROLE, **given}) == code


def test_a_name_is_given_once_in_an_application(api: Api) -> None:
    api.group()
    assert api.code("CreateDeploymentGroup", **NAMED, serviceRoleArn=ROLE) == "DeploymentGroupAlreadyExists"
    api.group(application="other")
    api.group("Web")


def test_the_quota_of_groups(api: Api) -> None:
    api.allow(groups_per_application=1)
    api.group()
    api.group(application="other")
    given = {"applicationName": "shop", "deploymentGroupName": "db", "serviceRoleArn": ROLE}
    assert api.code("CreateDeploymentGroup", **given) == "DeploymentGroupLimitExceeded"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"applicationName": "unknown"}, "ApplicationDoesNotExist"),
        ({"currentDeploymentGroupName": "unknown"}, "DeploymentGroupDoesNotExist"),
        ({"currentDeploymentGroupName": None}, "DeploymentGroupNameRequired"),
        ({"newDeploymentGroupName": "db"}, "DeploymentGroupAlreadyExists"),
        ({"newDeploymentGroupName": "a/b"}, "InvalidDeploymentGroupName"),
        ({"newDeploymentGroupName": ""}, "DeploymentGroupNameRequired"),
        ({"serviceRoleArn": ""}, "InvalidRole"),
    ],
)
def test_updates_that_cannot_be(api: Api, given: dict[str, Any], code: str) -> None:
    api.group()
    api.group("db")
    assert api.code("UpdateDeploymentGroup", **{**CURRENT, **given}) == code


def test_deployments_follow_a_group_to_its_new_name(api: Api) -> None:
    api.group(ec2TagFilters=[tag()])
    deployment_id = api.deployment(targets=1)
    before = api("GetDeploymentGroup", **NAMED)["deploymentGroupInfo"]
    api("UpdateDeploymentGroup", **CURRENT, newDeploymentGroupName="front")
    assert api.code("GetDeploymentGroup", **NAMED) == "DeploymentGroupDoesNotExist"
    renamed = {**NAMED, "deploymentGroupName": "front"}
    assert api("GetDeploymentGroup", **renamed)["deploymentGroupInfo"] == {**before, **renamed}
    assert api("ListDeployments", **renamed)["deployments"] == [deployment_id]
    assert api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]["deploymentGroupName"] == "front"
    api.group()
    assert api("ListDeployments", **NAMED)["deployments"] == []
    api("UpdateDeploymentGroup", **{**CURRENT, "currentDeploymentGroupName": "front"}, newDeploymentGroupName="front")


def test_what_runs_keeps_what_it_began_with(api: Api) -> None:
    api.group(autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]})
    deployment_id = api("CreateDeployment", **NAMED, revision=S3)["deploymentId"]
    before = api("GetDeployment", deploymentId=deployment_id)
    changed = {"autoRollbackConfiguration": {"enabled": False}, "deploymentConfigName": "CodeDeployDefault.AllAtOnce"}
    api("UpdateDeploymentGroup", **CURRENT, **changed)
    assert api("GetDeployment", deploymentId=deployment_id) == before


def test_several_come_in_the_order_asked_for_and_the_missing_are_told(api: Api) -> None:
    for name in ("a", "b"):
        api.group(name)
    answer = api("BatchGetDeploymentGroups", applicationName="shop", deploymentGroupNames=["b", "x", "a", "y"])
    assert [each["deploymentGroupName"] for each in answer["deploymentGroupsInfo"]] == ["b", "a"]
    assert answer["errorMessage"].endswith("x, y")
    answer = api("BatchGetDeploymentGroups", applicationName="shop", deploymentGroupNames=["a"])
    assert "errorMessage" not in answer


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"deploymentGroupNames": []}, "DeploymentGroupNameRequired"),
        ({"deploymentGroupNames": [None]}, "DeploymentGroupNameRequired"),
        ({"deploymentGroupNames": ["a/b"]}, "InvalidDeploymentGroupName"),
        ({"deploymentGroupNames": ["a"] * 101}, "BatchLimitExceeded"),
        ({"applicationName": "unknown"}, "ApplicationDoesNotExist"),
        ({"applicationName": ""}, "ApplicationNameRequired"),
    ],
)
def test_several_that_cannot_be_had(api: Api, given: dict[str, Any], code: str) -> None:
    api.application()
    asked = {"applicationName": "shop", "deploymentGroupNames": ["web"], **given}
    assert api.code("BatchGetDeploymentGroups", **asked) == code


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"applicationName": ""}, "ApplicationNameRequired"),
        ({"applicationName": "unknown"}, "ApplicationDoesNotExist"),
        ({"deploymentGroupName": "unknown"}, "DeploymentGroupDoesNotExist"),
        ({"deploymentGroupName": None}, "DeploymentGroupNameRequired"),
    ],
)
def test_what_is_not_there(api: Api, given: dict[str, Any], code: str) -> None:
    api.application()
    assert api.code("GetDeploymentGroup", **{**NAMED, **given}) == code


def test_groups_are_deleted_and_unknown_ones_are_no_error(api: Api) -> None:
    api.group()
    deployment_id = api.deployment(targets=1)
    for _ in range(2):
        assert api("DeleteDeploymentGroup", **NAMED) == {"hooksNotCleanedUp": []}
    assert api("DeleteDeploymentGroup", **{**NAMED, "applicationName": "unknown"}) == {"hooksNotCleanedUp": []}
    assert api.code("GetDeploymentGroup", **NAMED) == "DeploymentGroupDoesNotExist"
    info = api("GetDeployment", deploymentId=deployment_id)["deploymentInfo"]
    assert info["deploymentGroupName"] == "web"
    assert api.code("DeleteDeploymentGroup", **{**NAMED, "deploymentGroupName": ""}) == "DeploymentGroupNameRequired"
    assert api.code("ListDeployments", **NAMED) == "DeploymentGroupDoesNotExist"


def test_pages_of_groups_are_in_order_while_some_come_and_go(api: Api) -> None:
    for number in range(150):
        api.group(f"g{number:03d}")
    api.group(application="shop2")

    def between() -> None:
        api.group("zz")
        api.group("a")
        api("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="g120")

    pages = list(api.pages("ListDeploymentGroups", "deploymentGroups", between, applicationName="shop"))
    assert [len(page) for page in pages] == [100, 50]
    names = [name for page in pages for name in page]
    assert names == sorted({f"g{number:03d}" for number in range(150)} - {"g120"} | {"zz"})
    assert api("ListDeploymentGroups", applicationName="shop2")["applicationName"] == "shop2"
    assert api.code("ListDeploymentGroups", applicationName="unknown") == "ApplicationDoesNotExist"


def test_topics_hear_of_triggers_that_are_stored(api: Api) -> None:
    api.group(triggerConfigurations=[trigger()])
    api("UpdateDeploymentGroup", **CURRENT, triggerConfigurations=[trigger(), trigger(triggerName="u")])
    api("UpdateDeploymentGroup", **CURRENT, triggerConfigurations=[trigger()])
    heard = [happening for _, happening in api.site.store.history()]
    assert [[topic.trigger for topic in each.topics] for each in heard] == [[trigger()["triggerName"]], ["u"]]
    assert {each.type.value for each in heard} == {"TriggerTest"}
    assert len({each.event_id for each in heard}) == 2


def test_a_word_to_the_topics_that_cannot_be_kept_fails_no_call(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> None:
        raise WorldError

    monkeypatch.setattr(api.site.store, "tell", away)
    api.group(triggerConfigurations=[trigger()])
    assert told(api)["triggerConfigurations"] == [trigger()]
