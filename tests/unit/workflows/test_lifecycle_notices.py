"""What Auto Scaling says on a queue, in the forms it comes in; everything else is refused with the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scaling import LifecycleAction, Transition
from workflows.lifecycle_notices import LARGEST, NoNotice, read_notice

ACTION = LifecycleAction(
    token="87654321-4321-4321-4321-210987654321",
    hook="CodeDeploy-managed-automatic-launch-deployment-hook-web-1",
    auto_scaling_group="my group",
    instance_id="i-1234567890abcdef0",
    transition=Transition.LAUNCHING,
)
PLAIN: dict[str, Any] = {
    "LifecycleHookName": ACTION.hook,
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "AutoScalingGroupName": ACTION.auto_scaling_group,
    "EC2InstanceId": ACTION.instance_id,
    "LifecycleActionToken": ACTION.token,
}
REST = {"Service": "AWS Auto Scaling", "Time": "2026-11-25T22:00:00Z", "Origin": "EC2", "NotificationMetadata": "{}"}
EVENT = {
    "version": "0",
    "detail-type": "EC2 Instance-launch Lifecycle Action",
    "source": "aws.autoscaling",
    "detail": {**PLAIN, "Origin": "EC2"},
}


def sns(inner: object) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "Message": json.dumps(inner), "Signature": "s"}


@pytest.mark.parametrize("content", [PLAIN, {**PLAIN, **REST}, EVENT, sns(PLAIN), sns(EVENT)])
def test_a_notice_in_any_envelope_is_the_same_action(content: dict[str, Any]) -> None:
    assert read_notice(json.dumps(content).encode()) == ACTION


def test_a_terminating_instance() -> None:
    content = {**PLAIN, "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    found = read_notice(json.dumps(content).encode())
    assert found == ACTION.model_copy(update={"transition": Transition.TERMINATING})


@pytest.mark.parametrize(
    ("transition", "origin", "destination", "warm"),
    [
        ("LAUNCHING", "EC2", "WarmPool", True),
        ("LAUNCHING", "WarmPool", "AutoScalingGroup", False),
        ("LAUNCHING", "EC2", "AutoScalingGroup", False),
        ("TERMINATING", "WarmPool", "EC2", True),
        ("TERMINATING", "AutoScalingGroup", "WarmPool", False),
        ("TERMINATING", "AutoScalingGroup", "EC2", False),
    ],
)
def test_an_instance_in_a_warm_pool_is_told_apart(transition: str, origin: str, destination: str, warm: bool) -> None:
    way = {
        "LifecycleTransition": f"autoscaling:EC2_INSTANCE_{transition}",
        "Origin": origin,
        "Destination": destination,
    }
    found = read_notice(json.dumps({**PLAIN, **way}).encode())
    assert found is not None
    assert found.warm is warm


@pytest.mark.parametrize("wrap", [lambda it: it, sns])
def test_a_test_asks_for_nothing(wrap: Any) -> None:
    content = {"Event": "autoscaling:TEST_NOTIFICATION", "AutoScalingGroupName": "g", "RequestId": "r"}
    assert read_notice(json.dumps(wrap(content)).encode()) is None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 5000, "not JSON|no JSON object"),
        (b"[]", "no JSON object"),
        (b"{}", "no LifecycleTransition"),
        (b'{"LifecycleTransition": 1}', "no LifecycleTransition"),
        (b" " * (LARGEST + 1), "at most"),
        (json.dumps({"Type": "SubscriptionConfirmation", "Message": "visit"}).encode(), "no LifecycleTransition"),
        (json.dumps(sns(sns(sns(PLAIN)))).encode(), "wrapped too often"),
        (json.dumps({**EVENT, "source": "me"}).encode(), "no LifecycleTransition"),
        (b'{"Type": "Notification", "Message": "\\ud800"}', "not JSON"),
    ],
    ids=lambda each: repr(each)[:30],
)
def test_what_is_no_notice_says_why(body: bytes, why: str) -> None:
    with pytest.raises(NoNotice, match=why):
        read_notice(body)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("LifecycleActionToken", "short"),
        ("LifecycleActionToken", "8" * 37),
        ("LifecycleActionToken", "87654321-4321-4321-4321-21098765432\n"),
        ("LifecycleHookName", ""),
        ("LifecycleHookName", "a b"),
        ("LifecycleHookName", "a" * 256),
        ("EC2InstanceId", "web-1"),
        ("EC2InstanceId", "i-12345678\nERROR all is lost"),
        ("AutoScalingGroupName", ""),
        ("AutoScalingGroupName", "a\nb"),
        ("AutoScalingGroupName", "a" * 256),
        ("AutoScalingGroupName", "\ud800"),
        ("LifecycleTransition", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"),
        ("EC2InstanceId", None),
        ("EC2InstanceId", ["i-1234567890abcdef0"]),
    ],
)
def test_no_member_is_taken_on_trust(member: str, value: object) -> None:
    with pytest.raises(NoNotice) as refusal:
        read_notice(json.dumps({**PLAIN, member: value}).encode())
    assert "\n" not in str(refusal.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*PLAIN, *EVENT, "Type", "Message"]), inner),
)


@given(ANYTHING | st.dictionaries(st.sampled_from([*PLAIN, *EVENT, "Type", "Message", "Event"]), ANYTHING))
def test_nothing_else_comes_of_any_message(content: object) -> None:
    try:
        found = read_notice(json.dumps(content).encode())
    except NoNotice:
        return
    assert found is None or isinstance(found, LifecycleAction)
