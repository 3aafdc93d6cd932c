"""Sends the engine's signatures through a Celery app: the Dispatcher port."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from celery import Celery
from celery.canvas import Signature
from kombu import Queue
from kombu.exceptions import OperationalError

from adapters.broker.unacked import forget_unacked
from config.queues import HOSTS_UNACKED, index_of
from domain.deployments import Deployment, Lane
from domain.errors import WorldError
from domain.reports import HostReport
from tasks.orders import events_left
from workflows import canvas, names


class CeleryDispatcher:
    """Puts work in motion through the app's broker; a broker that does not answer raises WorldError."""

    def __init__(
        self, app: Celery, *, pickup_seconds: int, vanished_seconds: float = 15.0, alarms_expire: float = 30.0
    ) -> None:
        self._app = app
        self._pickup_seconds = pickup_seconds
        self._vanished_seconds = math.ceil(vanished_seconds)
        self._alarms_expire = math.ceil(alarms_expire)
        lost = app.connection_for_write().connection_errors
        self._unanswered: tuple[type[BaseException], ...] = (
            OperationalError,
            *(error for error in lost if error is not KeyError),
        )

    def begin(self, deployment_id: str) -> None:
        """Start a deployment that was admitted."""
        self._send(canvas.begin(deployment_id))

    def open_lanes(self, deployment: Deployment, phase: int) -> None:
        """Send the chords of a phase."""
        for chord in canvas.phase_chords(deployment, phase):
            self._send(chord)

    def continue_lane(self, deployment: Deployment, phase: int, lane: Lane, report: HostReport | None) -> None:
        """Send a lane's next step afresh, as part of its chord."""
        self._send(canvas.lane_again(deployment, phase, lane, report))

    def run_host(
        self,
        deployment: Deployment,
        phase: int,
        lane: Lane,  # noqa: ARG002  (the report's order names it)
        report: HostReport,
        queue: str,
        *,
        good_for: float,
        ahead: float = 0.0,
    ) -> None:
        """Send the rest of a host's chain afresh, as part of its lane's chord."""
        events = events_left(deployment.phases[phase].events, report.outcomes)
        # A word that waited in a queue makes its host's clock seem behind: nothing is made of that.
        ahead = max(0.0, ahead)
        again = canvas.host_again(
            report,
            events,
            queue=queue,
            phase=phase,
            pickup_seconds=self._pickup_seconds + math.ceil(ahead),
            good_for=min(self._pickup_seconds, good_for) + ahead,
        )
        self._send(again)

    def waiting(self, queue: str) -> int:
        """How many messages wait in a host's queue; none in one that is not there."""
        return self._ask(lambda channel: int(channel.queue_declare(queue, passive=True).message_count))

    def withdraw(self, queue: str, deployment_id: str) -> int:
        """Take back what waits in a host's queue of a deployment; what is of others stays there in its order."""
        return self._ask(lambda channel: _take_back(channel, queue, deployment_id))

    def forget_unacked(self, before: float) -> None:
        """Forget what agents took before then and neither acknowledged nor put back."""
        self._ask(lambda channel: forget_unacked(channel, HOSTS_UNACKED, index_of(HOSTS_UNACKED), before=before))

    def _ask(self, ask: Callable[[Any], int]) -> int:
        """What a queue answers, 0 where it is not there: a broker closes the channel then, so each question has one of
        its own. A connection of the pool that was lost meanwhile is made again once."""

        def on_channel() -> int:
            with suppress(*link.channel_errors), link.channel() as channel:
                return ask(channel)
            return 0

        with self._answering(), self._app.pool.acquire(block=True) as held:
            link: Any = held
            link.ensure_connection(max_retries=1)
            return int(link.ensure(link, on_channel, max_retries=1)())

    def conclude(self, deployment_id: str, phase: int) -> None:
        """Send `phase_concluded` afresh."""
        self._send(canvas.phase_concluded(deployment_id, phase))

    def environment(self, deployment_id: str, phase: int) -> None:
        """Take one step in a phase that makes or retires hosts."""
        self._send(canvas.environment(deployment_id, phase))

    def undo_traffic(self, deployment_id: str, target_id: str) -> None:
        """Bring a host whose traffic event failed back to where it was at its balancers."""
        self._send(canvas.undo_traffic(deployment_id, target_id))

    def settle(self, deployment_id: str) -> None:
        """Have the verdict written."""
        self._send(canvas.settle(deployment_id))

    def announce(self) -> None:
        """Have the outbox told."""
        self._send(canvas.announce())

    def look_at_alarms(self, deployment_id: str) -> None:
        """Have a deployment's alarms looked at."""
        self._send(canvas.alarms(deployment_id, expires=self._alarms_expire))

    def stop_hosts(self, deployment_id: str, *, now: bool, agents: Sequence[str] = ()) -> None:
        """Tell every agent, or only those, that they begin nothing more of a deployment."""
        nodes = [names.agent_node(agent) for agent in agents] or None
        arguments = {"deployment_id": deployment_id, "now": now}
        with self._answering():
            self._app.control.broadcast(names.STOP_DEPLOYMENT, arguments=arguments, destination=nodes)

    def look_for_vanished(self) -> None:
        """Have the hosts at work looked for that are no more."""
        self._send(canvas.vanished(self._vanished_seconds))

    def _send(self, signature: Signature[Any]) -> None:
        with self._answering():
            signature.apply_async()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except self._unanswered as error:
            raise WorldError(f"the broker does not answer: {error}") from error


def _take_back(channel: Any, queue: str, deployment_id: str) -> int:
    """Take all messages that wait in a queue and put those of other deployments back as they are; how many were not.
    What is taken and lost with this process is missed by the watch and sent again."""
    count = int(channel.queue_declare(queue, passive=True).message_count)
    waiting = Queue(queue, channel=channel)
    # All are taken before one is put back, and no more than there were: on Redis one comes back behind the others.
    taken = [message for _ in range(count) if (message := waiting.get(no_ack=False)) is not None]
    unwanted = 0
    for message in taken:
        if canvas.deployment_of(_content(message)) == deployment_id:
            message.ack()
            unwanted += 1
        else:
            message.requeue()
    return unwanted


def _content(message: Any) -> object:
    """What a message holds; nothing where that is no JSON, for anybody may put anything into a queue."""
    try:
        return json.loads(message.body)
    except (ValueError, TypeError, RecursionError):
        return None
