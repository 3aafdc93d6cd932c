"""Load balancers held in memory: the double that passes the same contract as the real ones, and says what it was asked.

A test says what the world does: that requests are in flight, that a host is ill, that a balancer is away or refuses.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from domain.fleet import Target
from domain.group_options import LoadBalancerInfo
from domain.ports import LoadBalancer
from domain.traffic import Standing


class MemoryLoadBalancer:
    """A balancer with hosts that are in service from the start, by their target ids; others join by `allow`."""

    def __init__(self, *in_service: str, drain_seconds: float = 300.0) -> None:
        self._drain_seconds = drain_seconds
        self._lock = threading.RLock()
        self._serving, self._ill = set(in_service), set[str]()
        self._in_flight = Counter[str]()
        self._refused: dict[str, str] = {}
        self._away = ""
        self._calls: list[tuple[str, str]] = []

    def block(self, target: Target, *, waited: float) -> Standing:
        """Send it no new request; done when none is in flight, or after `drain_seconds`."""
        with self._asked("block", target):
            self._serving.discard(target.target_id)
            left = self._in_flight[target.target_id]
            if left and waited < self._drain_seconds:
                return Standing(done=False, detail=f"draining, {left} requests left")
            del self._in_flight[target.target_id]
            return Standing(done=True, detail="gave up on requests in flight" if left else "out of service")

    def allow(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Send it requests if it is healthy."""
        with self._asked("allow", target):
            if target.target_id in self._ill:
                self._serving.discard(target.target_id)
                return Standing(done=False, detail="unhealthy")
            self._serving.add(target.target_id)
            return Standing(done=True, detail="in service")

    def begin(self, target_id: str) -> bool:
        """A client's request for the host begins, if the balancer would send it one."""
        with self._lock:
            if serving := target_id in self.serving:
                self._in_flight[target_id] += 1
            return serving

    def end(self, target_id: str) -> None:
        """A request in flight ends."""
        with self._lock:
            self._in_flight[target_id] = max(0, self._in_flight[target_id] - 1)

    def ail(self, *target_ids: str) -> None:
        """These hosts are unhealthy from now on."""
        with self._lock:
            self._ill.update(target_ids)

    def heal(self, *target_ids: str) -> None:
        """These hosts are healthy again."""
        with self._lock:
            self._ill.difference_update(target_ids)

    def refuse(self, target_id: str, why: str = "it may not") -> None:
        """The balancer will not take this host in or out from now on."""
        with self._lock:
            self._refused[target_id] = why

    def go_away(self, why: str = "the balancer does not answer") -> None:
        """The balancer does not answer from now on."""
        with self._lock:
            self._away = why

    def come_back(self) -> None:
        """The balancer answers again."""
        with self._lock:
            self._away = ""

    @property
    def serving(self) -> frozenset[str]:
        """The hosts that would get a request now."""
        with self._lock:
            return frozenset(self._serving - self._ill)

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """Every step that was asked for, in order: `("block", "web-1")`."""
        with self._lock:
            return tuple(self._calls)

    def _asked(self, step: str, target: Target) -> threading.RLock:
        with self._lock:
            self._calls.append((step, target.target_id))
            if self._away:
                raise WorldError(self._away)
            if why := self._refused.get(target.target_id):
                raise BalancerRefuses(f"the balancer refuses {target.target_id}: {why}")
        return self._lock


class MemoryLoadBalancers:
    """Balancers by name; it makes no difference in which list of a group a name stands."""

    def __init__(self, balancers: Mapping[str, LoadBalancer] | None = None) -> None:
        self._balancers = dict(balancers or {})

    def of(self, info: LoadBalancerInfo) -> Mapping[str, LoadBalancer]:
        """Those that are named; raises BalancerMissing for a name there is none of."""
        named = [each.name or "" for each in (*(info.elb_info_list or ()), *(info.target_group_info_list or ()))]
        if missing := [name for name in named if name not in self._balancers]:
            raise BalancerMissing(f"There is no load balancer {', '.join(missing)}.")
        return {name: self._balancers[name] for name in named}

    def check(self, info: LoadBalancerInfo) -> None:
        """Raises BalancerMissing for a name there is none of."""
        self.of(info)
