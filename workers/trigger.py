"""The trigger's loop: each message starts a deployment, is answered, or is buried with the reason. Nothing is lost."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from domain.deployments import CreateDeployment, Deployment, StopDeployment
from domain.errors import CallerError, WorldError
from domain.triggers import Incoming, TriggerSource
from domain.work import working_on
from workflows import triggering

logger = logging.getLogger(__name__)

Create = Callable[[CreateDeployment], str]
Halt = Callable[[StopDeployment], Deployment]
LONGEST_WAIT = 30.0
"""Seconds between two tries at most."""


def run_trigger(
    source: TriggerSource,
    create: Create,
    halt: Halt,
    *,
    stop: threading.Event,
    tick: float = 1.0,
    retry_wait: float = 1.0,
    now: Callable[[], float] = time.time,
) -> None:
    """Consume until `stop` is set, and end after the present message: requests for deployments go to `create`, those to
    stop one to `halt`. A store or broker that is away is tried again, after `retry_wait` seconds at first and then ever
    longer; a message whose deployment cannot be made yet waits."""
    trigger = _Trigger(source, create, halt, stop, tick=tick, retry_wait=retry_wait, now=now)
    waits = trigger.waits()
    while not stop.is_set():
        try:
            incoming = source.receive(tick)
            if incoming is not None:
                trigger.take(incoming)
            waits = trigger.waits()
        except WorldError as error:
            logger.warning("%s; trying again", error)
            stop.wait(next(waits))


@dataclass(slots=True)
class _Trigger:
    source: TriggerSource
    create: Create
    halt: Halt
    stop: threading.Event
    tick: float
    retry_wait: float
    now: Callable[[], float]
    unsettled: tuple[bytes, str] = (b"", "")
    """The body and the token of the latest message without an id: it may come again."""

    def waits(self) -> Iterator[float]:
        """Seconds to wait before each new try."""
        wait = self.retry_wait
        while True:
            yield wait
            wait = min(wait * 2, LONGEST_WAIT)

    def take(self, incoming: Incoming) -> None:
        """Deal with one message; a WorldError means that it comes again."""
        with working_on(request=_id(incoming)):
            self._take(incoming)

    def _take(self, incoming: Incoming) -> None:
        try:
            answer = self._done(incoming, self._request(incoming))
        except triggering.Unreadable as error:
            self._answer(incoming, triggering.unreadable(str(error)))
            self._bury(incoming, str(error))
        except CallerError as error:
            self._refuse(incoming, error)
        except WorldError:
            raise
        except Exception:
            # A message that meets a bug must not stop all others.
            logger.exception("request %s met an internal error", _id(incoming))
            self._bury(incoming, "internal error; the trigger's log has the details")
        else:
            self._answer(incoming, answer)
            self.source.settle(incoming)

    def _request(self, incoming: Incoming) -> CreateDeployment | StopDeployment:
        """The request; one for a deployment has a token, so that trying again does not make a second one."""
        request = triggering.parse_request(incoming)
        if isinstance(request, StopDeployment) or request.client_request_token:
            return request
        if not (incoming.redelivered and incoming.body == self.unsettled[0]):
            self.unsettled = (incoming.body, f"delivery:{uuid.uuid4().hex}")
        return request.model_copy(update={"client_request_token": self.unsettled[1]})

    def _done(self, incoming: Incoming, request: CreateDeployment | StopDeployment) -> dict[str, Any]:
        """The answer to the request, tried for until the world answers or the trigger is to stop."""
        waits = self.waits()
        while True:
            try:
                return self._act(incoming, request)
            except WorldError as error:
                if self.stop.is_set():
                    raise
                logger.warning("request %s waits: %s", _id(incoming), error)
                self._hold(incoming, next(waits))

    def _act(self, incoming: Incoming, request: CreateDeployment | StopDeployment) -> dict[str, Any]:
        if isinstance(request, StopDeployment):
            deployment = self.halt(request)
            with working_on(deployment_id=deployment.deployment_id):
                logger.info("request %s stops deployment %s", _id(incoming), deployment.deployment_id)
            return triggering.stopped(deployment)
        deployment_id = self.create(request)
        with working_on(deployment_id=deployment_id):
            logger.info("request %s made deployment %s", _id(incoming), deployment_id)
        return triggering.made(deployment_id)

    def _hold(self, incoming: Incoming, seconds: float) -> None:
        while seconds > 0 and not self.stop.wait(min(self.tick, seconds)):
            self.source.keep(incoming)
            seconds -= self.tick

    def _refuse(self, incoming: Incoming, error: CallerError) -> None:
        why = f"{error.code}: {error.message}"
        logger.warning("request %s refused: %s", _id(incoming), triggering.printable(why))
        if self._answer(incoming, triggering.refused(error)):
            self.source.settle(incoming)
        else:
            self._bury(incoming, why)

    def _answer(self, incoming: Incoming, answer: dict[str, Any]) -> bool:
        """Whether an answer was wanted and taken."""
        if incoming.reply_to is None:
            return False
        if triggering.may_reply_to(incoming.reply_to) and self.source.reply(incoming, answer):
            return True
        logger.warning("no answer goes to %s: no queue for answers", triggering.printable(incoming.reply_to, 100))
        return False

    def _bury(self, incoming: Incoming, reason: str) -> None:
        logger.warning("message %s goes to the dead letters: %s", _id(incoming), triggering.printable(reason))
        self.source.bury(incoming, triggering.dead_letter(incoming, reason, self.now()))


def _id(incoming: Incoming) -> str:
    return triggering.printable(incoming.message_id, 100) if incoming.message_id else "without id"
