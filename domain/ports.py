"""What the engine needs of the world, in its own words. Adapters provide these; tasks and api see nothing else.

Every method may raise `WorldError` when the world does not answer. All are safe to call from several processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from domain.access import AccessKey
from domain.alarms import AlarmReading
from domain.applications import Application
from domain.channels import ChannelState, DeadLetter, Delivery
from domain.configs import DeploymentConfig
from domain.deployments import Deployment, Lane, Progress, TargetRecord
from domain.environments import EnvironmentRecord, GreenOrder, Provisioned, Retirement
from domain.fleet import AgentSeen, ArnHolder, Fate, HostRecord, Instance, Target, TargetKind
from domain.group_options import LoadBalancerInfo
from domain.groups import DeploymentGroup
from domain.happenings import Happening
from domain.metrics import Counts, Family
from domain.moves import Admitted, Change, Changed, Due, Heard, LaneView, LogChunk, Move, Shown
from domain.reports import BundleSource, HostReport
from domain.revisions import Revision, RevisionLocation
from domain.scaling import ActionResult, LifecycleAction, OpenAction, ScalingHook
from domain.traffic import Standing
from domain.triggers import Incoming
from domain.values import Entry, Instant, Value

T = TypeVar("T", bound=Value)
E = TypeVar("E", bound=Entry)


class Shelf(Protocol[T]):
    """Named documents of one kind, listed in name order."""

    def get(self, name: str) -> T | None:
        """The document, or None."""

    def many(self, names: Sequence[str]) -> list[T | None]:
        """Documents in the order of the names, None where there is none."""

    def add(self, name: str, document: T) -> bool:
        """Keep a new document; False if the name is taken."""

    def change(self, name: str, edit: Callable[[T], T]) -> T | None:
        """Edit a document under optimistic locking: `edit` may run more than once. None if there is none."""

    def remove(self, name: str) -> T | None:
        """Forget a document and return it; None if there was none."""

    def names(self, *, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Up to `limit` names that begin with `prefix` and sort after `after`, in order."""

    def count(self, *, prefix: str = "") -> int:
        """How many names begin with `prefix`."""


class Directory(Protocol[E]):
    """Documents of one kind that keep their identity when they get another name; listed in name order."""

    def get(self, identity: str) -> E | None:
        """The document, or None."""

    def many(self, identities: Sequence[str]) -> list[E | None]:
        """Documents in the order of the identities, None where there is none."""

    def named(self, name: str) -> E | None:
        """The document that has the name now, or None."""

    def many_named(self, names: Sequence[str]) -> list[E | None]:
        """Documents in the order of the names that they have now, None where there is none; in few round trips."""

    def add(self, document: E) -> bool:
        """Keep a new document; False if its name or its identity is taken."""

    def change(self, identity: str, edit: Callable[[E], E]) -> E | None:
        """Edit a document under optimistic locking: `edit` may run more than once. None if there is none.

        The edit may give it another name; raises NameTaken if another has that.
        """

    def remove(self, identity: str) -> E | None:
        """Forget a document and return it; None if there was none."""

    def names(self, *, prefix: str = "", after: str = "", limit: int = 100) -> list[str]:
        """Up to `limit` names that begin with `prefix` and sort after `after`, in order."""

    def count(self, *, prefix: str = "") -> int:
        """How many names begin with `prefix`."""


class Store(Protocol):
    """Where everything is kept. No key and no answer grows with the number of a deployment's targets."""

    @property
    def applications(self) -> Directory[Application]:
        """By id, and by name."""

    @property
    def groups(self) -> Directory[DeploymentGroup]:
        """By id, and by `domain.groups.group_name`."""

    @property
    def configs(self) -> Shelf[DeploymentConfig]:
        """Custom ones, by name."""

    @property
    def instances(self) -> Shelf[Instance]:
        """On-premises instances, by name."""

    @property
    def revisions(self) -> Shelf[Revision]:
        """By `domain.revisions.revision_name`."""

    @property
    def access_keys(self) -> Shelf[AccessKey]:
        """Who may call the API, by access key id."""

    @property
    def iam_arns(self) -> Shelf[ArnHolder]:
        """Which on-premises instance was registered last with an IAM ARN, by ARN."""

    @property
    def environments(self) -> Shelf[EnvironmentRecord]:
        """What was made for blue/green deployments, by deployment id."""

    @property
    def lifecycle_actions(self) -> Shelf[OpenAction]:
        """Instances that Auto Scaling holds, by the action's token."""

    def admit(
        self,
        deployment: Deployment,
        *,
        token: str | None,
        queue: bool,
        happenings: Sequence[Happening] = (),
        if_queued: Sequence[Happening] = (),
        most: int = 10**9,
        first: bool = False,
    ) -> Admitted:
        """Keep a new deployment and claim its group, or what else it claims (`Deployment.claimed`).

        With that busy: DeploymentLimitExceeded naming the running id or, with `queue`, the deployment is kept as Queued
        behind those that wait already, with `first` before them (`happenings` are told either way, `if_queued` only
        then). A `token` seen before (within a day) answers with its deployment and writes nothing. With `most`
        deployments under way already: DeploymentLimitExceeded.
        """

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment, or None."""

    def deployments(self, deployment_ids: Sequence[str]) -> list[Deployment | None]:
        """Deployments in the order of the ids."""

    def shown(self, deployment_ids: Sequence[str]) -> list[Shown | None]:
        """Deployments in the order of the ids, with their counters and under today's names."""

    def forget_deployments(self, application_id: str) -> None:
        """List the deployments of an application no more, for it is deleted; those that run go on to their end."""

    def recent(
        self,
        *,
        group_id: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        after: tuple[Instant, str] | None = None,
        limit: int = 100,
    ) -> list[tuple[Instant, str]]:
        """Create times and ids of deployments, newest first (ties by id), of one group or of all.

        `since` and `until` bound the create time, both inclusive; `after` is an entry of an earlier answer to go on
        from.
        """

    def active(self, *, after: str = "", limit: int = 100) -> list[str]:
        """Ids of deployments that have not ended, Queued ones included, in id order."""

    def active_count(self) -> int:
        """How many deployments have not ended."""

    def running(self, claimed: str) -> str | None:
        """The deployment that holds a group or what else is claimed: the running one, or the one whose turn came."""

    def change(self, deployment_id: str, edit: Callable[[Deployment], Change | None]) -> Changed | None:
        """Edit a deployment under optimistic locking: `edit` may run more than once; None from it changes nothing.

        Happenings go to the outbox in the same transaction. A change to a final status frees the group: the first
        deployment that waits for it becomes its running one and is named in the answer (its status is still Queued).
        None if there is no such deployment or nothing was changed.
        """

    def lay_out(self, deployment_id: str, records: Sequence[TargetRecord]) -> None:
        """Keep target records at their indexes; harmless when repeated. Call it in pages of a few hundred."""

    def open_phase(self, deployment_id: str, phase: int, progress: Progress, *, check_at: Instant) -> None:
        """Start the counters of a phase and make each of its lanes due at `check_at`; nothing when open already."""

    def progress(self, deployment_id: str, phase: int) -> Progress | None:
        """The counters of a phase, None before it opened."""

    def lane(self, deployment_id: str, phase: int, number: int) -> Lane:
        """A lane as it stands; one that was never touched is at step 0."""

    def advance(
        self, deployment_id: str, phase: int, lane: int, choose: Callable[[LaneView], Move]
    ) -> tuple[LaneView, Move] | None:
        """Make one move of a lane under optimistic locking: `choose` may run more than once and must be pure.

        A Step is written as a whole: the concluded target's record, the counters, the group's memory of the host, the
        taken target's record (InProgress, attempt, lane), the lane (step + 1), when it is due, and the happenings in
        the outbox. A retired lane is due no more. None if the deployment or phase is not there.
        """

    def target(self, deployment_id: str, target_id: str) -> TargetRecord | None:
        """One target's record, or None."""

    def targets_named(self, deployment_id: str, target_ids: Sequence[str]) -> list[TargetRecord | None]:
        """Records in the order of the ids."""

    def targets(self, deployment_id: str, *, first: int = 0, count: int = 100) -> list[TargetRecord]:
        """Records in pick order, from index `first`."""

    def record(self, heard: Sequence[Heard]) -> None:
        """Keep what agents told, in order and in few round trips.

        Reports of another attempt than the record's, of a target that is concluded, or that would take an event back
        (a start after its end) change nothing. Log lines are kept up to a limit in bytes per target and event: the
        first half of it and the latest half; those of the record's attempt also after the target was concluded, for the
        chain may overtake them. `check_at` moves the lane's next look, also where the start of an event that runs is
        told again.
        """

    def log(self, deployment_id: str, target_id: str, event: str, *, after: int = 0) -> list[LogChunk]:
        """The chunks of an event's log whose lines are numbered `after` or higher."""

    def due(self, now: Instant, *, limit: int = 100) -> list[Due]:
        """Lanes to be looked at, the most overdue first."""

    def watched(self, due: Sequence[Due]) -> list[tuple[Lane, TargetRecord | None]]:
        """Each lane as it stands, and the record of the target it works on, if any."""

    def postpone(self, looks: Sequence[tuple[Due, Instant]]) -> None:
        """Look at each lane again at that moment, unless it moved or retired since."""

    def seen(self, hosts: Sequence[str]) -> list[AgentSeen | None]:
        """When the agents of hosts were last heard of."""

    def host_records(self, group_id: str, hosts: Sequence[str]) -> list[HostRecord]:
        """What a group remembers of hosts; a fresh record where it remembers nothing."""

    def tell(self, happenings: Sequence[Happening]) -> None:
        """Put happenings that belong to no other change behind those that came about."""

    def history(self, *, after: str = "", limit: int = 100) -> list[tuple[str, Happening]]:
        """What happened lately (a bounded number), oldest first, each with a cursor."""

    def serve(self, channels: Sequence[str], *, now: Instant) -> list[ChannelState]:
        """Say that channels are served; how each stands.

        A new one begins with what happens from then on; those of the very first call begin with all that is kept. What
        a channel has lost meanwhile is passed over and counted. Others that nobody has served for long are forgotten.
        """

    def channels(self) -> list[ChannelState]:
        """How every channel stands that is served or was lately, in the order of their names."""

    def happened(self, *, after: int, limit: int = 100) -> list[tuple[int, Happening]]:
        """As `history`, with the numbers by which channels stand."""

    def told(self, channel: str, *, before: int, after: int, letters: Sequence[DeadLetter] = ()) -> bool:
        """The channel, which was done with all up to `before`, is done with those up to `after`, of which it leaves
        dead letters; it is not failing. False if it stands elsewhere: another process tells it."""

    def hold(self, channel: str, *, before: int, tries: int, since: Instant, again_at: Instant, why: str) -> bool:
        """The channel failed at the happening behind `before` for so many times. False if it stands elsewhere."""

    def dead_letters(self, channel: str, *, after: str = "", limit: int = 100) -> list[tuple[str, DeadLetter]]:
        """Dead letters of a channel, oldest first, each with its place."""

    def forget_dead_letters(self, channel: str, places: Sequence[str]) -> None:
        """Dead letters that were told after all, or are not wanted."""

    def claim(self, name: str, seconds: float) -> bool:
        """Take (or, as its holder, keep) a lease so that one process at a time does a job."""

    def agents(self, *, since: Instant | None = None) -> int:
        """How many agents were heard of since then, or lately: those not heard of for thirty days are forgotten."""

    def ping(self) -> None:
        """Return if the store answers."""


class Counters(Protocol):
    """Numbers that every process adds to."""

    def add(self, counts: Counts, *, mark: str) -> None:
        """Add to the numbers; what comes again under the same mark within some minutes is not added again."""

    def read(self) -> Counts:
        """All numbers."""


class Meter(Protocol):
    """Counts what happens; cheap, and never in the way."""

    def count(self, family: Family, *labels: str) -> None:
        """One more of a counter."""

    def observe(self, family: Family, seconds: float, *labels: str) -> None:
        """One more of a histogram."""


class Dispatcher(Protocol):
    """Puts work in motion. Messages carry ids and small values."""

    def begin(self, deployment_id: str) -> None:
        """Start a deployment that was admitted."""

    def open_lanes(self, deployment: Deployment, phase: int) -> None:
        """Send the chords of a phase: one lane each header task, `phase_concluded` the body."""

    def continue_lane(self, deployment: Deployment, phase: int, lane: Lane, report: HostReport | None) -> None:
        """Send a lane's next step afresh, as part of its chord."""

    def run_host(
        self,
        deployment: Deployment,
        phase: int,
        lane: Lane,
        report: HostReport,
        queue: str,
        *,
        good_for: float,
        ahead: float = 0.0,
    ) -> None:
        """Send the rest of a host's chain afresh, as part of its lane's chord. `good_for`: seconds after which its
        first event is not to begin any more. `ahead`: seconds by which the host's clock is ahead, for it tells by its
        own clock whether a message is too old to be taken."""

    def waiting(self, queue: str) -> int:
        """How many messages wait in a host's queue; what its agent holds already does not count."""

    def withdraw(self, queue: str, deployment_id: str) -> int:
        """Take back what waits in a host's queue of that deployment; how many messages there were. What it holds of
        others stays, in its order."""

    def forget_unacked(self, before: Instant) -> None:
        """Forget the messages that agents took before then and neither acknowledged nor put back: nobody would."""

    def conclude(self, deployment_id: str, phase: int) -> None:
        """Send `phase_concluded` afresh."""

    def environment(self, deployment_id: str, phase: int) -> None:
        """Take one step in a phase that makes or retires hosts."""

    def undo_traffic(self, deployment_id: str, target_id: str) -> None:
        """Bring a host whose traffic event failed back to where it was at its balancers."""

    def settle(self, deployment_id: str) -> None:
        """Write a deployment's verdict."""

    def announce(self) -> None:
        """Have what happened told at once."""

    def look_at_alarms(self, deployment_id: str) -> None:
        """Read the alarms that a deployment watches, and stop it where they say so."""

    def stop_hosts(self, deployment_id: str, *, now: bool, agents: Sequence[str] = ()) -> None:
        """Tell every agent, or only those, that they begin nothing more of a deployment; with `now`, running scripts
        are to be ended."""

    def look_for_vanished(self) -> None:
        """Have the hosts at work looked for that are no more; a message that nobody takes soon is dropped."""


class Publisher(Protocol):
    """One way to tell the outside: a channel. What it cannot take now is told again, with the same `event_id`."""

    @property
    def patience(self) -> float | None:
        """Seconds after which what was not taken becomes a dead letter; None: never."""

    def wants(self, happening: Happening) -> bool:
        """Whether the channel is told of it at all; asks nobody, and is the same each time."""

    def publish(self, happenings: Sequence[Happening]) -> Delivery:
        """Tell the first of what it wants, and as many more as go with it in one step. Raises, where the first was not
        taken, WorldError if a later call may help, PublishRefused if not."""


class Sources(Protocol):
    """Turns a revision into something a host can fetch."""

    def source_of(self, revision: RevisionLocation, *, now: Instant) -> BundleSource:
        """Where a host gets the revision, with a link that works for a while; called for every host.

        Raises InvalidRevision for what no host can fetch, RevisionMissing where nothing is there.
        """

    def check(self, revision: RevisionLocation, *, now: Instant) -> None:
        """Look once, before a deployment touches a host, whether the revision is there. Raises as `source_of` does;
        where that cannot be told, hosts find out."""


class Fleet(Protocol):
    """Knows which hosts exist."""

    @property
    def kinds(self) -> frozenset[TargetKind]:
        """Where it looks for hosts."""

    @property
    def environments(self) -> frozenset[str]:
        """Names among groups' Auto Scaling groups that are environments of the settings: AWS knows nothing of them."""

    def instances(self, group: DeploymentGroup) -> Sequence[Instance]:
        """At least every host that the group selects; more do no harm, and a host may come twice.

        Never a part of them: raises WorldError where that cannot be told just now, and CannotBegin where trying again
        would not help.
        """

    def gone(self, targets: Sequence[Target]) -> Mapping[str, Fate]:
        """What became of those targets that are no more, by id. Only what is certain: nobody speaks up for those of
        whom nothing is known, or that another fleet has. Raises as `instances` does.
        """


class LoadBalancer(Protocol):
    """One balancer in front of hosts. Both methods take one step and are called again until they say it is done;
    they never wait, and are harmless when repeated and when called from several processes.

    Raise WorldError where a later call may help, BalancerRefuses where it will not.
    """

    def block(self, target: Target, *, waited: float) -> Standing:
        """Take a host out of traffic: done once no request of anyone is on its way to it. A host that the balancer does
        not know gets none. `waited`: seconds since the first call, for a balancer with a limit on draining."""

    def allow(self, target: Target, *, waited: float) -> Standing:
        """Let a host back in: done once the balancer found it healthy and sends it requests. Before the balancer found
        it healthy it gets none."""


class LoadBalancers(Protocol):
    """The balancers in front of a deployment group."""

    def of(self, info: LoadBalancerInfo) -> Mapping[str, LoadBalancer]:
        """All that are named, by a name for people; asks none of them. Raises BalancerMissing for a name that leads
        nowhere."""

    def check(self, info: LoadBalancerInfo) -> None:
        """Look whether they are there: raises BalancerMissing or another CannotBegin where not, WorldError where that
        cannot be told now."""


class AlarmSource(Protocol):
    """One alarm that needs no cloud. A look at it ends within seconds."""

    @property
    def kind(self) -> str:
        """The word that the settings use for its kind."""

    def read(self) -> AlarmReading:
        """Its state as of now; harmless when repeated and when called from several processes, which know nothing of
        each other. Raises WorldError where it cannot be read and a later look may help, AlarmUnreadable or another
        CannotBegin where not."""


class AlarmService(Protocol):
    """Alarms of one vendor, or of all, by their names."""

    def read(self, names: Sequence[str]) -> Mapping[str, AlarmReading]:
        """What a look at each of them finds; in few calls, and within seconds. One that cannot be read, is not there or
        has a name that leads nowhere says so in its reading, and keeps none of the others from being read."""


class Alarms(AlarmService, Protocol):
    """The alarms that deployments watch."""

    def ask(self, names: Sequence[str], tell: Callable[[Mapping[str, AlarmReading]], None]) -> None:
        """Have `tell` called, once, with what `read` answers: at once, or from another thread as soon as it is known.
        Waits for no source; where a look at the same is under way, that look serves for both."""


class Environment(Protocol):
    """Makes and retires hosts for blue/green deployments. Each method takes one step, returns soon, and is called again
    until it says that it is done; harmless when repeated, also by another process after a crash.

    Raise WorldError where a later call may help.
    """

    def provision(self, order: GreenOrder) -> Provisioned | None:
        """Make the green hosts, as many as blue has healthy ones; None while they are not ready. Raises CannotProvision
        (or another CannotBegin) where it will not come to anything; what was made is then for `abandon`."""

    def retire(self, retirement: Retirement) -> bool:
        """Traffic has gone to green: let green take blue's place and, if asked, terminate blue. True once done. Raises
        CannotBegin where it will not come to anything."""

    def abandon(self, order: GreenOrder) -> bool:
        """Green will not be used: remove whatever was made for the order. True once done or if nothing was made."""


class Environments(Protocol):
    """Who makes and retires hosts."""

    def named(self, source: str) -> Environment:
        """The environment of that name in the settings, or the Auto Scaling group; with an empty name, whoever can
        terminate single hosts. Raises CannotBegin where there is none."""


class ScalingActions(Protocol):
    """What is asked of Auto Scaling. Every method is harmless when repeated, and raises WorldError where a later call
    may help, CannotBegin where it will not."""

    def complete(self, action: LifecycleAction, result: ActionResult) -> bool:
        """Let a held instance go on or, if it was launched, have it terminated. False if nothing holds it any more."""

    def heartbeat(self, action: LifecycleAction) -> bool:
        """Have the instance held for another while. False if nothing holds it any more."""

    def put_hook(self, hook: ScalingHook) -> None:
        """Install a hook, or put it right. Raises HookRefused."""

    def delete_hook(self, hook: ScalingHook) -> None:
        """Remove a hook; nothing if it or its group is gone."""

    def suspended(self, auto_scaling_group: str) -> frozenset[str]:
        """The processes that are suspended. Raises AutoScalingGroupMissing."""

    def suspend(self, auto_scaling_group: str, processes: Sequence[str]) -> None:
        """Suspend processes. Raises AutoScalingGroupMissing."""

    def resume(self, auto_scaling_group: str, processes: Sequence[str]) -> None:
        """Resume processes. Raises AutoScalingGroupMissing."""


class LifecycleQueue(Protocol):
    """A durable queue on which Auto Scaling tells of instances that it holds. Every method may raise WorldError; the
    message in hand comes again then."""

    def receive(self) -> Incoming | None:
        """The next message, or None after a while."""

    def settle(self, incoming: Incoming) -> None:
        """The message is dealt with."""

    def close(self) -> None:
        """Let go of the queue; what was received and not settled comes again."""
