"""Hosts that joined the group while its blue/green deployment ran: they have traffic and the earlier revision, and
leave traffic with the rest of blue."""

from __future__ import annotations

from collections.abc import Sequence

from domain.deployments import Deployment, PhaseKind, TargetRecord
from domain.fleet import Target
from tasks.records import PAGE, records_of
from tasks.runtime import World
from workflows import targeting


def lay_out_late_blue(world: World, deployment: Deployment) -> Sequence[Target]:
    """The hosts of blue that the deployment does not know, laid out behind all others; none unless it is about to take
    blue out of traffic. Raises WorldError where they cannot be told now."""
    if deployment.rolls_back:
        # Blue is where traffic goes then.
        return ()
    following = deployment.phases[deployment.phase + 1 : deployment.phase + 2]
    if not following or following[0].kind is not PhaseKind.BLOCK or deployment.stopping or deployment.late_blue:
        return ()
    group = world.store.groups.get(deployment.deployment_group_id)
    if group is None:
        return ()
    # As the group selected them when the deployment began: what somebody has it select since is none of its hosts.
    blue = targeting.selecting(group, deployment.gives_back) if deployment.gives_back else group
    serving = targeting.only(world.fleet.instances(blue), blue, deployment)
    known = {record.target.target_id for record in records_of(world, deployment)}
    late = targeting.targets_of(instance for instance in serving if instance.instance_id not in known)
    for at in range(0, len(late), PAGE):
        page = enumerate(late[at : at + PAGE], deployment.total + at)
        world.store.lay_out(deployment.deployment_id, [TargetRecord(target=each, index=index) for index, each in page])
    return late
