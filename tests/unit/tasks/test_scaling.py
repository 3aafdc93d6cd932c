"""Auto Scaling's part of the engine, in memory: cut off anywhere, told twice, with Auto Scaling away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.scaling.memory import MemoryScaling
from domain.deployments import Deployment, DeploymentStatus
from domain.errors import AutoScalingGroupMissing, MissingRights, WorldError
from domain.fleet import Fate, Instance, Target, TargetKind
from domain.group_options import Ec2DeploymentOptions
from domain.groups import DeploymentGroup, LastDeployment
from domain.limits import Quotas
from domain.moves import Change
from domain.scaling import ActionResult, LifecycleAction, SuspendedProcesses, Transition
from tasks import runtime
from tasks.beginning import begin
from tasks.runtime import World
from tasks.scaling import look_at_actions, take_action
from tasks.steering import stop
from tasks.suspending import resume, suspend
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import a_deployment, a_group, a_revision
from workflows import scaling

FLEET = "fleet"


@dataclass
class Fleet:
    """The members of the Auto Scaling group."""

    names: list[str] = field(default_factory=lambda: ["i-old", "i-new"])
    kinds = frozenset(TargetKind)
    environments = frozenset[str]()

    def instances(self, group: DeploymentGroup) -> list[Instance]:  # noqa: ARG002
        return [
            Instance(instance_id=name, kind=TargetKind.EC2, arn=f"arn:{name}", auto_scaling_groups=(FLEET,))
            for name in self.names
        ]

    def gone(self, targets: Sequence[Target]) -> Mapping[str, Fate]:  # noqa: ARG002
        return {}


@dataclass
class Scene:
    """The engine with Auto Scaling in memory and a group that has version 1."""

    engine: Engine
    auto: MemoryScaling = field(default_factory=lambda: MemoryScaling(FLEET))
    fleet: Fleet = field(default_factory=Fleet)

    def __post_init__(self) -> None:
        self.engine.store.groups.change("g-1", lambda _: self.group())
        self.engine.store.admit(a_deployment(deployment_id="d-V1", revision=a_revision("v1")), token=None, queue=False)
        self.end("d-V1", DeploymentStatus.SUCCEEDED)

    def group(self, version: str | None = "v1", name: str = "g-1", **more: Any) -> DeploymentGroup:
        last = LastDeployment(deployment_id=f"d-{(version or '').upper()}", status="Succeeded", create_time=1.0)
        return a_group(
            deployment_group_id=name,
            deployment_group_name=name,
            auto_scaling_groups=(FLEET,),
            termination_hook_enabled=True,
            target_revision=a_revision(version) if version else None,
            last_successful_deployment=last if version else None,
            **more,
        )

    @property
    def world(self) -> World:
        made = replace(self.engine.world(), fleet=self.fleet, scaling=lambda: self.auto)
        number = len(self.ids())
        return replace(made, new_id=lambda: f"d-NEW{number:06}")

    def ids(self) -> list[str]:
        return sorted(deployment_id for _, deployment_id in self.engine.store.recent())

    def new(self) -> list[Deployment]:
        found = self.engine.store.deployments([each for each in self.ids() if each.startswith("d-NEW")])
        return [each for each in found if each]

    def held(self, transition: Transition = Transition.LAUNCHING, *, number: int = 1) -> LifecycleAction:
        action = LifecycleAction(
            token=f"{number:036}", hook="hook", auto_scaling_group=FLEET, instance_id="i-new", transition=transition
        )
        self.auto.hold(action)
        return action

    def take(self, action: LifecycleAction) -> None:
        take_action(self.world, action)

    def look(self, *, after: float = 0.0) -> None:
        self.engine.now += after
        look_at_actions(self.world)

    def end(self, deployment_id: str, status: DeploymentStatus) -> None:
        self.engine.store.change(deployment_id, lambda d: Change(d.model_copy(update={"status": status})))

    def open(self) -> list[str]:
        return self.engine.store.lifecycle_actions.names()


@pytest.fixture
def scene() -> Scene:
    return Scene(Engine())


def test_a_launch_is_one_deployment_however_often_it_is_told(scene: Scene) -> None:
    action = scene.held()
    scene.take(action)
    scene.take(action)
    (deployment,) = scene.new()
    assert (deployment.only, deployment.creator) == (("i-new",), "autoscaling")
    assert scene.engine.sent.named("begin") == [(deployment.deployment_id,)]
    assert [each.type.value for _, each in scene.engine.store.history()] == ["DeploymentStart"]


def test_a_crash_before_the_action_is_kept_makes_nothing_twice(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    action = scene.held()
    shelf = scene.engine.store.lifecycle_actions
    with monkeypatch.context() as patch:
        patch.setattr(shelf, "add", _raise(WorldError("killed")))
        with pytest.raises(WorldError):
            scene.take(action)
    assert scene.open() == []
    scene.take(action)
    assert len(scene.new()) == 1
    opened = shelf.get(action.token)
    assert opened is not None
    assert opened.deployments == (scene.new()[0].deployment_id,)


def _raise(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_it_runs_beside_a_deployment_of_the_group(scene: Scene) -> None:
    scene.engine.store.admit(a_deployment(deployment_id="d-V2"), token=None, queue=False)
    scene.take(scene.held())
    assert scene.engine.store.running("g-1") == "d-V2"
    assert scene.new()[0].status is DeploymentStatus.CREATED


def test_launch_and_termination_of_one_instance_wait_for_each_other(scene: Scene) -> None:
    scene.take(scene.held())
    scene.take(scene.held(Transition.TERMINATING, number=2))
    first, second = scene.new()
    assert (first.status, second.status) == (DeploymentStatus.CREATED, DeploymentStatus.QUEUED)


def test_a_full_installation_is_waited_for(scene: Scene) -> None:
    full = replace(scene.world, quotas=Quotas(running_deployments=1))
    scene.engine.store.admit(a_deployment(deployment_id="d-V2"), token=None, queue=False)
    with pytest.raises(WorldError, match="At most 1"):
        take_action(full, scene.held())
    assert (scene.new(), scene.open()) == ([], [])


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (DeploymentStatus.SUCCEEDED, ActionResult.CONTINUE),
        (DeploymentStatus.FAILED, ActionResult.ABANDON),
        (DeploymentStatus.STOPPED, ActionResult.ABANDON),
    ],
)
def test_the_end_of_the_deployment_is_the_end_of_the_action(
    scene: Scene, status: DeploymentStatus, result: ActionResult
) -> None:
    action = scene.held()
    scene.take(action)
    scene.look()
    assert scene.auto.heartbeats == [action.token]
    scene.look(after=scaling.HEARTBEAT - 1)
    assert len(scene.auto.heartbeats) == 1
    scene.look(after=1)
    assert len(scene.auto.heartbeats) == 2
    scene.end(scene.new()[0].deployment_id, status)
    scene.look()
    scene.look()
    assert scene.auto.completed == [(action.token, result)]


def test_several_groups_deploy_and_one_failure_abandons(scene: Scene) -> None:
    scene.engine.store.groups.add(scene.group(name="g-2"))
    numbers = iter(range(10))
    world = replace(scene.world, new_id=lambda: f"d-NEW{next(numbers)}")
    take_action(world, scene.held())
    first, second = scene.new()
    assert {first.deployment_group_id, second.deployment_group_id} == {"g-1", "g-2"}
    scene.end(first.deployment_id, DeploymentStatus.FAILED)
    scene.look()
    assert scene.auto.completed == []
    scene.end(second.deployment_id, DeploymentStatus.SUCCEEDED)
    scene.look()
    assert [result for _, result in scene.auto.completed] == [ActionResult.ABANDON]
    assert scene.open() == []


def test_nothing_to_deploy_lets_the_instance_go_on(scene: Scene) -> None:
    scene.engine.store.groups.change("g-1", lambda _: scene.group(None))
    scene.take(scene.held())
    scene.look()
    assert scene.new() == []
    assert [result for _, result in scene.auto.completed] == [ActionResult.CONTINUE]


def test_a_hook_that_no_group_knows_holds_nobody(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.engine.store.groups.remove("g-1")
    scene.take(scene.held())
    scene.look()
    assert [result for _, result in scene.auto.completed] == [ActionResult.CONTINUE]
    assert "no deployment group knows the hook" in caplog.text


def test_a_failed_termination_never_blocks(scene: Scene) -> None:
    scene.take(scene.held(Transition.TERMINATING))
    scene.end(scene.new()[0].deployment_id, DeploymentStatus.FAILED)
    scene.look()
    assert [result for _, result in scene.auto.completed] == [ActionResult.CONTINUE]
    assert scene.open() == []


@pytest.mark.parametrize("trouble", [WorldError("away"), MissingRights("not allowed")])
def test_what_auto_scaling_does_not_take_is_told_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    action = scene.held()
    scene.take(action)
    scene.end(scene.new()[0].deployment_id, DeploymentStatus.SUCCEEDED)
    with monkeypatch.context() as patch:
        patch.setattr(scene.auto, "complete", _raise(trouble))
        scene.look()
    scene.look(after=scaling.AGAIN - 1)
    assert scene.auto.completed == []
    scene.look(after=1)
    assert scene.auto.completed == [(action.token, ActionResult.CONTINUE)]


def test_a_crash_after_the_action_was_completed_ends_it_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.take(scene.held())
    scene.end(scene.new()[0].deployment_id, DeploymentStatus.FAILED)
    with monkeypatch.context() as patch:
        patch.setattr(scene.engine.store.lifecycle_actions, "remove", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            scene.look()
    scene.look()
    assert len(scene.auto.completed) == 1
    assert scene.open() == []


# --- what was launched during a deployment ---


def launched(scene: Scene) -> None:
    """i-new got version 1 and went on."""
    scene.take(scene.held())
    scene.end(scene.new()[0].deployment_id, DeploymentStatus.SUCCEEDED)
    scene.look()
    assert scene.auto.completed


def under_way(scene: Scene) -> None:
    """A deployment of version 2 runs that did not find i-new."""
    scene.engine.store.admit(a_deployment(deployment_id="d-V2"), token=None, queue=False)


def version_2_ends(scene: Scene, status: DeploymentStatus = DeploymentStatus.SUCCEEDED) -> None:
    if status is DeploymentStatus.SUCCEEDED:
        scene.engine.store.groups.change("g-1", lambda _: scene.group("v2"))
    scene.end("d-V2", status)


def follow_ons(scene: Scene) -> list[Deployment]:
    return [each for each in scene.new() if each.creator == "CodeDeployAutoUpdate"]


def test_it_is_brought_level_once_the_deployment_has_ended(scene: Scene) -> None:
    under_way(scene)
    launched(scene)
    scene.look(after=scaling.KEPT)
    assert follow_ons(scene) == []
    version_2_ends(scene)
    scene.look()
    (update,) = follow_ons(scene)
    assert (update.only, update.revision) == (("i-new",), a_revision("v2"))
    root = scene.engine.store.deployment("d-V2")
    assert root is not None
    assert (update.auto_update_root, root.auto_updates) == ("d-V2", (update.deployment_id,))
    scene.end(update.deployment_id, DeploymentStatus.FAILED)
    scene.look(after=1)
    scene.look(after=1)
    assert len(follow_ons(scene)) == 1
    assert scene.open() == []


def test_one_deployment_brings_all_level(scene: Scene) -> None:
    under_way(scene)
    launched(scene)
    other = scene.held(number=2).model_copy(update={"instance_id": "i-old"})
    scene.take(other)
    scene.end(scene.new()[1].deployment_id, DeploymentStatus.SUCCEEDED)
    scene.look()
    version_2_ends(scene)
    scene.look()
    assert [update.only for update in follow_ons(scene)] == [("i-new", "i-old")]


def test_a_deployment_that_failed_leaves_nobody_outdated(scene: Scene) -> None:
    under_way(scene)
    launched(scene)
    records = scene.engine.store.host_records("g-1", ["i-new"])
    has_version_1 = records[0].model_copy(update={"revision": a_revision("v1").identity})
    scene.engine.store._hosts["g-1", "i-new"] = has_version_1
    version_2_ends(scene, DeploymentStatus.FAILED)
    scene.look(after=scaling.KEPT)
    assert follow_ons(scene) == []
    assert scene.open() == []


def test_an_instance_that_is_gone_is_not_brought_level(scene: Scene) -> None:
    under_way(scene)
    launched(scene)
    scene.fleet.names.remove("i-new")
    version_2_ends(scene)
    scene.look(after=scaling.KEPT)
    scene.look()
    assert (follow_ons(scene), scene.open()) == ([], [])


def test_a_fleet_that_does_not_answer_is_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way(scene)
    launched(scene)
    version_2_ends(scene)
    with monkeypatch.context() as patch:
        patch.setattr(scene.fleet, "instances", _raise(WorldError("away")))
        scene.look(after=scaling.KEPT)
    assert follow_ons(scene) == []
    scene.look()
    assert len(follow_ons(scene)) == 1


def test_a_crash_between_the_follow_on_and_its_root_is_healed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way(scene)
    launched(scene)
    version_2_ends(scene)
    with monkeypatch.context() as patch:
        patch.setattr(scene.engine.store, "change", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            scene.look()
    scene.look()
    (update,) = follow_ons(scene)
    root = scene.engine.store.deployment("d-V2")
    assert root is not None
    assert root.auto_updates == (update.deployment_id,)


# --- begin ---


@pytest.fixture
def entered(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(runtime, "_world", scene.world)
    return scene


def test_begin_goes_to_the_one_instance_and_the_group_forgets_it(entered: Scene) -> None:
    entered.take(entered.held())
    before = entered.engine.store.groups.get("g-1")
    (deployment,) = entered.new()
    begin(deployment.deployment_id)
    found = entered.engine.store.targets(deployment.deployment_id)
    assert [record.target.target_id for record in found] == ["i-new"]
    assert entered.engine.store.groups.get("g-1") == before


def test_an_instance_that_aws_does_not_list_yet_is_waited_for(entered: Scene) -> None:
    entered.take(entered.held())
    (deployment,) = entered.new()
    entered.fleet.names.remove("i-new")
    with pytest.raises(WorldError, match="i-new was launched and is not listed yet"):
        begin(deployment.deployment_id)
    entered.engine.now += 60
    begin(deployment.deployment_id)
    assert entered.new()[0].status is DeploymentStatus.FAILED


# --- processes ---

PROCESSES = Ec2DeploymentOptions(auto_scaling_group_processes_to_suspend=("Terminate", "AZRebalance"))


def suspending(scene: Scene) -> Deployment:
    made = a_deployment(deployment_id="d-V2", status="Created", phases=(), ec2_deployment_options=PROCESSES)
    scene.engine.store.admit(made, token=None, queue=False)
    return made


def present(scene: Scene) -> Deployment:
    found = scene.engine.store.deployment("d-V2")
    assert found is not None
    return found


def test_processes_are_suspended_and_resumed_but_for_those_of_somebody_else(scene: Scene) -> None:
    scene.auto.suspend(FLEET, ["AZRebalance"])
    assert suspend(scene.world, suspending(scene), scene.group()) is None
    assert scene.auto.suspended(FLEET) == {"Terminate", "AZRebalance"}
    assert present(scene).suspended == (SuspendedProcesses(auto_scaling_group=FLEET, processes=("Terminate",)),)
    assert suspend(scene.world, present(scene), scene.group()) is None
    assert resume(scene.world, present(scene)) is None
    assert resume(scene.world, present(scene)) is None
    assert scene.auto.suspended(FLEET) == {"AZRebalance"}


def test_a_crash_in_the_middle_leaves_nothing_suspended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    made = suspending(scene)
    honest = scene.auto.suspend

    def dies(name: str, processes: tuple[str, ...]) -> None:
        honest(name, processes)
        raise WorldError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(scene.auto, "suspend", dies)
        with pytest.raises(WorldError):
            suspend(scene.world, made, scene.group())
    assert suspend(scene.world, made, scene.group()) is None
    assert resume(scene.world, present(scene)) is None
    assert scene.auto.suspended(FLEET) == set()


def test_what_cannot_be_suspended_or_resumed_says_why(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    made = suspending(scene)
    monkeypatch.setattr(scene.auto, "suspended", _raise(AutoScalingGroupMissing("no group")))
    why = suspend(scene.world, made, scene.group())
    assert why is not None
    assert (why.code.value, why.message) == ("AUTO_SCALING_CONFIGURATION", "no group")
    monkeypatch.setattr(scene.auto, "resume", _raise(MissingRights("not allowed")))
    each = SuspendedProcesses(auto_scaling_group=FLEET, processes=("Terminate",))
    why = resume(scene.world, made.model_copy(update={"suspended": (each,)}))
    assert why is not None
    assert why.code.value == "IAM_ROLE_PERMISSIONS"
    assert (
        why.message == f"Terminate of the Auto Scaling group {FLEET} stay suspended; resume them yourself. not allowed"
    )


def test_a_stop_between_two_begins_leaves_nothing_suspended(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    made = suspending(scene)
    honest = scene.auto.suspend

    def throttled(name: str, processes: tuple[str, ...]) -> None:
        honest(name, processes)
        raise WorldError("throttled")

    monkeypatch.setattr(scene.auto, "suspend", throttled)
    with pytest.raises(WorldError):
        suspend(scene.world, made, scene.group())
    assert scene.auto.suspended(FLEET) != set()
    assert stop(scene.world, made.deployment_id).status is DeploymentStatus.STOPPED
    assert scene.auto.suspended(FLEET) == set()


def test_with_a_group_that_is_gone_all_that_was_suspended_is_gone(scene: Scene) -> None:
    made = suspending(scene)
    both = tuple(SuspendedProcesses(auto_scaling_group=name, processes=("Terminate",)) for name in ("gone", FLEET))
    scene.auto.suspend(FLEET, ["Terminate"])
    assert resume(scene.world, made.model_copy(update={"suspended": both})) is None
    assert scene.auto.suspended(FLEET) == set()


def test_without_aws_nothing_can_be_suspended(scene: Scene) -> None:
    why = suspend(scene.engine.world(), suspending(scene), scene.group())
    assert why is not None
    assert "SLIPWAY_AWS__ENABLED" in why.message
