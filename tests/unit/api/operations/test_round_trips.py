"""What was said of a resource is read back as it was said, with the documented defaults for the rest: values of the
model's own shapes, made valid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.wire.model import input_of
from tests.unit.api.operations.calling import ROLE, SESSION, USER, Api, without
from tests.unit.api.operations.test_groups import CURRENT, NAMED, TOPIC, expected
from tests.unit.api.wire.clients import values_of

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
CONFIGS = ("CodeDeployDefault.OneAtATime", "CodeDeployDefault.HalfAtATime", "CodeDeployDefault.AllAtOnce")
PROCESSES = ("Terminate", "AZRebalance", "InstanceRefresh", "ScheduledActions")
STYLE = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
Valid = dict[str, Any]


def inputs_of(operation: str) -> st.SearchStrategy[Valid]:
    shape = input_of(operation)
    assert shape is not None
    return values_of(shape)


def named(items: list[Valid], member: str) -> list[Valid]:
    """The items, each with a name of its own."""
    return [{**item, member: f"{item.get(member) or ''}{number}"} for number, item in enumerate(items)]


def condition(found: Valid) -> Valid:
    kind = found.get("Type") or "KEY_AND_VALUE"
    key = {} if kind == "VALUE_ONLY" else {"Key": found.get("Key") or "k"}
    value = {} if kind == "KEY_ONLY" else {"Value": found.get("Value") or ""}
    return {**key, **value, "Type": kind}


def a_group(drawn: Valid) -> Valid:
    """What was drawn of a group, made valid."""
    made = without(drawn, "ecsServices", "tags", "newDeploymentGroupName", *CURRENT, *NAMED)
    for member, mend in MENDED.items():
        if member in made:
            made[member] = mend(made[member])
    for plain, grouped in (("ec2TagFilters", "ec2TagSet"), ("onPremisesInstanceTagFilters", "onPremisesTagSet")):
        if made.get(plain) and grouped in made:
            del made[grouped]
    return traffic_controlled(made)


def filters(found: list[Valid]) -> list[Valid]:
    return [condition(each) for each in found]


def tag_set(member: str) -> Callable[[Valid], Valid]:
    return lambda found: {
        name: [filters(group) for group in groups] for name, groups in found.items() if name == member
    }


def trigger(found: Valid) -> Valid:
    return {**found, "triggerTargetArn": TOPIC, "triggerEvents": found.get("triggerEvents") or ["DeploymentReady"]}


def alarms(found: Valid) -> Valid:
    listed = named(found["alarms"], "name") if "alarms" in found else None
    if found.get("enabled") and not listed:
        listed = [{"name": "a"}]
    return {**without(found, "alarms"), **({} if listed is None else {"alarms": listed})}


def rollback(found: Valid) -> Valid:
    return {**found, "events": found.get("events") or ["DEPLOYMENT_FAILURE"]} if found.get("enabled") else found


def balancers(found: Valid) -> Valid:
    kept = without(found, "targetGroupPairInfoList")
    return {member: named(items, "name") for member, items in kept.items()}


def waits(found: Valid) -> Valid:
    return {
        member: {name: abs(value) % 2881 if isinstance(value, int) else value for name, value in option.items()}
        for member, option in found.items()
    }


def processes(found: Valid) -> Valid:
    return {name: list(PROCESSES[: len(items)]) for name, items in found.items()}


MENDED: dict[str, Callable[[Any], Any]] = {
    "serviceRoleArn": lambda _: ROLE,
    "deploymentConfigName": lambda name: CONFIGS[len(name) % 3],
    "ec2TagFilters": filters,
    "onPremisesInstanceTagFilters": filters,
    "ec2TagSet": tag_set("ec2TagSetList"),
    "onPremisesTagSet": tag_set("onPremisesTagSetList"),
    "autoScalingGroups": lambda names: [f"{name}{number}" for number, name in enumerate(names)],
    "triggerConfigurations": lambda items: [trigger(each) for each in named(items, "triggerName")],
    "alarmConfiguration": alarms,
    "autoRollbackConfiguration": rollback,
    "loadBalancerInfo": balancers,
    "blueGreenDeploymentConfiguration": waits,
    "ec2DeploymentOptions": processes,
}


def traffic_controlled(made: Valid) -> Valid:
    style = made.get("deploymentStyle", {})
    if style.get("deploymentType") == "BLUE_GREEN":
        style = made["deploymentStyle"] = {**style, "deploymentOption": "WITH_TRAFFIC_CONTROL"}
        config = made.setdefault("blueGreenDeploymentConfiguration", {})
        made = without(made, "onPremisesInstanceTagFilters", "onPremisesTagSet")
        if config.get("greenFleetProvisioningOption", {}).get("action") == "COPY_AUTO_SCALING_GROUP":
            made["autoScalingGroups"] = ["one"]
    if style.get("deploymentOption") == "WITH_TRAFFIC_CONTROL" and not any(made.get("loadBalancerInfo", {}).values()):
        made["loadBalancerInfo"] = {"elbInfoList": [{"name": "lb"}]}
    return made


def as_told(made: Valid) -> Valid:
    """A valid group as it is told: an empty set of tags is none, Auto Scaling groups are structures."""
    sets = {"ec2TagSet": "ec2TagSetList", "onPremisesTagSet": "onPremisesTagSetList"}
    told = {name: value for name, value in made.items() if name not in sets or value.get(sets[name])}
    plain = {"ec2TagSet": "ec2TagFilters", "onPremisesTagSet": "onPremisesInstanceTagFilters"}
    told = without(told, *(plain[name] for name in sets if name in told))
    if "autoScalingGroups" in told:
        told["autoScalingGroups"] = [{"name": name} for name in told["autoScalingGroups"]]
    if "deploymentStyle" in told:
        told["deploymentStyle"] = {**STYLE, **told["deploymentStyle"]}
    return told


@SETTINGS
@given(inputs_of("CreateDeploymentGroup").map(a_group), inputs_of("UpdateDeploymentGroup").map(a_group))
def test_groups(made: Valid, changes: Valid) -> None:
    api = Api()
    api.application()
    api("CreateDeploymentGroup", **{**NAMED, "serviceRoleArn": ROLE, **made})
    info = without(api("GetDeploymentGroup", **NAMED)["deploymentGroupInfo"], "deploymentGroupId")
    assert info == expected(as_told(made))
    # Another group altogether: what it has by default is given too, so that nothing of the first is left.
    cleared: Valid = {"ec2TagFilters": [], "onPremisesInstanceTagFilters": [], "autoScalingGroups": []}
    whole = {**cleared, "deploymentStyle": STYLE, **changes}
    for plain, grouped in (("ec2TagFilters", "ec2TagSet"), ("onPremisesInstanceTagFilters", "onPremisesTagSet")):
        if changes.get(grouped):
            whole[plain] = []
    api("UpdateDeploymentGroup", **CURRENT, **whole)
    after = without(api("GetDeploymentGroup", **NAMED)["deploymentGroupInfo"], "deploymentGroupId")
    kept = without(as_told(made), "ec2TagSet", "onPremisesTagSet", *cleared)
    assert after == expected({**kept, **as_told(without(whole, *(n for n in cleared if not whole[n])))})


@SETTINGS
@given(inputs_of("CreateDeploymentConfig"))
def test_configurations(drawn: Valid) -> None:
    api = Api()
    minimum = {"type": "FLEET_PERCENT", "value": abs(drawn.get("minimumHealthyHosts", {}).get("value", 0)) % 100}
    zonal = {
        name: value if isinstance(value, dict) else abs(value) % 2**62
        for name, value in drawn.get("zonalConfig", {}).items()
    }
    if "minimumHealthyHostsPerZone" in zonal:
        zonal["minimumHealthyHostsPerZone"] = {"type": "HOST_COUNT", "value": minimum["value"]}
    made = {"minimumHealthyHosts": minimum, **({"zonalConfig": zonal} if "zonalConfig" in drawn else {})}
    api("CreateDeploymentConfig", deploymentConfigName="c", **made)
    info = api("GetDeploymentConfig", deploymentConfigName="c")["deploymentConfigInfo"]
    told = {"deploymentConfigName": "c", "computePlatform": "Server", **made}
    assert without(info, "deploymentConfigId", "createTime") == told


@SETTINGS
@given(inputs_of("RegisterApplicationRevision"))
def test_revisions(drawn: Valid) -> None:
    api = Api()
    api.application()
    location = drawn["revision"].get("s3Location", {})
    s3 = {"bundleType": "zip", **location, "bucket": location.get("bucket") or "b", "key": location.get("key") or "k"}
    s3["bundleType"] = s3["bundleType"] if s3["bundleType"] in {"tar", "tgz", "zip"} else "zip"
    revision = {"revisionType": "S3", "s3Location": s3}
    told = {"description": drawn["description"]} if "description" in drawn else {}
    api("RegisterApplicationRevision", applicationName="shop", revision=revision, **told)
    found = api("GetApplicationRevision", applicationName="shop", revision=revision)
    assert found["revision"] == revision
    assert without(found["revisionInfo"], "registerTime") == {**told, "deploymentGroups": []}
    assert api("ListApplicationRevisions", applicationName="shop", s3Bucket=s3["bucket"])["revisions"] == [revision]


@SETTINGS
@given(inputs_of("RegisterOnPremisesInstance"), inputs_of("AddTagsToOnPremisesInstances"))
def test_instances(drawn: Valid, tagged: Valid) -> None:
    api = Api()
    arn = {"iamUserArn": USER} if "iamUserArn" in drawn else {"iamSessionArn": SESSION}
    tags = sorted({f"k{each.get('Key', '')}": each.get("Value", "") for each in tagged["tags"]}.items())
    api("RegisterOnPremisesInstance", instanceName="host-1", **arn)
    pairs = [{"Key": key, "Value": value} for key, value in tags]
    api("AddTagsToOnPremisesInstances", instanceNames=["host-1"], tags=pairs)
    info = api("GetOnPremisesInstance", instanceName="host-1")["instanceInfo"]
    assert without(info, "instanceArn", "registerTime") == {"instanceName": "host-1", "tags": pairs, **arn}
    assert api("BatchGetOnPremisesInstances", instanceNames=["host-1"])["instanceInfos"] == [info]
