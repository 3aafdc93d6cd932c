"""What Auto Scaling says on a queue of an instance that a hook holds: bytes to an action, or the reason why not.

Source: Amazon EC2 Auto Scaling user guide, "Configure a notification target for a lifecycle hook". A notice comes as it
is, in an envelope of SNS, or as the detail of an EventBridge event; an envelope may hold another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from domain.scaling import LifecycleAction, Transition
from workflows.triggering import printable

LARGEST = 256 * 1024
"""Bytes of a message; a notice has a few hundred."""
ENVELOPES = 2
"""How deep a notice may be wrapped: an EventBridge event that went through SNS."""
TEST = "autoscaling:TEST_NOTIFICATION"
_TOKEN = re.compile(r"[A-Za-z0-9-]{36}")
_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_HOOK = re.compile(r"[A-Za-z0-9\-_/]{1,255}")
_LONGEST_NAME = 255
_WARM_POOL = "WarmPool"


class NoNotice(ValueError):
    """The message tells of no lifecycle action; the text says why."""


def read_notice(body: bytes) -> LifecycleAction | None:
    """The action that a message tells of; None for the test that is sent when a hook is put. Raises NoNotice."""
    notice = _unwrapped(_object(body), ENVELOPES)
    if notice.get("Event") == TEST:
        return None
    try:
        transition = Transition(_text(notice, "LifecycleTransition"))
    except ValueError:
        raise NoNotice(f"there is no transition {printable(_text(notice, 'LifecycleTransition'), 60)}") from None
    return LifecycleAction(
        token=_matching(notice, "LifecycleActionToken", _TOKEN),
        hook=_matching(notice, "LifecycleHookName", _HOOK),
        auto_scaling_group=_name(notice),
        instance_id=_matching(notice, "EC2InstanceId", _INSTANCE),
        transition=transition,
        warm=notice.get("Destination" if transition is Transition.LAUNCHING else "Origin") == _WARM_POOL,
    )


def _unwrapped(content: Mapping[str, object], envelopes: int) -> Mapping[str, object]:
    """The notice in what SNS or EventBridge put around it."""
    detail, message = content.get("detail"), content.get("Message")
    inner: Mapping[str, object] | None = None
    if isinstance(detail, dict) and content.get("source") == "aws.autoscaling":
        inner = detail
    elif content.get("Type") == "Notification" and isinstance(message, str):
        inner = _object(message.encode("utf-8", "surrogatepass"))
    if inner is None:
        return content
    if not envelopes:
        raise NoNotice("it is wrapped too often")
    return _unwrapped(inner, envelopes - 1)


def _object(body: bytes) -> Mapping[str, object]:
    if len(body) > LARGEST:
        raise NoNotice(f"it has {len(body)} bytes; at most {LARGEST} are read")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise NoNotice("it is not JSON") from None
    if not isinstance(content, dict):
        raise NoNotice("it is no JSON object")
    return content


def _text(notice: Mapping[str, object], member: str) -> str:
    value = notice.get(member)
    if not isinstance(value, str):
        raise NoNotice(f"it has no {member}")
    return value


def _matching(notice: Mapping[str, object], member: str, form: re.Pattern[str]) -> str:
    value = _text(notice, member)
    if not form.fullmatch(value):
        raise NoNotice(f"its {member} is none: {printable(value, 60)}")
    return value


def _name(notice: Mapping[str, object]) -> str:
    name = _text(notice, "AutoScalingGroupName")
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise NoNotice(f"its AutoScalingGroupName is none: {printable(name, 60)}")
    return name
