"""What only CloudWatch has: many alarms to a call, kinds of alarms, rights that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto.cloudwatch.responses import CloudWatchResponse

from adapters.alarms.choosing import ChosenAlarms
from adapters.alarms.cloudwatch import CloudWatchAlarms
from adapters.alarms.memory import MemoryAlarm
from adapters.aws import Aws
from domain.alarms import AlarmState
from domain.errors import MissingRights
from tests.alarm_places import InCloudWatch, put_alarm, set_alarm
from tests.aws import FakeAws, fake_aws


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as account:
        yield account


def test_a_hundred_names_are_one_call_and_composite_alarms_are_asked_for(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"shop-{n}" for n in range(101)]
    for name in names:
        put_alarm(aws, name)
    set_alarm(aws, names[100], "ALARM")
    composite = InCloudWatch(aws, composite=True)
    composite.fire()
    calls: list[tuple[int, Any]] = []
    truly = CloudWatchResponse.describe_alarms

    def noted(response: CloudWatchResponse) -> Any:
        calls.append((len(response._get_param("AlarmNames")), response._get_param("AlarmTypes")))
        return truly(response)

    monkeypatch.setattr(CloudWatchResponse, "describe_alarms", noted)
    found = CloudWatchAlarms(aws.access).read([*names, composite.name])
    assert [count for count, _ in calls] == [100, 2]
    assert all(set(types) == {"MetricAlarm", "CompositeAlarm"} for _, types in calls)
    assert [name for name, reading in found.items() if reading.state is AlarmState.ALARM] == [
        names[100],
        composite.name,
    ]
    assert "a test says ALARM" in found[names[100]].detail


def test_rights_that_are_missing_are_named(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise MissingRights("AWS refuses the call cloudwatch:DescribeAlarms")

    monkeypatch.setattr(Aws, "pages", refused)
    (reading,) = CloudWatchAlarms(aws.access).read(["shop"]).values()
    assert (reading.state, reading.lasting) == (None, True)
    assert "cloudwatch:DescribeAlarms" in reading.detail


def test_a_state_that_nobody_knows_is_not_taken_for_well(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [{"MetricAlarms": [{"AlarmName": "shop", "StateValue": "BROKEN"}]}]
    monkeypatch.setattr(Aws, "pages", lambda *_, **__: iter(told))
    assert CloudWatchAlarms(aws.access).read(["shop"])["shop"].state is None


def test_names_of_the_settings_win_and_others_are_cloudwatchs(aws: FakeAws) -> None:
    put_alarm(aws, "theirs")
    put_alarm(aws, "ours")
    ours = MemoryAlarm()
    ours.set(AlarmState.ALARM)
    found = ChosenAlarms({"ours": ours}, cloudwatch=CloudWatchAlarms(aws.access)).read(["theirs", "ours"])
    assert {name: (reading.kind, reading.state) for name, reading in found.items()} == {
        "ours": ("memory", AlarmState.ALARM),
        "theirs": ("cloudwatch", AlarmState.OK),
    }


def test_without_aws_a_name_that_leads_nowhere_says_what_to_do() -> None:
    (reading,) = ChosenAlarms({}).read(["shop"]).values()
    assert reading.lasting
    assert "the setting alarms, or turn AWS on with SLIPWAY_AWS__ENABLED=true" in reading.detail
