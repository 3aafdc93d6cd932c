"""A deployment that is to begin while a load balancer of its group does not answer: how long it waits for that, and
what people are told meanwhile.

How long is ours: the balancers of AWS always answer AWS.
"""

from __future__ import annotations

from collections.abc import Iterator

from domain import reasons
from domain.deployments import BalancerSilence, Deployment, DeploymentErrorCode, DeploymentStatus, ErrorInformation
from domain.group_options import LoadBalancerInfo
from domain.moves import Change
from domain.values import Instant
from workflows.agents import clock


def one_by_one(info: LoadBalancerInfo) -> Iterator[tuple[str, LoadBalancerInfo]]:
    """The balancers that are named, each alone and with its name: what one of them does not answer says which it is."""
    for each in info.elb_info_list or ():
        yield each.name or "", LoadBalancerInfo(elb_info_list=(each,))
    for each in info.target_group_info_list or ():
        yield each.name or "", LoadBalancerInfo(target_group_info_list=(each,))


def given_up(deployment: Deployment, balancer: str, why: str, *, now: Instant) -> ErrorInformation | None:
    """Why a deployment ends whose balancer does not answer: it has waited for as long as one event may take. None while
    it may wait."""
    held = deployment.balancer_silence
    if held is None or held.balancer != balancer or now < held.since + deployment.event_seconds:
        return None
    text = reasons.BALANCER_AWAY.format(
        balancer=balancer,
        since=clock(held.since),
        seconds=deployment.event_seconds,
        why=_clause(why),
    )
    return ErrorInformation(code=DeploymentErrorCode.ELASTIC_LOAD_BALANCING_INVALID, message=text)


def silent(present: Deployment, balancer: str, why: str, *, now: Instant) -> Change | None:
    """The deployment that says which balancer it waits for; None where it says so already, or waits no more."""
    held = present.balancer_silence
    if present.status not in _WAITING:
        return None
    if held is not None and held.balancer == balancer:
        return Change(present.model_copy(update={"put_off_by": ""})) if present.put_off_by else None
    told = reasons.BALANCER_AWAITED.format(
        balancer=balancer, since=clock(now), until=clock(now + present.event_seconds), why=_clause(why)
    )
    waits = waits_no_more(present)
    silence = BalancerSilence(balancer=balancer, since=now, told=told)
    update = {
        "balancer_silence": silence,
        "status_messages": (*waits.status_messages, told),
        "alarms_awaited": "",
        "put_off_by": "",
    }
    return Change(waits.model_copy(update=update))


def answered(present: Deployment) -> Change | None:
    """The deployment all balancers of which answer; None where none was waited for."""
    return Change(waits_no_more(present)) if present.balancer_silence else None


def waits_no_more(deployment: Deployment) -> Deployment:
    """The deployment without a word of a balancer that it waits for."""
    silence = deployment.balancer_silence
    if silence is None:
        return deployment
    left = tuple(text for text in deployment.status_messages if text != silence.told)
    return deployment.model_copy(update={"balancer_silence": None, "status_messages": left})


_WAITING = frozenset({DeploymentStatus.CREATED, DeploymentStatus.QUEUED})


def _clause(why: str) -> str:
    """What was met, as it can stand before a full stop."""
    return why.rstrip(".")
