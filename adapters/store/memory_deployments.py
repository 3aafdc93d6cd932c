"""Deployments in memory: admission, the group's queue, edits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from adapters.store.deployments import (
    TOKEN_SECONDS,
    UNLIMITED,
    as_queued,
    check_change,
    group_busy,
    id_taken,
    too_many_running,
)
from adapters.store.memory_shelf import kept
from adapters.store.memory_state import MemoryPart, Run
from domain.deployments import Deployment
from domain.happenings import Happening
from domain.moves import Admitted, Change, Changed
from domain.values import Instant


class MemoryDeployments(MemoryPart):
    """The Store's methods on deployments as a whole."""

    def admit(
        self,
        deployment: Deployment,
        *,
        token: str | None,
        queue: bool,
        happenings: Sequence[Happening] = (),
        if_queued: Sequence[Happening] = (),
        most: int = UNLIMITED,
        first: bool = False,
    ) -> Admitted:
        """Keep a new deployment and claim its group, or what else it claims."""
        with self._lock:
            if earlier := self._remembered(token):
                return Admitted(deployment_id=earlier, repeated=True, queued=self._waits(earlier))
            if deployment.deployment_id in self._runs:
                raise id_taken(deployment.deployment_id)
            if self.active_count() >= most:
                raise too_many_running(most)
            running = self._running.get(deployment.claimed)
            if running is not None and not queue:
                raise group_busy(deployment, running)
            self._keep(deployment, running, first=first)
            if token:
                self._tokens[token] = (deployment.deployment_id, time.monotonic() + TOKEN_SECONDS)
            self._tell(happenings)
            if running is not None:
                self._tell(if_queued)
            return Admitted(deployment_id=deployment.deployment_id, queued=running is not None)

    def _remembered(self, token: str | None) -> str | None:
        deployment_id, until = self._tokens.get(token or "", ("", 0.0))
        return deployment_id if deployment_id and time.monotonic() < until else None

    def _waits(self, deployment_id: str) -> bool:
        claimed = self._runs[deployment_id].deployment.claimed
        return deployment_id in self._waiting.get(claimed, ())

    def _keep(self, deployment: Deployment, running: str | None, *, first: bool) -> None:
        claimed, deployment_id = deployment.claimed, deployment.deployment_id
        self._runs[deployment_id] = Run(kept(deployment if running is None else as_queued(deployment)))
        if running is None:
            self._running[claimed] = deployment_id
        else:
            waiting = self._waiting.setdefault(claimed, deque())
            (waiting.appendleft if first else waiting.append)(deployment_id)

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment, or None."""
        with self._lock:
            run = self._runs.get(deployment_id)
            return run.deployment if run else None

    def deployments(self, deployment_ids: Sequence[str]) -> list[Deployment | None]:
        """Deployments in the order of the ids."""
        with self._lock:
            return [self.deployment(deployment_id) for deployment_id in deployment_ids]

    def recent(
        self,
        *,
        group_id: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        after: tuple[Instant, str] | None = None,
        limit: int = 100,
    ) -> list[tuple[Instant, str]]:
        """Create times and ids of deployments, newest first, of one group or of all."""
        with self._lock:
            found = sorted(
                (
                    (run.deployment.create_time, deployment_id)
                    for deployment_id, run in self._runs.items()
                    if run.listed and group_id in {None, run.deployment.deployment_group_id}
                ),
                reverse=True,
            )
            fits = [
                entry
                for entry in found
                if (since is None or entry[0] >= since)
                and (until is None or entry[0] <= until)
                and (after is None or entry < after)
            ]
            return fits[: max(limit, 0)]

    def forget_deployments(self, application_id: str) -> None:
        """List the deployments of an application no more."""
        with self._lock:
            for run in self._runs.values():
                run.listed = run.listed and run.deployment.application_id != application_id

    def active(self, *, after: str = "", limit: int = 100) -> list[str]:
        """Ids of deployments that have not ended, in id order."""
        with self._lock:
            found = sorted(name for name, run in self._runs.items() if not run.final and name > after)
            return found[: max(limit, 0)]

    def active_count(self) -> int:
        """How many deployments have not ended."""
        with self._lock:
            return sum(not run.final for run in self._runs.values())

    def running(self, claimed: str) -> str | None:
        """The deployment that holds a group, or what else is claimed."""
        with self._lock:
            return self._running.get(claimed)

    def change(self, deployment_id: str, edit: Callable[[Deployment], Change | None]) -> Changed | None:
        """Edit a deployment."""
        with self._lock:
            run = self._runs.get(deployment_id)
            change = edit(run.deployment) if run else None
            if run is None or change is None:
                return None
            before, after = run.deployment, kept(change.deployment)
            check_change(before, after)
            run.deployment = after
            self._tell(change.happenings)
            ends = after.status.final and not before.status.final
            return Changed(deployment=after, freed=self._end(run) if ends else None)

    def _end(self, run: Run) -> str | None:
        run.due.clear()
        deployment_id, claimed = run.deployment.deployment_id, run.deployment.claimed
        waiting = self._waiting.get(claimed, deque())
        if self._running.get(claimed) != deployment_id:
            waiting.remove(deployment_id)
            return None
        if waiting:
            self._running[claimed] = waiting.popleft()
            return self._running[claimed]
        del self._running[claimed]
        return None
