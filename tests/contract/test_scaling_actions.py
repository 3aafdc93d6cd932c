"""What is asked of Auto Scaling: the same of AWS, played by moto with a server before it, and of the one in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from adapters.aws import Aws, AwsAccess
from adapters.scaling.aws import AwsScaling
from adapters.scaling.memory import MOST_HOOKS, MemoryScaling
from domain.errors import AutoScalingGroupMissing, HookRefused, MissingRights, TooManyHooks, WorldError
from domain.ports import ScalingActions
from domain.scaling import ActionResult, LifecycleAction, ScalingHook, Transition
from tests.aws import KEYS, REGION
from tests.aws_lifecycle import HoldingAws, holding_aws
from tests.services import free_port


@dataclass
class Scaling:
    """Auto Scaling with the group `web`, and a grip on it."""

    port: ScalingActions
    hold: Callable[[LifecycleAction], object]
    completed: Callable[[LifecycleAction], str | None]
    heartbeats: Callable[[LifecycleAction], int]
    hooks: Callable[[], set[str]]


@pytest.fixture(scope="module")
def aws() -> Iterator[HoldingAws]:
    with holding_aws() as server:
        server.aws.auto_scaling_group("web", 0)
        yield server


@pytest.fixture(params=["memory", "aws"])
def scaling(request: pytest.FixtureRequest) -> Scaling:
    if request.param == "memory":
        memory = MemoryScaling("web")
        return Scaling(
            memory,
            memory.hold,
            lambda action: dict(memory.completed).get(action.token),
            lambda action: memory.heartbeats.count(action.token),
            lambda: set(memory.hooks["web"]),
        )
    server: HoldingAws = request.getfixturevalue("aws")

    def hooks() -> set[str]:
        found = server.aws.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="web")
        return {hook["LifecycleHookName"] for hook in found["LifecycleHooks"]}

    return Scaling(
        AwsScaling(server.aws.access, queue_arn=server.queue_arn, role_arn="arn:aws:iam::123456789012:role/notifier"),
        lambda action: server.held.add(action.token),
        server.result_of,
        server.heartbeats_of,
        hooks,
    )


def an_action() -> LifecycleAction:
    return LifecycleAction(
        token=str(uuid.uuid4()),
        hook="hook",
        auto_scaling_group="web",
        instance_id="i-0123456789abcdef0",
        transition=Transition.LAUNCHING,
    )


@pytest.mark.parametrize("result", ActionResult)
def test_a_held_instance_is_let_go_once(scaling: Scaling, result: ActionResult) -> None:
    action = an_action()
    scaling.hold(action)
    assert scaling.port.heartbeat(action)
    assert scaling.port.heartbeat(action)
    assert scaling.port.complete(action, result)
    assert scaling.completed(action) == result.value
    assert not scaling.port.complete(action, ActionResult.ABANDON)
    assert not scaling.port.heartbeat(action)
    assert scaling.heartbeats(action) >= 2


def test_nothing_holds_a_stranger(scaling: Scaling) -> None:
    assert not scaling.port.heartbeat(an_action())
    assert not scaling.port.complete(an_action(), ActionResult.CONTINUE)


def test_a_hook_is_put_and_removed_however_often(scaling: Scaling) -> None:
    hook = ScalingHook(auto_scaling_group="web", name="launch-hook")
    leaving = ScalingHook(auto_scaling_group="web", name="leave-hook", transition=Transition.TERMINATING)
    for _ in range(2):
        scaling.port.put_hook(hook)
        scaling.port.put_hook(leaving)
    assert scaling.hooks() == {"launch-hook", "leave-hook"}
    for _ in range(2):
        scaling.port.delete_hook(hook)
        scaling.port.delete_hook(leaving)
    assert scaling.hooks() == set()
    scaling.port.delete_hook(ScalingHook(auto_scaling_group="gone", name="launch-hook"))


def test_processes_are_suspended_and_resumed_however_often(scaling: Scaling) -> None:
    for _ in range(2):
        scaling.port.suspend("web", ["AZRebalance", "Terminate"])
    assert scaling.port.suspended("web") == {"AZRebalance", "Terminate"}
    scaling.port.suspend("web", [])
    scaling.port.resume("web", [])
    assert scaling.port.suspended("web") == {"AZRebalance", "Terminate"}
    for _ in range(2):
        scaling.port.resume("web", ["Terminate"])
    assert scaling.port.suspended("web") == {"AZRebalance"}
    scaling.port.resume("web", ["AZRebalance"])
    assert scaling.port.suspended("web") == set()


def test_a_group_that_is_not_there_has_no_processes(scaling: Scaling) -> None:
    with pytest.raises(AutoScalingGroupMissing, match="gone"):
        scaling.port.suspended("gone")
    with pytest.raises(AutoScalingGroupMissing, match="gone"):
        scaling.port.suspend("gone", ["Terminate"])
    with pytest.raises(AutoScalingGroupMissing, match="gone"):
        scaling.port.resume("gone", ["Terminate"])


def test_a_hook_says_what_aws_is_to_do(aws: HoldingAws) -> None:
    """600 seconds without a heartbeat, and then a launched instance is abandoned while a terminated one goes on."""
    port = AwsScaling(aws.aws.access, queue_arn=aws.queue_arn, role_arn="arn:aws:iam::123456789012:role/notifier")
    for transition in Transition:
        port.put_hook(ScalingHook(auto_scaling_group="web", name=transition.name, transition=transition))
    found = aws.aws.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"]
    assert {hook["LifecycleHookName"]: (hook["HeartbeatTimeout"], hook["DefaultResult"]) for hook in found} == {
        "LAUNCHING": (600, "ABANDON"),
        "TERMINATING": (600, "CONTINUE"),
    }
    for transition in Transition:
        port.delete_hook(ScalingHook(auto_scaling_group="web", name=transition.name))


def test_the_double_has_as_many_hooks_as_aws_and_no_group_that_is_not_there() -> None:
    memory = MemoryScaling("web")
    for number in range(MOST_HOOKS):
        memory.put_hook(ScalingHook(auto_scaling_group="web", name=f"hook-{number}"))
    memory.put_hook(ScalingHook(auto_scaling_group="web", name="hook-0"))
    with pytest.raises(TooManyHooks):
        memory.put_hook(ScalingHook(auto_scaling_group="web", name="one-more"))
    with pytest.raises(HookRefused):
        memory.put_hook(ScalingHook(auto_scaling_group="gone", name="hook"))


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("LimitExceeded", TooManyHooks),
        ("ValidationError", HookRefused),
        ("AccessDenied", MissingRights),
        ("ResourceContention", WorldError),
        ("Throttling", WorldError),
    ],
)
def test_it_is_told_why_aws_takes_no_hook(
    aws: HoldingAws, monkeypatch: pytest.MonkeyPatch, code: str, raised: type[Exception]
) -> None:
    port = AwsScaling(aws.aws.access, queue_arn=aws.queue_arn, role_arn="arn:aws:iam::123456789012:role/notifier")
    _refuse(aws, monkeypatch, "put_lifecycle_hook", code)
    with pytest.raises(raised, match="AWS's own words") as caught:
        port.put_hook(ScalingHook(auto_scaling_group="web", name="hook"))
    assert isinstance(caught.value, HookRefused) == issubclass(raised, HookRefused)


@pytest.mark.parametrize("code", ["AccessDenied", "ResourceContention"])
def test_an_answer_that_says_nothing_of_the_action_is_no_end_of_it(
    aws: HoldingAws, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    port = AwsScaling(aws.aws.access)
    _refuse(aws, monkeypatch, "complete_lifecycle_action", code)
    with pytest.raises((WorldError, MissingRights)):
        port.complete(an_action(), ActionResult.CONTINUE)


def _refuse(aws: HoldingAws, monkeypatch: pytest.MonkeyPatch, operation: str, code: str) -> None:
    from botocore.exceptions import ClientError

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "AWS's own words"}}, operation)

    monkeypatch.setattr(aws.aws.access.client("autoscaling"), operation, refuse)


def test_auto_scaling_that_is_away_is_the_worlds_fault() -> None:
    away = AwsScaling(Aws(AwsAccess(region=REGION, endpoint_url=f"http://127.0.0.1:{free_port()}", **KEYS)))
    with pytest.raises(WorldError):
        away.complete(an_action(), ActionResult.CONTINUE)
