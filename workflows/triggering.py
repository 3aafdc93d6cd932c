"""Messages of the trigger queue: bytes to a request or a reason why not, and the answers and dead letters they get.

The message is the API's CreateDeployment as JSON. Producers of plain JSON may add `replyTo`, `correlationId` and
`messageId`. A producer that cannot be sure its message arrived gives a `messageId`, and sends it again.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, NoReturn

from pydantic import ValidationError

from domain.deployments import CreateDeployment, Deployment, StopDeployment
from domain.errors import CallerError, DeploymentLimitExceeded
from domain.triggers import Incoming
from domain.values import Instant
from workflows.tokens import of_caller

LARGEST = 256 * 1024
"""Bytes of a message; a request takes a few hundred. Also the most that a dead letter keeps of one."""
DEEPEST = 32
"""Levels of lists and objects in a message; a request takes three."""
LONGEST_ID = 255
"""Characters of a message id, as AMQP has it."""
_QUEUE_NAME = re.compile(r"[!-~]{1,200}")
_OURS = ("slipway", "host.", "_kombu", "unacked", "celery")
_MAILBOX = ".pidbox"


class Unreadable(ValueError):
    """The message is not a request; the text says why."""


OPERATION = "operation"
"""The member that says what a message asks for: CreateDeployment, if it is not there, or StopDeployment."""


def parse_request(incoming: Incoming) -> CreateDeployment | StopDeployment:
    """The request in a message; its message id becomes the token of one for a deployment, so that a message that is
    delivered again answers with the deployment it made. Raises Unreadable."""
    if len(incoming.message_id or "") > LONGEST_ID:
        raise Unreadable(f"the message id may have at most {LONGEST_ID} characters")
    _check_text(incoming.message_id or "", "the message id")
    content = _read_json(incoming.body)
    if not isinstance(content, dict):
        raise Unreadable(f"expected a JSON object in the shape of CreateDeployment, got {_JSON_NAMES[type(content)]}")
    _check(content, "")
    wanted = content.get(OPERATION, "CreateDeployment")
    # A list of them, not a set: it may be anything that JSON has, and not all of that has a hash.
    if wanted not in ["CreateDeployment", "StopDeployment"]:
        raise Unreadable(f"{OPERATION} is CreateDeployment or StopDeployment, not {printable(str(wanted), 100)}")
    try:
        if wanted == "StopDeployment":
            return StopDeployment.model_validate(content)
        request = CreateDeployment.model_validate(content)
    except ValidationError as error:
        raise Unreadable("; ".join(_explained(problem) for problem in error.errors(include_url=False))) from None
    token = of_caller(request.client_request_token) or (incoming.message_id and f"trigger:{incoming.message_id}")
    # Who asks by message is a user; only the engine itself may claim to be a rollback or Auto Scaling.
    return request.model_copy(update={"client_request_token": token, "creator": "user", "back_to": None})


_JSON_NAMES = {
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}


def _read_json(body: bytes) -> object:
    if len(body) > LARGEST:
        raise Unreadable(f"the message has {len(body)} bytes; at most {LARGEST} are read")
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the message is not UTF-8: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"the message is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    except Unreadable:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise Unreadable(f"the message is not readable JSON: {error}") from None


_TOO_DEEP = f"the message is nested too deeply: at most {DEEPEST} levels are read"


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"the message is not JSON: {name} is no JSON value")


def _check(value: object, path: str, depth: int = 1) -> None:
    """Refuse what the JSON parser and pydantic let pass and the store cannot keep."""
    if isinstance(value, str):
        _check_text(value, path)
        return
    if depth > DEEPEST and isinstance(value, dict | list):
        raise Unreadable(_TOO_DEEP)
    if isinstance(value, dict):
        for name, member in value.items():
            _check_text(name, f"a member's name in {path or 'the message'}")
            _check(member, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for place, member in enumerate(value):
            _check(member, f"{path}.{place}" if path else str(place), depth + 1)


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable(f"{printable(path)}: expected text, got half a character (a lone surrogate)") from None


def _explained(problem: Any) -> str:
    return f"{'.'.join(map(str, problem['loc'])) or 'message'}: {problem['msg']}"


def made(deployment_id: str) -> dict[str, Any]:
    """The answer to a request that was admitted."""
    return {"deploymentId": deployment_id}


def stopped(deployment: Deployment) -> dict[str, Any]:
    """The answer to a request to stop, as the API's StopDeployment gives it."""
    state = "Succeeded" if deployment.status.final else "Pending"
    return {"deploymentId": deployment.deployment_id, "status": state}


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
    """What the dead-letter queue keeps of a message: reason, at (seconds), messageId, body; `encoding` is base64 where
    the body is not UTF-8; `bytes` says how many there were where that is more than were kept."""
    letter: dict[str, Any] = {"reason": reason, "at": at, "messageId": incoming.message_id}
    kept = incoming.body[:LARGEST]
    # A broker may refuse a letter that is much larger than the message was, and the message would come for ever.
    if len(incoming.body) > LARGEST:
        letter["bytes"] = len(incoming.body)
    try:
        return {**letter, "body": kept.decode()}
    except UnicodeDecodeError:
        return {**letter, "body": base64.b64encode(kept).decode(), "encoding": "base64"}


def may_reply_to(queue: str) -> bool:
    """Whether an answer may go to a queue of this name: never to one of our own or of Celery's."""
    lowered = queue.lower()
    fits = _QUEUE_NAME.fullmatch(queue) is not None
    return fits and not lowered.startswith(_OURS) and not lowered.endswith(_MAILBOX)


def printable(text: str, limit: int = 500) -> str:
    """A stranger's text for one line of a log: short, and nothing in it that could pass for another line."""
    shown = text[:limit]
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in shown) + "…" * (len(text) > limit)
