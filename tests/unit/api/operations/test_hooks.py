"""The lifecycle hooks of deployment groups: they come and go with Auto Scaling groups, and nothing is left or lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.scaling.memory import MOST_HOOKS, MemoryScaling
from domain.errors import MissingRights, WorldError
from domain.scaling import ScalingHook
from tests.unit.api.operations.calling import ROLE, Api

NAMED = {"applicationName": "shop", "deploymentGroupName": "web"}
CURRENT = {"applicationName": "shop", "currentDeploymentGroupName": "web"}


class Hooked(Api):
    """An installation whose groups get hooks, on Auto Scaling in memory. `stuck` hooks cannot be removed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.auto = MemoryScaling("a", "b")
        self.stuck: set[str] = set()
        self.trouble: Exception | None = None
        self.site = replace(self.site, put_hook=self._put, delete_hook=self._delete)

    def _put(self, hook: ScalingHook) -> None:
        if self.trouble is not None and hook.auto_scaling_group == "b":
            raise self.trouble
        self.auto.put_hook(hook)

    def _delete(self, hook: ScalingHook) -> bool:
        if hook.name not in self.stuck:
            self.auto.delete_hook(hook)
        return hook.name not in self.stuck

    def there(self) -> dict[str, list[str]]:
        """The hooks of each Auto Scaling group."""
        return {name: sorted(hooks) for name, hooks in self.auto.hooks.items()}

    def shown(self, *, name: str = "web") -> list[dict[str, str]]:
        """The Auto Scaling groups of a group as the API tells of them."""
        named = {**NAMED, "deploymentGroupName": name}
        told: list[dict[str, str]] = self("GetDeploymentGroup", **named)["deploymentGroupInfo"]["autoScalingGroups"]
        return told


@pytest.fixture
def hooked() -> Hooked:
    return Hooked()


def test_a_group_gets_a_hook_on_each_auto_scaling_group(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a", "b"])
    a, b = hooked.shown()
    assert hooked.there() == {"a": [a["hook"]], "b": [b["hook"]]}
    assert a["hook"].startswith("CodeDeploy-managed-automatic-launch-deployment-hook-web-")
    assert "terminationHook" not in a


def test_the_termination_hook_is_there_if_it_is_enabled(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a"], terminationHookEnabled=True)
    (told,) = hooked.shown()
    assert hooked.there()["a"] == sorted([told["hook"], told["terminationHook"]])
    assert hooked("UpdateDeploymentGroup", **CURRENT, terminationHookEnabled=False) == {"hooksNotCleanedUp": []}
    assert hooked.shown() == [{"name": "a", "hook": told["hook"]}]
    assert hooked.there()["a"] == [told["hook"]]


def test_a_hook_leaves_with_the_auto_scaling_group_and_the_others_stay(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a", "b"])
    a, _ = hooked.shown()
    assert hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a"]) == {"hooksNotCleanedUp": []}
    assert hooked.there() == {"a": [a["hook"]], "b": []}
    hooked("UpdateDeploymentGroup", **CURRENT, newDeploymentGroupName="site")
    assert hooked.shown(name="site") == [a]


def test_saving_a_group_again_puts_back_what_was_removed_elsewhere(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a"])
    before = hooked.there()
    hooked.auto.hooks["a"].clear()
    hooked("UpdateDeploymentGroup", **CURRENT, deploymentConfigName="CodeDeployDefault.AllAtOnce")
    assert hooked.there()["a"] == []
    hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a"])
    assert hooked.there() == before


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_what_cannot_be_removed_is_told(hooked: Hooked, operation: str) -> None:
    hooked.group(autoScalingGroups=["a"])
    (told,) = hooked.shown()
    hooked.stuck = {told["hook"]}
    if operation == "update":
        left = hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=[])
        assert hooked.shown() == []
    else:
        left = hooked("DeleteDeploymentGroup", **NAMED)
    assert left == {"hooksNotCleanedUp": [told]}


def test_hooks_go_with_the_group_and_with_the_application(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a"])
    assert hooked("DeleteDeploymentGroup", **NAMED) == {"hooksNotCleanedUp": []}
    assert hooked.there()["a"] == []
    hooked.group(autoScalingGroups=["a"])
    hooked("DeleteApplication", applicationName="shop")
    assert hooked.there()["a"] == []


@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_refused_call_leaves_no_hook(hooked: Hooked, operation: str) -> None:
    """The first of two hooks was put when the second is refused."""
    hooked.trouble = MissingRights("not allowed")
    if operation == "create":
        hooked.application()
        call = ("CreateDeploymentGroup", {**NAMED, "serviceRoleArn": ROLE})
    else:
        hooked.group()
        call = ("UpdateDeploymentGroup", CURRENT)
    given: dict[str, Any] = {**call[1], "autoScalingGroups": ["a", "b"]}
    assert hooked.code(call[0], **given) == "InvalidAutoScalingGroup"
    assert hooked.there() == {"a": [], "b": []}


def test_a_refused_update_keeps_the_hooks_that_were_there(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a"])
    before = hooked.there()
    hooked.trouble = WorldError("away")
    with pytest.raises(WorldError):
        hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a", "b"])
    assert hooked.there() == before
    hooked.group("taken")
    hooked.trouble = None
    given = {**CURRENT, "autoScalingGroups": ["a", "b"], "newDeploymentGroupName": "taken"}
    assert hooked.code("UpdateDeploymentGroup", **given) == "DeploymentGroupAlreadyExists"
    assert hooked.there() == before


def test_an_auto_scaling_group_that_is_full_of_hooks(hooked: Hooked) -> None:
    for number in range(MOST_HOOKS):
        hooked.auto.put_hook(ScalingHook(auto_scaling_group="a", name=f"theirs-{number}"))
    hooked.application()
    given = {**NAMED, "serviceRoleArn": ROLE, "autoScalingGroups": ["a"]}
    assert hooked.code("CreateDeploymentGroup", **given) == "LifecycleHookLimitExceeded"


def test_two_updates_at_once_leave_one_hook(hooked: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another call gives the group the same Auto Scaling group after this one has put its hook."""
    hooked.group()
    honest = hooked.store.groups.change

    def raced(*given: Any) -> Any:
        monkeypatch.setattr(hooked.store.groups, "change", honest)
        hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a"])
        return honest(*given)

    monkeypatch.setattr(hooked.store.groups, "change", raced)
    assert hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["a"]) == {"hooksNotCleanedUp": []}
    (told,) = hooked.shown()
    assert hooked.there()["a"] == [told["hook"]]


def test_without_a_queue_groups_get_no_hooks_and_lose_those_they_had(hooked: Hooked) -> None:
    hooked.group(autoScalingGroups=["a", "b"])
    told = hooked.shown()
    hooked.site = replace(hooked.site, put_hook=None)
    hooked("UpdateDeploymentGroup", **CURRENT, autoScalingGroups=["b"])
    assert hooked.shown() == told[1:]
    assert hooked.there()["a"] == []
    hooked.group("other", autoScalingGroups=["a"])
    assert hooked.shown(name="other") == [{"name": "a"}]


def test_an_environment_of_the_settings_among_them_is_asked_for_no_hook(hooked: Hooked) -> None:
    hooked.site = replace(hooked.site, environments=frozenset({"shop-vms"}))
    hooked.group(autoScalingGroups=["a", "shop-vms"])
    assert [each.get("hook") is not None for each in hooked.shown()] == [True, False]
