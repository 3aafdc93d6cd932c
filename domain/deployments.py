"""Deployments and their targets: what is frozen when one is created, where it stands, and the tables of legal moves.

Source: AWS CodeDeploy API reference, `DeploymentInfo`, `InstanceTarget`; API enums `DeploymentStatus`, `TargetStatus`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import ConfigDict
from pydantic.alias_generators import to_pascal

from domain.alarms import AlarmRecord
from domain.appspec import FileExistsBehavior
from domain.configs import MinimumHealthyHosts, ZonalConfig
from domain.errors import IllegalMove
from domain.fleet import Target
from domain.group_options import (
    AlarmConfiguration,
    AutoRollbackConfiguration,
    BlueGreenDeploymentConfiguration,
    DeploymentOption,
    DeploymentStyle,
    DeploymentType,
    Ec2DeploymentOptions,
    LoadBalancerInfo,
    TriggerConfig,
)
from domain.groups import Selection, TargetInstances
from domain.lifecycle import Event
from domain.reports import Diagnostics, EventStatus
from domain.revisions import RevisionLocation
from domain.scaling import SuspendedProcesses
from domain.values import Instant, Value


class DeploymentStatus(StrEnum):
    """Where a deployment stands."""

    CREATED = "Created"
    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    BAKING = "Baking"
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def final(self) -> bool:
        """The deployment has ended."""
        return not NEXT[self]


class TargetStatus(StrEnum):
    """Where one target of a deployment stands."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    READY = "Ready"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"

    @property
    def final(self) -> bool:
        """Nothing more will happen to the target in this deployment."""
        return not NEXT_TARGET[self]


NEXT: Mapping[DeploymentStatus, frozenset[DeploymentStatus]] = {
    DeploymentStatus.CREATED: frozenset(
        {DeploymentStatus.QUEUED, DeploymentStatus.IN_PROGRESS, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
    ),
    DeploymentStatus.QUEUED: frozenset({DeploymentStatus.CREATED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}),
    DeploymentStatus.IN_PROGRESS: frozenset(
        {
            DeploymentStatus.READY,
            DeploymentStatus.BAKING,
            DeploymentStatus.SUCCEEDED,
            DeploymentStatus.FAILED,
            DeploymentStatus.STOPPED,
        }
    ),
    DeploymentStatus.READY: frozenset(
        {DeploymentStatus.IN_PROGRESS, DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
    ),
    DeploymentStatus.BAKING: frozenset(
        {DeploymentStatus.IN_PROGRESS, DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.STOPPED}
    ),
    DeploymentStatus.SUCCEEDED: frozenset(),
    DeploymentStatus.FAILED: frozenset(),
    DeploymentStatus.STOPPED: frozenset(),
}
"""The legal moves of a deployment: one row per status."""

NEXT_TARGET: Mapping[TargetStatus, frozenset[TargetStatus]] = {
    TargetStatus.PENDING: frozenset({TargetStatus.IN_PROGRESS, TargetStatus.SKIPPED, TargetStatus.UNKNOWN}),
    TargetStatus.IN_PROGRESS: frozenset(
        {TargetStatus.READY, TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED, TargetStatus.UNKNOWN}
    ),
    TargetStatus.READY: frozenset({TargetStatus.IN_PROGRESS, TargetStatus.SUCCEEDED, TargetStatus.FAILED}),
    TargetStatus.UNKNOWN: frozenset({TargetStatus.IN_PROGRESS, TargetStatus.SUCCEEDED, TargetStatus.FAILED}),
    TargetStatus.SUCCEEDED: frozenset(),
    TargetStatus.FAILED: frozenset(),
    TargetStatus.SKIPPED: frozenset(),
}
"""The legal moves of a target: one row per status."""


def moved(before: DeploymentStatus, after: DeploymentStatus) -> DeploymentStatus:
    """`after`, if a deployment may move there from `before`; raises IllegalMove if not."""
    if after not in NEXT[before]:
        raise IllegalMove(f"a deployment cannot go from {before} to {after}")
    return after


class DeploymentErrorCode(StrEnum):
    """The codes of `errorInformation` that concern servers (API enum `ErrorCode`)."""

    AGENT_ISSUE = "AGENT_ISSUE"
    ALARM_ACTIVE = "ALARM_ACTIVE"
    APPLICATION_MISSING = "APPLICATION_MISSING"
    AUTOSCALING_VALIDATION_ERROR = "AUTOSCALING_VALIDATION_ERROR"
    AUTO_SCALING_CONFIGURATION = "AUTO_SCALING_CONFIGURATION"
    AUTO_SCALING_IAM_ROLE_PERMISSIONS = "AUTO_SCALING_IAM_ROLE_PERMISSIONS"
    CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND = "CODEDEPLOY_RESOURCE_CANNOT_BE_FOUND"
    CUSTOMER_APPLICATION_UNHEALTHY = "CUSTOMER_APPLICATION_UNHEALTHY"
    DEPLOYMENT_GROUP_MISSING = "DEPLOYMENT_GROUP_MISSING"
    ELASTIC_LOAD_BALANCING_INVALID = "ELASTIC_LOAD_BALANCING_INVALID"
    ELB_INVALID_INSTANCE = "ELB_INVALID_INSTANCE"
    HEALTH_CONSTRAINTS = "HEALTH_CONSTRAINTS"
    HEALTH_CONSTRAINTS_INVALID = "HEALTH_CONSTRAINTS_INVALID"
    HOOK_EXECUTION_FAILURE = "HOOK_EXECUTION_FAILURE"
    IAM_ROLE_MISSING = "IAM_ROLE_MISSING"
    IAM_ROLE_PERMISSIONS = "IAM_ROLE_PERMISSIONS"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INVALID_REVISION = "INVALID_REVISION"
    MANUAL_STOP = "MANUAL_STOP"
    MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION = "MISSING_BLUE_GREEN_DEPLOYMENT_CONFIGURATION"
    MISSING_ELB_INFORMATION = "MISSING_ELB_INFORMATION"
    MISSING_GITHUB_TOKEN = "MISSING_GITHUB_TOKEN"  # noqa: S105  (an error code, not a secret)
    NO_EC2_SUBSCRIPTION = "NO_EC2_SUBSCRIPTION"
    NO_INSTANCES = "NO_INSTANCES"
    OVER_MAX_INSTANCES = "OVER_MAX_INSTANCES"
    RESOURCE_LIMIT_EXCEEDED = "RESOURCE_LIMIT_EXCEEDED"
    REVISION_MISSING = "REVISION_MISSING"
    THROTTLED = "THROTTLED"
    TIMEOUT = "TIMEOUT"


class ErrorInformation(Value):
    """Why a deployment ended as it did."""

    code: DeploymentErrorCode
    message: str


class RollbackInfo(Value):
    """What a rollback deployment and the one that it rolls back know of each other (API type `RollbackInfo`)."""

    rollback_deployment_id: str | None = None
    """On the one that is rolled back: the deployment that does it."""
    rollback_triggering_deployment_id: str | None = None
    """On the rollback: the deployment that it rolls back."""
    rollback_message: str | None = None


class BalancerSilence(Value):
    """A load balancer that does not answer, so that a deployment cannot begin."""

    balancer: str
    since: Instant
    """When it was asked first."""
    told: str
    """What people are told of it."""


class DeploymentMode(StrEnum):
    """STANDARD installs a revision; RESTART stops, starts and validates the one that is there."""

    STANDARD = "STANDARD"
    RESTART = "RESTART"


class CreateDeployment(Value):
    """A request for a deployment, in the shape of the API's CreateDeployment; the trigger queue takes it as JSON."""

    application_name: str | None = None
    deployment_group_name: str | None = None
    revision: RevisionLocation | None = None
    deployment_config_name: str | None = None
    description: str | None = None
    ignore_application_stop_failures: bool = False
    update_outdated_instances_only: bool = False
    file_exists_behavior: str | None = None
    target_instances: TargetInstances | None = None
    auto_rollback_configuration: AutoRollbackConfiguration | None = None
    override_alarm_configuration: AlarmConfiguration | None = None
    ec2_deployment_options: Ec2DeploymentOptions | None = None
    deployment_mode: DeploymentMode = DeploymentMode.STANDARD
    client_request_token: str | None = None
    """Ours: a second request with the same token answers with the first one's deployment."""
    creator: str = "user"
    back_to: Instant | None = None
    """Ours, for `slipway rollback` alone: when the deployment began whose revision is returned to."""


class StopDeployment(Value):
    """A request to stop a deployment, in the shape of the API's StopDeployment; the trigger queue takes it as JSON."""

    deployment_id: str
    auto_rollback_enabled: bool | None = None
    now: bool = False
    """Ours: end the scripts that run as well."""


class WaitType(StrEnum):
    """The waits that ContinueDeployment ends (API enum `DeploymentWaitType`)."""

    READY_WAIT = "READY_WAIT"
    TERMINATION_WAIT = "TERMINATION_WAIT"


class PhaseKind(StrEnum):
    """What a phase of a deployment does."""

    ROLLOUT = "rollout"
    """In place: hosts go through all their events."""
    BAKING = "baking"
    """A zone is done and is looked at for a while before the next begins."""
    PROVISION = "provision"
    """Blue/green: the green hosts are made."""
    INSTALL = "install"
    """Blue/green: the revision is installed on green."""
    READY_WAIT = "ready_wait"
    """Blue/green: green is installed, and somebody is to say that traffic may go to it."""
    SHIFT = "shift"
    """Blue/green: green gets traffic, host by host."""
    BLOCK = "block"
    """Blue/green: blue gets no more traffic."""
    TERMINATION_WAIT = "termination_wait"
    """Blue/green: blue stays for a while, out of traffic."""
    RETIRE = "retire"
    """Blue/green: green takes the place of blue, which is terminated if so configured."""
    ABANDON = "abandon"
    """Blue/green: the green hosts that were made are removed, for the deployment has failed before they got traffic."""

    @property
    def on_hosts(self) -> bool:
        """Lanes go from host to host."""
        return self in {PhaseKind.ROLLOUT, PhaseKind.INSTALL, PhaseKind.SHIFT, PhaseKind.BLOCK}

    @property
    def waits(self) -> bool:
        """Nothing is done until a moment has come, or somebody says go on."""
        return self in {PhaseKind.BAKING, PhaseKind.READY_WAIT, PhaseKind.TERMINATION_WAIT}

    @property
    def in_environment(self) -> bool:
        """Hosts are made or retired."""
        return self in {PhaseKind.PROVISION, PhaseKind.RETIRE, PhaseKind.ABANDON}


class Phase(Value):
    """A stretch of a deployment that ends before the next begins.

    One on hosts works on the targets `first` to `first + count - 1` in pick order, at most `lanes` at a time, through
    `events`, and has come out well if at least `floor` of them succeeded. Any other has `seconds` to end.
    """

    kind: PhaseKind = PhaseKind.ROLLOUT
    first: int = 0
    count: int = 0
    lanes: int = 0
    floor: int = 1
    events: tuple[Event, ...] = ()
    seconds: float = 0.0


class Label(StrEnum):
    """Which environment of a blue/green deployment a target is in (API member `instanceLabel`)."""

    BLUE = "Blue"
    GREEN = "Green"


class Progress(Value):
    """The counters of a phase on hosts. `taken` targets were started, in pick order; `passed` of them had failed in an
    earlier phase and were passed over."""

    version: int = 0
    total: int = 0
    taken: int = 0
    passed: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    lanes: int = 0
    retired: int = 0

    @property
    def in_flight(self) -> int:
        """Targets that are being worked on."""
        return self.taken - self.passed - self.lost - self.succeeded

    @property
    def lost(self) -> int:
        """Targets that were attempted and did not succeed."""
        return self.failed + self.skipped

    @property
    def pending(self) -> int:
        """Targets that nobody has started."""
        return self.total - self.taken

    @property
    def concluded(self) -> bool:
        """Every lane has retired."""
        return self.lanes > 0 and self.retired >= self.lanes


class Deployment(Value):
    """One deployment: everything frozen at admission, and where it stands. Counters that change with every host are in
    `Progress`."""

    deployment_id: str
    application_id: str
    application_name: str
    """As it was at admission: hooks and events speak of it by that name even if it is renamed since."""
    deployment_group_name: str
    """As it was at admission."""
    deployment_group_id: str
    deployment_config_name: str
    minimum_healthy_hosts: MinimumHealthyHosts
    revision: RevisionLocation
    previous_revision: RevisionLocation | None = None
    previous_success: str | None = None
    """The deployment that brought the group its previous revision last."""
    returns_to_unknown: bool = False
    """A rollback to blue hosts whose revision no deployment brought: its own revision says nothing of them."""
    status: DeploymentStatus = DeploymentStatus.CREATED
    error_information: ErrorInformation | None = None
    create_time: Instant
    turn_time: Instant | None = None
    """When its turn came, if it waited for its group."""
    start_time: Instant | None = None
    complete_time: Instant | None = None
    description: str | None = None
    creator: str = "user"
    ignore_application_stop_failures: bool = False
    update_outdated_instances_only: bool = False
    file_exists_behavior: FileExistsBehavior = FileExistsBehavior.DISALLOW
    deployment_mode: DeploymentMode = DeploymentMode.STANDARD
    deployment_style: DeploymentStyle | None = None
    load_balancer_info: LoadBalancerInfo | None = None
    auto_rollback_configuration: AutoRollbackConfiguration | None = None
    override_alarm_configuration: AlarmConfiguration | None = None
    ec2_deployment_options: Ec2DeploymentOptions | None = None
    status_messages: tuple[str, ...] = ()
    """What a person should know of this deployment beside its status."""
    green_leaves_since: Instant | None = None
    """Since when it waits, before it begins, for green hosts that an earlier deployment left in traffic."""
    balancer_silence: BalancerSilence | None = None
    """The load balancer that it waits for before it begins."""
    event_seconds: int = 3600
    appspec_filename: str | None = None
    restore_overwritten: bool = False
    """Hosts keep what of others OVERWRITE replaces, and a rollback gives it back."""
    back_to: Instant | None = None
    """A rollback returns to what the deployment left that began then."""

    phases: tuple[Phase, ...] = ()
    phase: int = 0
    """Which phase is under way."""
    results: tuple[Progress | None, ...] = ()
    """How each phase before it came out; None for one that was not on hosts, or never came."""
    jumped_from: int | None = None
    """The phase in which it turned to the end of an environment at once: those between never came."""
    until: Instant | None = None
    """When the wait under way ends by itself, or what is done to an environment must be done."""
    continued: bool = False
    """Somebody has said that the wait under way may end."""
    total: int = 0
    """The number of targets."""
    blue: int = 0
    """How many of them, the first ones, are the blue environment of a blue/green deployment."""
    late_blue: int = 0
    """How many of them, the last ones, joined blue while the deployment ran."""
    floor: int = 0
    """M: how many must stay healthy, of all targets in place or of the green ones."""
    stopping: ErrorInformation | None = None
    """Why the deployment is to end early: nothing new starts."""
    stopping_at: Instant | None = None
    """When its hosts were told so."""
    ends_as: DeploymentStatus | None = None
    """The status it is to end in, where that does not follow from why it ends early."""
    cutting: bool = False
    """While it ends early: scripts that run are ended too."""
    rollback_on_stop: bool | None = None
    """Whether whoever stops it wants it rolled back; None: its configuration decides."""
    rollback_info: RollbackInfo | None = None
    zonal_config: ZonalConfig | None = None
    blue_green_deployment_configuration: BlueGreenDeploymentConfiguration | None = None
    target_instances: TargetInstances | None = None
    """Where the green hosts of this deployment are found."""
    source_environment: str | None = None
    """The Auto Scaling group or environment that green is made like."""
    green_environment: str | None = None
    """What the environment that was made is called."""
    takes_over: Selection | None = None
    """How the group selects its hosts once traffic is where this deployment brings it."""
    gives_back: Selection | None = None
    """How it selected them before, for a rollback."""
    termination_wait_started: bool = False
    """The wait before blue is terminated has begun."""

    only: tuple[str, ...] = ()
    """The hosts of the group that it is for, by id; none named: all. One that names hosts changes nothing of what its
    group remembers."""
    claims: str | None = None
    """What no other deployment may hold while it runs, where that is not the group: those of single instances run
    beside each other and beside one of the whole group."""
    suspended: tuple[SuspendedProcesses, ...] = ()
    """What it resumes at its end: written down before it suspends anything."""
    auto_update_root: str | None = None
    """The deployment that this one brings instances level with, which were launched while that ran."""
    auto_updates: tuple[str, ...] = ()
    """The deployments of which this one is the root."""
    trigger_configurations: tuple[TriggerConfig, ...] = ()
    """Who is told of it by SNS, and of what."""

    alarm_configuration: AlarmConfiguration | None = None
    """The alarms that it watches, its own or its group's as of admission; None: none."""
    alarm_record: AlarmRecord | None = None
    """What it remembers of them from one look to the next."""
    alarms_awaited: str = ""
    """Why its alarms are not known yet, for which it waits before it begins; empty once they are."""
    put_off_by: str = ""
    """What else kept it from beginning when that was tried last; of no meaning once it has begun."""

    @property
    def claimed(self) -> str:
        """What it holds while it runs."""
        return self.claims or self.deployment_group_id

    @property
    def under_way(self) -> Phase | None:
        """The phase it is in; None before it began."""
        return self.phases[self.phase] if self.phase < len(self.phases) else None

    @property
    def came_to(self) -> frozenset[PhaseKind]:
        """The kinds of the phases that it has been in."""
        last = self.phase if self.jumped_from is None else self.jumped_from
        phases = (*self.phases[: last + 1], *self.phases[self.phase : self.phase + 1])
        return frozenset(phase.kind for phase in phases)

    @property
    def began(self) -> Instant:
        """When it began: the order in which hosts see a group's deployments, some of which wait in its queue."""
        return self.create_time if self.start_time is None else self.start_time

    @property
    def rolls_back(self) -> str | None:
        """The deployment that this one rolls back."""
        return self.rollback_info.rollback_triggering_deployment_id if self.rollback_info else None

    @property
    def blue_green(self) -> bool:
        """It goes to other hosts than those that serve."""
        style = self.deployment_style
        return style is not None and style.deployment_type is DeploymentType.BLUE_GREEN

    @property
    def returns_to_blue(self) -> bool:
        """It rolls a blue/green deployment back: traffic is moved, and nothing is installed."""
        return self.blue_green and self.rolls_back is not None

    @property
    def traffic_control(self) -> bool:
        """Hosts are taken out of traffic, or put into it, on the way."""
        style = self.deployment_style
        return style is not None and style.deployment_option is DeploymentOption.WITH_TRAFFIC_CONTROL

    def label(self, index: int) -> Label | None:
        """The environment of the target at an index of the pick order; None in place."""
        if not self.blue_green:
            return None
        return Label.BLUE if index < self.blue or index >= self.total - self.late_blue else Label.GREEN

    @property
    def blue_gave_way(self) -> bool:
        """Green has the traffic and blue has none any more."""
        results = (*self.results, *(len(self.phases) * [None]))
        came = [
            (phase, result)
            for phase, result in zip(self.phases, results, strict=False)
            if phase.kind in {PhaseKind.SHIFT, PhaseKind.BLOCK}
        ]
        return bool(came) and all(result is not None and _came_out(phase, result) for phase, result in came)


def _came_out(phase: Phase, result: Progress) -> bool:
    """Traffic is where the phase was to bring it."""
    if phase.kind is PhaseKind.BLOCK:
        return result.failed == 0 and result.pending == 0
    return result.succeeded >= phase.floor


class Overview(Value):
    """Targets by status, as the API's `DeploymentOverview`."""

    pending: int = 0
    in_progress: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    ready: int = 0

    model_config = ConfigDict(alias_generator=to_pascal)


class EventRecord(Value):
    """What is known of one lifecycle event of one target."""

    status: EventStatus = EventStatus.PENDING
    start_time: Instant | None = None
    end_time: Instant | None = None
    diagnostics: Diagnostics | None = None
    forgiven: bool = False
    """It failed and ignoreApplicationStopFailures let the host go on."""


class TargetRecord(Value):
    """One target of a deployment and how far it has come. `events` holds only events something is known of."""

    target: Target
    index: int
    """Place in the pick order, from 0."""
    status: TargetStatus = TargetStatus.PENDING
    attempt: str | None = None
    lane: int | None = None
    events: Mapping[Event, EventRecord] = {}
    last_updated_at: Instant | None = None
    interrupted: bool = False
    """The agent said that its restart cut the host's chain of events."""


class Lane(Value):
    """One slot of a phase: the host it works on, and what the watch needs to put it in motion again."""

    number: int
    step: int = 0
    """How many hosts it has taken; a message of an earlier step is out of date."""
    target_id: str | None = None
    attempt: str | None = None
    retired: bool = False
    taken_at: Instant | None = None
