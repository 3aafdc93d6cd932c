"""The forms in which a happening is told: our own, EventBridge's, and the one of CodeDeploy's SNS messages.

Each is a function of the happening and of where the installation says that it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from typing import Any, NamedTuple

from adapters.publishers.eventbridge_form import STATES, eventbridge_event
from adapters.publishers.origin import Origin
from adapters.publishers.sns_form import sns_message
from domain.happenings import TRIGGER_EVENTS, Happening, HappeningType


def own_form(happening: Happening) -> dict[str, Any]:
    """The happening itself; whom SNS tells is nobody else's affair."""
    return happening.model_dump(mode="json", exclude_none=True, exclude={"topics"})


def compact(value: object) -> str:
    """JSON without spaces, and characters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Form(NamedTuple):
    """How a happening is written down."""

    text: Callable[[Happening, Origin, str], str]
    """The text for one of its kinds; the last argument is who tells it."""
    kinds: Set[HappeningType]
    """What it has a word for."""


EVERYTHING = frozenset(HappeningType) - {HappeningType.TRIGGER_TEST}
"""What our own form has a word for: tests of triggers are for their topics alone."""


def _own(happening: Happening, _origin: Origin, _name: str) -> str:
    return compact(own_form(happening))


def _eventbridge(happening: Happening, origin: Origin, _name: str) -> str:
    return compact(eventbridge_event(happening, origin))


FORMS: Mapping[str, Form] = {
    "slipway": Form(_own, EVERYTHING),
    "eventbridge": Form(_eventbridge, STATES.keys()),
    "sns": Form(sns_message, TRIGGER_EVENTS),
}
"""By the word that the settings use for each."""
