"""Messages of the trigger queue: bytes to a request or a reason why not, and the answers and dead letters they get.

The message is the API's CreateDeployment as JSON. Producers of plain JSON may add `replyTo`, `correlationId` and
`messageId`.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from pydantic import ValidationError

from domain.deployments import CreateDeployment
from domain.errors import CallerError, DeploymentLimitExceeded
from domain.triggers import Incoming
from domain.values import Instant

LARGEST = 256 * 1024
"""Bytes of a message; a request takes a few hundred."""
_QUEUE_NAME = re.compile(r"[A-Za-z0-9._:-]{1,200}")
_OURS = ("slipway", "host.", "_kombu", "unacked", "celery")


class Unreadable(ValueError):
    """The message is not a request; the text says why."""


def parse_request(incoming: Incoming) -> CreateDeployment:
    """The request in a message; its message id becomes the request's token, so that a message that is delivered again
    answers with the deployment it made. Raises Unreadable."""
    if len(incoming.body) > LARGEST:
        raise Unreadable(f"the message has {len(incoming.body)} bytes; at most {LARGEST} are read")
    try:
        content = json.loads(incoming.body.decode())
        if not isinstance(content, dict):
            raise Unreadable(f"expected a JSON object in the shape of CreateDeployment, got {type(content).__name__}")
        request = CreateDeployment.model_validate(content)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the message is not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"the message is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Unreadable("the message is nested too deeply") from None
    except ValidationError as error:
        raise Unreadable("; ".join(_explained(problem) for problem in error.errors(include_url=False))) from None
    token = request.client_request_token or (incoming.message_id and f"trigger:{incoming.message_id}")
    # Who asks by message is a user; only the engine itself may claim to be a rollback or Auto Scaling.
    return request.model_copy(update={"client_request_token": token, "creator": "user"})


def _explained(problem: Any) -> str:
    return f"{'.'.join(map(str, problem['loc'])) or 'message'}: {problem['msg']}"


def made(deployment_id: str) -> dict[str, Any]:
    """The answer to a request that was admitted."""
    return {"deploymentId": deployment_id}


def refused(error: CallerError) -> dict[str, Any]:
    """The answer to a request that was not, in the words of the API's modelled errors."""
    answer: dict[str, Any] = {"code": error.code, "message": error.message}
    if isinstance(error, DeploymentLimitExceeded) and error.running:
        answer["runningDeploymentId"] = error.running
    return {"error": answer}


def unreadable(reason: str) -> dict[str, Any]:
    """The answer to a message that is no request."""
    return {"error": {"code": "InvalidInputException", "message": reason}}


def dead_letter(incoming: Incoming, reason: str, at: Instant) -> dict[str, Any]:
    """What the dead-letter queue keeps of a message."""
    letter: dict[str, Any] = {"reason": reason, "at": at, "messageId": incoming.message_id}
    try:
        return {**letter, "body": incoming.body.decode()}
    except UnicodeDecodeError:
        return {**letter, "body": base64.b64encode(incoming.body).decode(), "encoding": "base64"}


def may_reply_to(queue: str) -> bool:
    """Whether an answer may go to a queue of this name: never to one of our own."""
    return _QUEUE_NAME.fullmatch(queue) is not None and not queue.lower().startswith(_OURS)
