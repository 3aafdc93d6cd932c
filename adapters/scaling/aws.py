"""Amazon EC2 Auto Scaling: lifecycle actions, hooks, and processes that are suspended.

Source: Amazon EC2 Auto Scaling API reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.aws import Aws, answering
from domain.errors import AutoScalingGroupMissing, HookRefused, TooManyHooks, WorldError
from domain.scaling import ActionResult, LifecycleAction, ScalingHook, Transition

HEARTBEAT_SECONDS = 600
"""For how long a hook holds an instance without a heartbeat."""
_DEFAULTS = {Transition.LAUNCHING: ActionResult.ABANDON, Transition.TERMINATING: ActionResult.CONTINUE}
"""What becomes of an instance of which nobody says anything."""
_INVALID = "ValidationError"
"""The code of an answer that says that something is not there, or not as it should be."""
_FULL = "LimitExceeded"


class AwsScaling:
    """The Auto Scaling groups of one account and region. Hooks tell `queue_arn`, by the rights of `role_arn`."""

    def __init__(self, aws: Aws, *, queue_arn: str = "", role_arn: str = "") -> None:
        self._aws = aws
        self._queue_arn, self._role_arn = queue_arn, role_arn

    def complete(self, action: LifecycleAction, result: ActionResult) -> bool:
        """Let the instance go on or have it terminated; False if nothing holds it any more."""
        return self._told("complete_lifecycle_action", action, LifecycleActionResult=result.value)

    def heartbeat(self, action: LifecycleAction) -> bool:
        """Have the instance held for another while; False if nothing holds it any more."""
        return self._told("record_lifecycle_action_heartbeat", action)

    def _told(self, operation: str, action: LifecycleAction, **more: str) -> bool:
        try:
            self._call(
                operation,
                LifecycleHookName=action.hook,
                AutoScalingGroupName=action.auto_scaling_group,
                LifecycleActionToken=action.token,
                InstanceId=action.instance_id,
                **more,
            )
        except _Refused as error:
            if error.code != _INVALID:
                raise
            return False
        return True

    def put_hook(self, hook: ScalingHook) -> None:
        """Install a hook, or put it right; Auto Scaling sends the queue a test message."""
        try:
            self._call(
                "put_lifecycle_hook",
                LifecycleHookName=hook.name,
                AutoScalingGroupName=hook.auto_scaling_group,
                LifecycleTransition=hook.transition.value,
                NotificationTargetARN=self._queue_arn,
                RoleARN=self._role_arn,
                HeartbeatTimeout=HEARTBEAT_SECONDS,
                DefaultResult=_DEFAULTS[hook.transition].value,
            )
        except _Refused as error:
            kinds = {_FULL: TooManyHooks, _INVALID: HookRefused}
            if error.code not in kinds:
                raise
            raise kinds[error.code](
                f"Auto Scaling takes no lifecycle hook for the group {hook.auto_scaling_group}: {error.message}"
            ) from error

    def delete_hook(self, hook: ScalingHook) -> None:
        """Remove a hook; nothing if it or its group is gone."""
        try:
            self._call(
                "delete_lifecycle_hook", LifecycleHookName=hook.name, AutoScalingGroupName=hook.auto_scaling_group
            )
        except _Refused as error:
            if error.code != _INVALID:
                raise

    def suspended(self, auto_scaling_group: str) -> frozenset[str]:
        """The processes that are suspended."""
        found = self._call("describe_auto_scaling_groups", AutoScalingGroupNames=[auto_scaling_group])
        for group in found["AutoScalingGroups"]:
            return frozenset(process["ProcessName"] for process in group["SuspendedProcesses"])
        raise _missing(auto_scaling_group)

    def suspend(self, auto_scaling_group: str, processes: Sequence[str]) -> None:
        """Suspend processes."""
        self._switch("suspend_processes", auto_scaling_group, processes)

    def resume(self, auto_scaling_group: str, processes: Sequence[str]) -> None:
        """Resume processes."""
        self._switch("resume_processes", auto_scaling_group, processes)

    def _switch(self, operation: str, auto_scaling_group: str, processes: Sequence[str]) -> None:
        # No processes at all would mean every one there is.
        if not processes:
            return
        # Asked first: for a group that is not there, the call is answered as if something were wrong with it.
        self.suspended(auto_scaling_group)
        self._call(operation, AutoScalingGroupName=auto_scaling_group, ScalingProcesses=list(processes))

    def _call(self, operation: str, **asked: object) -> Any:
        client = self._aws.client("autoscaling")
        name = client.meta.method_to_api_mapping[operation]
        with _refusals(), answering("autoscaling", name):
            return getattr(client, operation)(**asked)


class _Refused(WorldError):
    """Auto Scaling answers a call with an error."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def _refusals() -> Iterator[None]:
    """Keeps AWS's own code of an answer that may be expected."""
    from botocore.exceptions import ClientError

    try:
        yield
    except WorldError as error:
        if not isinstance(error.__cause__, ClientError):
            raise
        raise _Refused(error.message, error.__cause__.response["Error"]["Code"]) from error


def _missing(auto_scaling_group: str) -> AutoScalingGroupMissing:
    return AutoScalingGroupMissing(
        f"There is no Auto Scaling group {auto_scaling_group}; take it out of the deployment group."
    )
