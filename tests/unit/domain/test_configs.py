"""The predefined deployment configurations, as AWS returns them."""

from __future__ import annotations

import pytest

from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME, PREDEFINED, DeploymentConfig


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        (ONE_AT_A_TIME, "MOST_CONCURRENCY", 1),
        (HALF_AT_A_TIME, "FLEET_PERCENT", 50),
        (ALL_AT_ONCE, "HOST_COUNT", 0),
    ],
)
def test_predefined(name: str, kind: str, value: int) -> None:
    config = PREDEFINED[name]
    assert config.deployment_config_name == name
    assert config.minimum_healthy_hosts.model_dump() == {"type": kind, "value": value}
    assert config.compute_platform == "Server"


def test_there_are_three_with_ids_and_names_of_their_own() -> None:
    assert sorted(PREDEFINED) == [ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME]
    assert len({config.deployment_config_id for config in PREDEFINED.values()}) == 3
    assert PREDEFINED[ONE_AT_A_TIME].deployment_config_id == "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("config", PREDEFINED.values(), ids=lambda config: config.deployment_config_name)
def test_a_configuration_survives_json(config: DeploymentConfig) -> None:
    assert DeploymentConfig.model_validate_json(config.model_dump_json()) == config
