"""The trigger's loop: each message starts a deployment, is answered, or is buried with the reason. Nothing is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from domain.deployments import CreateDeployment
from domain.errors import CallerError, WorldError
from domain.triggers import Incoming, TriggerSource
from workflows import triggering

logger = logging.getLogger(__name__)

Create = Callable[[CreateDeployment], str]


def run_trigger(
    source: TriggerSource, create: Create, *, stop: threading.Event, tick: float = 1.0, retry_wait: float = 1.0
) -> None:
    """Consume until `stop` is set. A store or broker that is away is tried again; the message waits meanwhile."""
    while not stop.is_set():
        try:
            incoming = source.receive(tick)
        except WorldError as error:
            logger.warning("%s; trying again", error)
            stop.wait(retry_wait)
            continue
        while incoming is not None and not stop.is_set():
            try:
                take(source, incoming, create)
                incoming = None
            except WorldError as error:
                logger.warning("a request waits: %s", error)
                stop.wait(retry_wait)


def take(source: TriggerSource, incoming: Incoming, create: Create) -> None:
    """Deal with one message; raises WorldError if it has to wait."""
    try:
        answer = triggering.made(create(triggering.parse_request(incoming)))
    except triggering.Unreadable as error:
        _answer(source, incoming, triggering.unreadable(str(error)))
        _bury(source, incoming, str(error))
    except CallerError as error:
        _refuse(source, incoming, error)
    except WorldError:
        raise
    except Exception:
        # A message that meets a bug must not stop all others.
        logger.exception("a request met an internal error")
        _bury(source, incoming, "internal error; the trigger's log has the details")
    else:
        _answer(source, incoming, answer)
        source.settle(incoming)


def _refuse(source: TriggerSource, incoming: Incoming, error: CallerError) -> None:
    logger.warning("request %s refused: %s: %s", incoming.message_id or "without id", error.code, error.message)
    if _answer(source, incoming, triggering.refused(error)):
        source.settle(incoming)
    else:
        _bury(source, incoming, f"{error.code}: {error.message}")


def _answer(source: TriggerSource, incoming: Incoming, answer: dict[str, Any]) -> bool:
    """Whether an answer was wanted and could be sent."""
    if incoming.reply_to is None:
        return False
    if not triggering.may_reply_to(incoming.reply_to):
        logger.warning("no answer is sent to %r: it is not a queue for answers", incoming.reply_to[:100])
        return False
    source.reply(incoming, answer)
    return True


def _bury(source: TriggerSource, incoming: Incoming, reason: str) -> None:
    logger.warning("message %s goes to the dead-letter queue: %s", incoming.message_id or "without id", reason)
    source.bury(incoming, triggering.dead_letter(incoming, reason, time.time()))
