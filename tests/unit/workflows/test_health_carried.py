"""What becomes of the health of hosts over several deployments, against the documented table applied as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from domain.deployments import Deployment, TargetStatus
from domain.fleet import HostRecord, Instance, InstanceHealth, RevisionHealth, TargetKind
from domain.groups import DeploymentGroup, LastDeployment
from tests.unit.workflows.engine_values import NOW, a_deployment, a_group, a_revision
from workflows.admission import start
from workflows.decide import remembered
from workflows.targeting import in_pick_order, revision_health

HOSTS = ("a", "b", "c", "d")
OK, BAD, LEFT = TargetStatus.SUCCEEDED, TargetStatus.FAILED, TargetStatus.SKIPPED
HEALTHY, UNHEALTHY = InstanceHealth.HEALTHY, InstanceHealth.UNHEALTHY
CURRENT, OLD, UNKNOWN = RevisionHealth.CURRENT, RevisionHealth.OLD, RevisionHealth.UNKNOWN


@dataclass(frozen=True)
class Round:
    """One deployment: what it brought to each host, whether it succeeded as a whole, whether it was a redeployment."""

    hosts: tuple[TargetStatus, ...]
    whole: bool
    again: bool


rounds = st.builds(
    Round, st.tuples(*[st.sampled_from([OK, BAD, LEFT])] * len(HOSTS)), st.booleans(), st.booleans()
).filter(lambda each: not each.whole or (OK in each.hosts and LEFT not in each.hosts))
"""A deployment that succeeds has attempted every host, and one of them at least succeeded."""


@dataclass
class Documented:
    """The documented table: instance health and revision health of one host."""

    health: InstanceHealth = UNHEALTHY
    revision: RevisionHealth = UNKNOWN

    def after(self, status: TargetStatus, *, whole: bool, of_group: bool) -> None:
        """`of_group`: what was deployed is the group's revision already."""
        if status is not LEFT:
            self.health = HEALTHY if status is OK else UNHEALTHY
        if status is OK:
            self.revision = CURRENT if whole or of_group else OLD
        elif status is BAD and whole and self.revision is CURRENT:
            self.revision = UNKNOWN


@dataclass
class Engine:
    """The same by the engine's own functions."""

    group: DeploymentGroup = field(default_factory=a_group)
    records: dict[str, HostRecord] = field(default_factory=lambda: dict.fromkeys(HOSTS, HostRecord()))

    def deploy(self, number: int, each: Round) -> Deployment:
        target, last = self.group.target_revision, self.group.last_successful_deployment
        deployment = a_deployment(
            deployment_id=f"d-{number}",
            revision=target if each.again and target else a_revision(f"v{number}"),
            previous_revision=target,
            previous_success=last.deployment_id if last else None,
        )
        for host, status in zip(HOSTS, each.hosts, strict=True):
            self.records[host] = remembered(self.records[host], deployment, status)
        if each.whole:
            last = LastDeployment(deployment_id=deployment.deployment_id, status="Succeeded", create_time=0.0)
            update = {"target_revision": deployment.revision, "last_successful_deployment": last}
            self.group = self.group.model_copy(update=update)
        return deployment


LOST_AND_FAILED_AGAIN = [
    Round((OK, OK, OK, OK), whole=True, again=False),
    Round((OK, OK, OK, BAD), whole=True, again=True),
    Round((OK, OK, OK, BAD), whole=False, again=False),
]


@given(st.lists(rounds, max_size=6))
@example(LOST_AND_FAILED_AGAIN)
def test_health_is_carried_over_as_documented(story: list[Round]) -> None:
    engine, documented = Engine(), {host: Documented() for host in HOSTS}
    for number, each in enumerate(story):
        before = engine.group.target_revision
        deployment = engine.deploy(number, each)
        for host, status in zip(HOSTS, each.hosts, strict=True):
            documented[host].after(status, whole=each.whole, of_group=deployment.revision == before)
        for host, record in engine.records.items():
            assert record.health is documented[host].health
            assert revision_health(record, engine.group) is documented[host].revision


def test_a_deployment_that_starts_knows_what_the_group_had() -> None:
    engine = Engine()
    deployment = engine.deploy(0, LOST_AND_FAILED_AGAIN[0])
    created = a_deployment(deployment_id="d-1", status="Created", start_time=None, phases=())
    change = start(created, 4, group=engine.group, now=NOW)
    assert change is not None
    assert (change.deployment.previous_revision, change.deployment.previous_success) == (deployment.revision, "d-0")


RANK = {UNKNOWN: 1, OLD: 2, CURRENT: 3}


@given(st.lists(rounds, max_size=5), st.permutations(HOSTS), st.booleans())
def test_the_pick_order_follows_from_health(story: list[Round], order: list[str], outdated_only: bool) -> None:
    engine = Engine()
    for number, each in enumerate(story):
        engine.deploy(number, each)
    target = engine.group.target_revision
    deployment = a_deployment(
        revision=target or a_revision("v9"), update_outdated_instances_only=outdated_only and target is not None
    )
    fleet = [Instance(instance_id=host, kind=TargetKind.ON_PREMISES, arn=host) for host in order]
    picked = in_pick_order(fleet, [engine.records[host] for host in order], engine.group, deployment)

    def rank(host: str) -> int:
        record = engine.records[host]
        return 0 if record.health is UNHEALTHY else RANK[revision_health(record, engine.group)]

    left_out = {host for host in HOSTS if rank(host) == RANK[CURRENT]} if outdated_only else set()
    assert [each.target_id for each in picked] == sorted(set(HOSTS) - left_out, key=lambda host: (rank(host), host))
