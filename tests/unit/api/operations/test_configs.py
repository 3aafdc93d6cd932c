"""Operations on deployment configurations, rule by rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.operations.calling import LONG, NOW, S3, Api

HOSTS = {"type": "HOST_COUNT", "value": 1}
PERCENT = {"type": "FLEET_PERCENT", "value": 99}


@pytest.mark.parametrize("minimum", [HOSTS, PERCENT, {"type": "HOST_COUNT", "value": 0}])
@pytest.mark.parametrize(
    "zonal",
    [
        None,
        {},
        {"firstZoneMonitorDurationInSeconds": 0, "monitorDurationInSeconds": 2**40},
        {"minimumHealthyHostsPerZone": {"type": "FLEET_PERCENT", "value": 0}},
    ],
)
def test_a_configuration_is_read_back(api: Api, minimum: dict[str, Any], zonal: dict[str, Any] | None) -> None:
    made = api("CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts=minimum, zonalConfig=zonal)
    assert api("GetDeploymentConfig", deploymentConfigName="c")["deploymentConfigInfo"] == {
        "deploymentConfigId": made["deploymentConfigId"],
        "deploymentConfigName": "c",
        "minimumHealthyHosts": minimum,
        "createTime": NOW,
        "computePlatform": "Server",
        **({} if zonal is None else {"zonalConfig": zonal}),
    }


def zones(**members: Any) -> dict[str, Any]:
    return {"minimumHealthyHosts": HOSTS, "zonalConfig": members}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {"type": "HOST_COUNT"}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {"value": 1}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {"type": "HOST_COUNT", "value": -1}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": 100}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {"type": "FLEET_PERCENT", "value": -1}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": {"type": "MOST_CONCURRENCY", "value": 1}}, "InvalidMinimumHealthyHostValue"),
        ({"minimumHealthyHosts": HOSTS, "computePlatform": "Lambda"}, "InvalidComputePlatform"),
        ({"minimumHealthyHosts": HOSTS, "computePlatform": "x"}, "InvalidComputePlatform"),
        (
            {"minimumHealthyHosts": HOSTS, "trafficRoutingConfig": {"type": "AllAtOnce"}},
            "InvalidTrafficRoutingConfiguration",
        ),
        (
            {"minimumHealthyHosts": HOSTS, "trafficRoutingConfig": {"type": "no"}},
            "InvalidTrafficRoutingConfiguration",
        ),
        (zones(monitorDurationInSeconds=-1), "InvalidZonalDeploymentConfiguration"),
        (zones(firstZoneMonitorDurationInSeconds=-1), "InvalidZonalDeploymentConfiguration"),
        (zones(minimumHealthyHostsPerZone={}), "InvalidZonalDeploymentConfiguration"),
        (zones(minimumHealthyHostsPerZone={"type": "HOST_COUNT"}), "InvalidZonalDeploymentConfiguration"),
        (zones(minimumHealthyHostsPerZone={"value": 1}), "InvalidZonalDeploymentConfiguration"),
        (zones(minimumHealthyHostsPerZone={"type": "x", "value": 1}), "InvalidZonalDeploymentConfiguration"),
        (
            zones(minimumHealthyHostsPerZone={"type": "FLEET_PERCENT", "value": 100}),
            "InvalidZonalDeploymentConfiguration",
        ),
        (
            zones(minimumHealthyHostsPerZone={"type": "HOST_COUNT", "value": -1}),
            "InvalidZonalDeploymentConfiguration",
        ),
    ],
)
def test_what_cannot_be_created(api: Api, given: dict[str, Any], code: str) -> None:
    assert api.code("CreateDeploymentConfig", deploymentConfigName="c", **given) == code


@pytest.mark.parametrize("operation", ["CreateDeploymentConfig", "GetDeploymentConfig", "DeleteDeploymentConfig"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        (None, "DeploymentConfigNameRequired"),
        ("", "DeploymentConfigNameRequired"),
        (LONG, "InvalidDeploymentConfigName"),
        ("two words", "InvalidDeploymentConfigName"),
    ],
)
def test_names_are_checked(api: Api, operation: str, name: str | None, code: str) -> None:
    assert api.code(operation, deploymentConfigName=name) == code


@pytest.mark.parametrize("name", ["CodeDeployDefault.", "CodeDeployDefault.Mine", "CodeDeployDefault.OneAtATime"])
def test_a_prefix_is_reserved(api: Api, name: str) -> None:
    code = api.code("CreateDeploymentConfig", deploymentConfigName=name, minimumHealthyHosts=HOSTS)
    assert code == "InvalidDeploymentConfigName"


def test_a_name_is_given_once_and_the_quota_counts_custom_ones(api: Api) -> None:
    api.allow(custom_configs=1)
    api("CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts=HOSTS)
    code = api.code("CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts=PERCENT)
    assert code == "DeploymentConfigAlreadyExists"
    code = api.code("CreateDeploymentConfig", deploymentConfigName="d", minimumHealthyHosts=PERCENT)
    assert code == "DeploymentConfigLimitExceeded"


@pytest.mark.parametrize(
    ("name", "minimum"),
    [
        ("OneAtATime", {"type": "MOST_CONCURRENCY", "value": 1}),
        ("HalfAtATime", {"type": "FLEET_PERCENT", "value": 50}),
        ("AllAtOnce", {"type": "HOST_COUNT", "value": 0}),
    ],
)
def test_the_predefined_ones(api: Api, name: str, minimum: dict[str, Any]) -> None:
    info = api("GetDeploymentConfig", deploymentConfigName=f"CodeDeployDefault.{name}")["deploymentConfigInfo"]
    assert info["minimumHealthyHosts"] == minimum
    assert info["computePlatform"] == "Server"


def test_seventeen_are_predefined_and_each_can_be_looked_at(api: Api) -> None:
    names = api("ListDeploymentConfigs")["deploymentConfigsList"]
    assert len(names) == len(set(names)) == 17
    platforms = [
        api("GetDeploymentConfig", deploymentConfigName=name)["deploymentConfigInfo"]["computePlatform"]
        for name in names
    ]
    assert {each: platforms.count(each) for each in platforms} == {"Server": 3, "Lambda": 9, "ECS": 5}


def test_a_canary_says_how_it_goes(api: Api) -> None:
    name = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    info = api("GetDeploymentConfig", deploymentConfigName=name)["deploymentConfigInfo"]
    canary = {"canaryPercentage": 10, "canaryInterval": 5}
    assert info["trafficRoutingConfig"] == {"type": "TimeBasedCanary", "timeBasedCanary": canary}


def test_pages_of_configurations(api: Api) -> None:
    api.allow(custom_configs=500)
    for number in range(150):
        api("CreateDeploymentConfig", deploymentConfigName=f"c{number:03d}", minimumHealthyHosts=HOSTS)
    pages = list(api.pages("ListDeploymentConfigs", "deploymentConfigsList"))
    assert [len(page) for page in pages] == [117, 50]
    assert len({name for page in pages for name in page}) == 167


def test_what_is_not_there(api: Api) -> None:
    assert api.code("GetDeploymentConfig", deploymentConfigName="c") == "DeploymentConfigDoesNotExist"
    assert api("DeleteDeploymentConfig", deploymentConfigName="c") == {}


@pytest.mark.parametrize("name", ["OneAtATime", "LambdaAllAtOnce", "ECSAllAtOnce"])
def test_predefined_ones_stay(api: Api, name: str) -> None:
    assert api.code("DeleteDeploymentConfig", deploymentConfigName=f"CodeDeployDefault.{name}") == "InvalidOperation"


def test_one_in_use_stays_until_nobody_uses_it(api: Api) -> None:
    api("CreateDeploymentConfig", deploymentConfigName="c", minimumHealthyHosts=HOSTS)
    for name in ("db", "web"):
        api.group(name)
    api("UpdateDeploymentGroup", applicationName="shop", currentDeploymentGroupName="web", deploymentConfigName="c")
    refused = api.refusal("DeleteDeploymentConfig", deploymentConfigName="c")
    assert refused.code == "DeploymentConfigInUseException"
    assert "shop/web" in refused.message
    given = {"applicationName": "shop", "deploymentGroupName": "db", "deploymentConfigName": "c", "revision": S3}
    deployment_id = api("CreateDeployment", **given)["deploymentId"]
    api("DeleteDeploymentGroup", applicationName="shop", deploymentGroupName="web")
    assert deployment_id in api.refusal("DeleteDeploymentConfig", deploymentConfigName="c").message
    api("StopDeployment", deploymentId=deployment_id)
    assert api("DeleteDeploymentConfig", deploymentConfigName="c") == {}
    assert api.code("GetDeploymentConfig", deploymentConfigName="c") == "DeploymentConfigDoesNotExist"
