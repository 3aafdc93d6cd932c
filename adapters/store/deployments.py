"""Deployments in Redis: one hash each, who runs and who waits in each group, the indexes by time and by id."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from adapters.store.connection import Answer
from adapters.store.contention import tries
from adapters.store.outbox import as_told
from adapters.store.part import Part
from adapters.store.records import instant, pairs
from domain import reasons
from domain.deployments import Deployment, DeploymentStatus, Progress, moved
from domain.errors import Conflict, DeploymentLimitExceeded
from domain.happenings import Happening
from domain.moves import Admitted, Change, Changed, Shown
from domain.values import Instant

TOKEN_SECONDS = 86_400
"""How long a request token is remembered."""
UNLIMITED = 10**9
PAGE = 100
"""Deployments read or forgotten by one script."""


class Deployments(Part):
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
        given = {
            "id": deployment.deployment_id,
            "application": deployment.application_id,
            "group": deployment.deployment_group_id,
            "claims": deployment.claimed,
            "created": instant(deployment.create_time),
            "token": token or "",
            "token_seconds": TOKEN_SECONDS,
            "queue": queue,
            "first": first,
            "most": most,
            "document": deployment.model_dump_json(),
            "queued": as_queued(deployment).model_dump_json(),
            "nonce": secrets.token_hex(8),
            "happenings": as_told(happenings),
            "if_queued": as_told(if_queued),
        }
        verdict, deployment_id, waits = self._connection.run("admit", given)
        if verdict == "full":
            raise too_many_running(most)
        if verdict == "busy":
            raise group_busy(deployment, deployment_id)
        if verdict == "taken":
            raise id_taken(deployment_id)
        return Admitted(deployment_id=deployment_id, repeated=verdict == "repeated", queued=bool(waits))

    def deployment(self, deployment_id: str) -> Deployment | None:
        """The deployment, or None."""
        return self.deployments([deployment_id])[0]

    def deployments(self, deployment_ids: Sequence[str]) -> list[Deployment | None]:
        """Deployments in the order of the ids."""
        if not deployment_ids:
            return []
        found = self._connection.ask_all(
            lambda pipe: [pipe.hget(self._keys("deployment", deployment_id), "d") for deployment_id in deployment_ids]
        )
        return [None if text is None else Deployment.model_validate_json(text) for text in found]

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
        if limit <= 0:
            return []
        given = {
            "group": group_id or "",
            "low": "-inf" if since is None else instant(since),
            "high": "+inf" if until is None else instant(until),
            "after_at": instant(after[0]) if after else "",
            "after_id": after[1] if after else "",
            "limit": limit,
        }
        found = iter(self._connection.run("recent", given))
        return [(float(at), deployment_id) for deployment_id, at in zip(found, found, strict=True)]

    def shown(self, deployment_ids: Sequence[str]) -> list[Shown | None]:
        """Deployments in the order of the ids, with their counters and under today's names."""
        pages = (deployment_ids[at : at + PAGE] for at in range(0, len(deployment_ids), PAGE))
        return [_shown(each) for page in pages for each in self._connection.run("shown", {"ids": list(page)})]

    def forget_deployments(self, application_id: str) -> None:
        """List the deployments of an application no more."""
        while self._connection.run("forget", {"application": application_id, "most": PAGE}):
            pass

    def active(self, *, after: str = "", limit: int = 100) -> list[str]:
        """Ids of deployments that have not ended, in id order."""
        low = f"({after}" if after else "-"
        found: list[str] = self._connection.ask(
            lambda redis: redis.zrangebylex(self._keys("active"), low, "+", start=0, num=max(limit, 0))
        )
        return found

    def active_count(self) -> int:
        """How many deployments have not ended."""
        return int(self._connection.ask(lambda redis: redis.zcard(self._keys("active"))))

    def running(self, claimed: str) -> str | None:
        """The deployment that holds a group, or what else is claimed."""
        found: str | None = self._connection.ask(lambda redis: redis.get(self._keys("running", claimed)))
        return found

    def change(self, deployment_id: str, edit: Callable[[Deployment], Change | None]) -> Changed | None:
        """Edit a deployment under optimistic locking."""
        for _ in tries():
            text, version = self._connection.ask(
                lambda redis: redis.hmget(self._keys("deployment", deployment_id), ["d", "version"])
            )
            if text is None:
                return None
            present = Deployment.model_validate_json(text)
            change = edit(present)
            if change is None:
                return None
            freed = self._write_change(present, change, version)
            if freed is not None:
                return Changed(deployment=change.deployment, freed=freed or None)
        raise Conflict(f"deployment {deployment_id} changed under every attempt to write it; try again")

    def _write_change(self, present: Deployment, change: Change, version: str) -> str | None:
        check_change(present, change.deployment)
        given = {
            "id": present.deployment_id,
            "version": version,
            "nonce": secrets.token_hex(8),
            "document": change.deployment.model_dump_json(),
            "final": change.deployment.status.final,
            "happenings": as_told(change.happenings),
        }
        freed: str | None = self._connection.run("change", given)
        return freed


def _shown(held: Answer) -> Shown | None:
    if not held:
        return None
    text, progress, application_name, group_name = held
    return Shown(
        deployment=Deployment.model_validate_json(text),
        progress=Progress.model_validate(pairs(progress)) if progress else None,
        application_name=application_name,
        group_name=group_name and group_name.partition("/")[2],
    )


def as_queued(deployment: Deployment) -> Deployment:
    """The deployment as it waits for its group."""
    return deployment.model_copy(update={"status": DeploymentStatus.QUEUED})


def group_busy(deployment: Deployment, running: str) -> DeploymentLimitExceeded:
    """The refusal of a deployment whose group has another."""
    group = deployment.deployment_group_name
    return DeploymentLimitExceeded(reasons.GROUP_BUSY.format(group=group, running=running), running=running)


def too_many_running(most: int) -> DeploymentLimitExceeded:
    """The refusal of a deployment when as many as may be are under way."""
    return DeploymentLimitExceeded(reasons.TOO_MANY_RUNNING.format(most=most))


def id_taken(deployment_id: str) -> Conflict:
    """The refusal of a deployment whose id another has."""
    return Conflict(f"there is a deployment {deployment_id} already; ask again for another id")


def check_change(before: Deployment, after: Deployment) -> None:
    """Raises for an edit that the indexes could not follow: another id, group or claim, or a return from the end."""
    if _indexed(before) != _indexed(after):
        raise ValueError(f"the id, the group and the claim of deployment {before.deployment_id} are not for editing")
    if before.status.final and after.status is not before.status:
        moved(before.status, after.status)


def _indexed(deployment: Deployment) -> tuple[str, str, str]:
    return deployment.deployment_id, deployment.deployment_group_id, deployment.claimed
