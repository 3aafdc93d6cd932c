"""Green as a copy of an Auto Scaling group, in the order of calls that the original service makes.

Every step looks what is there already, so that a crash between any two calls is healed by calling again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.aws import Aws, answering, told_by
from adapters.environments.auto_scaling_copy import (
    copied_group,
    copied_notifications,
    copied_policy,
    copied_schedule,
    is_full,
    kept_hook,
    made_for,
    name_of,
    size_of,
)
from adapters.fleet.auto_scaling import Membership
from adapters.fleet.ec2 import described_instances
from domain.environments import EnvironmentRecord, GreenOrder, Provisioned, Retirement
from domain.errors import AutoScalingGroupMissing, CannotBegin, CannotProvision, WorldError
from domain.ports import Shelf

SUSPENDED = ("AddToLoadBalancer", "AlarmNotification", "ScheduledActions")
"""What green does not do before it has blue's place: it would take traffic or change its size."""
MOST_FAILURES = 5
"""Launches that failed one after the other; then it will not come to anything."""
REFUSED = frozenset({"ValidationError", "ValidationException", "LimitExceeded", "ServiceLinkedRoleFailure"})
"""Answers that stay the same until somebody changes the group, the account's limits or its rights. That a group is
there already is not among them: another process may have made it a moment ago."""


class AutoScalingEnvironment:
    """Copies, retires and removes Auto Scaling groups. `records` keeps what AWS would forget in the middle."""

    def __init__(self, aws: Aws, records: Shelf[EnvironmentRecord]) -> None:
        self._aws = aws
        self._records = records

    def provision(self, order: GreenOrder) -> Provisioned | None:
        """Copy the group; None until all its instances are in service. Raises CannotProvision."""
        name = name_of(order)
        blue, green = self._described(order.source), self._described(name)
        if blue is None:
            raise AutoScalingGroupMissing(
                f"There is no Auto Scaling group {order.source}; take it out of the deployment group."
            )
        if green is not None and not made_for(green, order.deployment_id):
            raise CannotProvision(f"An Auto Scaling group {name} is there already, and another made it. Remove it.")
        if green is None or green["DesiredCapacity"] == 0:
            self._copy(blue, order, there=green is not None)
            green = self._described(name)
        if green is None:
            return None
        self._suspend(green)
        if is_full(green):
            return self._ready(green)
        self._check_launches(name)
        return None

    def _copy(self, blue: Mapping[str, Any], order: GreenOrder, *, there: bool) -> None:
        source, name, size = order.source, name_of(order), size_of(blue)
        if size == 0:
            raise CannotProvision(f"The Auto Scaling group {source} has no healthy instance, so there is none to copy.")
        self._remember(order, blue=blue["AutoScalingGroupARN"])
        if not there:
            self._call("create_auto_scaling_group", **copied_group(blue, order))
        for policy in self._all("describe_policies", "ScalingPolicies", source):
            self._call("put_scaling_policy", **copied_policy(policy, name))
        told = self._listed("describe_notification_configurations", "NotificationConfigurations", [source])
        for request in copied_notifications(told, name):
            self._call("put_notification_configuration", **request)
        for action in self._all("describe_scheduled_actions", "ScheduledUpdateGroupActions", source):
            self._call("put_scheduled_update_group_action", **copied_schedule(action, name))
        if metrics := [each["Metric"] for each in blue.get("EnabledMetrics", ())]:
            self._call("enable_metrics_collection", AutoScalingGroupName=name, Metrics=metrics, Granularity="1Minute")
        least = min(blue["MinSize"], size)
        self._call("update_auto_scaling_group", AutoScalingGroupName=name, MinSize=least, DesiredCapacity=size)

    def _remember(self, order: GreenOrder, **known: object) -> None:
        if not self._records.add(order.deployment_id, EnvironmentRecord().model_copy(update=known)):
            self._records.change(order.deployment_id, lambda found: found.model_copy(update=known))

    def _suspend(self, green: Mapping[str, Any]) -> None:
        suspended = {each["ProcessName"] for each in green.get("SuspendedProcesses", ())}
        if not suspended.issuperset(SUSPENDED):
            name = green["AutoScalingGroupName"]
            self._call("suspend_processes", AutoScalingGroupName=name, ScalingProcesses=list(SUSPENDED))

    def _ready(self, green: Mapping[str, Any]) -> Provisioned | None:
        """Green with its hosts; None while EC2 does not tell all of them."""
        name = green["AutoScalingGroupName"]
        members = {member["InstanceId"]: Membership(groups=[name]) for member in green["Instances"]}
        hosts = described_instances(self._aws, members)
        return Provisioned(name=name, hosts=tuple(hosts)) if len(hosts) == len(members) else None

    def _check_launches(self, name: str) -> None:
        """Raises CannotProvision if the latest launches all failed."""
        client = self._aws.client("autoscaling")
        with answering("autoscaling", "DescribeScalingActivities"):
            latest = client.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=MOST_FAILURES)
        activities = latest["Activities"]
        if len(activities) == MOST_FAILURES and all(each["StatusCode"] == "Failed" for each in activities):
            why = str(activities[0].get("StatusMessage", ""))[:500]
            raise CannotProvision(f"The Auto Scaling group {name} cannot launch its instances: {why}")

    def retire(self, retirement: Retirement) -> bool:
        """Give green blue's hooks and let it scale; then delete blue if asked to. True once blue is gone."""
        order = retirement.order
        name = order.green or name_of(order)
        green, blue = self._described(name), self._described(order.source)
        if green is None:
            raise CannotBegin(f"There is no Auto Scaling group {name} that could take the place of {order.source}.")
        if green.get("SuspendedProcesses"):
            self._call("resume_processes", AutoScalingGroupName=name, ScalingProcesses=list(SUSPENDED))
        record = self._records.get(order.deployment_id) or EnvironmentRecord()
        same = blue is not None and record.blue in ("", blue["AutoScalingGroupARN"]) and order.source != name
        self._move_hooks(order, record, name, blue_is_there=same)
        return self._deleted(blue) if same and blue is not None and retirement.terminate else True

    def _move_hooks(self, order: GreenOrder, record: EnvironmentRecord, name: str, *, blue_is_there: bool) -> None:
        """Hooks are deleted there before they are put here, so they are kept in between."""
        hooks = {str(hook["LifecycleHookName"]): dict(hook) for hook in record.hooks}
        if blue_is_there:
            listed = self._hooks(order.source, order.hooks)
            hooks |= {hook["LifecycleHookName"]: hook for hook in listed}
            if listed:
                self._remember(order, hooks=tuple(hooks.values()))
            for hook in listed:
                hook_name = hook["LifecycleHookName"]
                self._call("delete_lifecycle_hook", AutoScalingGroupName=order.source, LifecycleHookName=hook_name)
        there = {hook["LifecycleHookName"] for hook in self._hooks(name, list(hooks))} if hooks else set()
        for hook_name, hook in hooks.items():
            if hook_name not in there:
                self._call("put_lifecycle_hook", AutoScalingGroupName=name, **hook)

    def _hooks(self, group: str, names: Sequence[str]) -> list[dict[str, Any]]:
        if not names:
            return []
        with answering("autoscaling", "DescribeLifecycleHooks"):
            told = self._aws.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=group)
        return [kept_hook(hook) for hook in told["LifecycleHooks"] if hook["LifecycleHookName"] in names]

    def abandon(self, order: GreenOrder) -> bool:
        """Delete the copy; never a group that another made. True once it is gone."""
        green = self._described(name_of(order))
        return self._deleted(green) if green is not None and made_for(green, order.deployment_id) else True

    def _deleted(self, group: Mapping[str, Any]) -> bool:
        name = group["AutoScalingGroupName"]
        if not str(group.get("Status") or "").startswith("Delete"):
            if (group.get("DeletionProtection") or "none") != "none":
                self._call("update_auto_scaling_group", AutoScalingGroupName=name, DeletionProtection="none")
            try:
                self._call("delete_auto_scaling_group", AutoScalingGroupName=name, ForceDelete=True)
            except CannotProvision:
                # As refused as what another process deleted a moment ago.
                if self._described(name) is not None:
                    raise
        return self._described(name) is None

    def _described(self, name: str) -> Mapping[str, Any] | None:
        groups = self._listed("describe_auto_scaling_groups", "AutoScalingGroups", [name])
        return next(iter(groups), None)

    def _listed(self, operation: str, member: str, names: Sequence[str]) -> list[Mapping[str, Any]]:
        pages = self._aws.pages("autoscaling", operation, AutoScalingGroupNames=list(names))
        return [each for page in pages for each in page[member]]

    def _all(self, operation: str, member: str, name: str) -> list[Mapping[str, Any]]:
        pages = self._aws.pages("autoscaling", operation, AutoScalingGroupName=name)
        return [each for page in pages for each in page[member]]

    def _call(self, operation: str, **request: object) -> None:
        client = self._aws.client("autoscaling")
        with _refusing(client.meta.method_to_api_mapping[operation]):
            call: Callable[..., object] = getattr(client, operation)
            call(**request)


@contextmanager
def _refusing(call: str) -> Iterator[None]:
    """Raises CannotProvision for answers that stay the same."""
    try:
        with answering("autoscaling", call):
            yield
    except WorldError as error:
        code, message = told_by(error)
        if code not in REFUSED:
            raise
        raise CannotProvision(f"AWS refuses the call autoscaling:{call} ({code}: {message}).") from error
