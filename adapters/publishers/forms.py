"""The forms in which a happening is told: our own, EventBridge's, and the one of CodeDeploy's SNS messages.

Each is a function of the happening and of where the installation says that it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from adapters.publishers.eventbridge_form import eventbridge_event
from adapters.publishers.origin import Origin
from adapters.publishers.sns_form import sns_message
from domain.happenings import Happening, HappeningType


def own_form(happening: Happening) -> dict[str, Any]:
    """The happening itself; whom SNS tells is nobody else's affair."""
    return happening.model_dump(mode="json", exclude_none=True, exclude={"topics"})


def compact(value: object) -> str:
    """JSON without spaces, and characters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


Form = Callable[[Happening, Origin, str], str | None]
"""The text for a happening, or None where the form has none for it; the last argument is who tells it."""


def _own(happening: Happening, _origin: Origin, _name: str) -> str | None:
    return compact(own_form(happening)) if happening.type is not HappeningType.TRIGGER_TEST else None


def _eventbridge(happening: Happening, origin: Origin, _name: str) -> str | None:
    event = eventbridge_event(happening, origin)
    return compact(event) if event else None


def _sns(happening: Happening, origin: Origin, name: str) -> str | None:
    queued_or_test = happening.type in {HappeningType.DEPLOYMENT_QUEUED, HappeningType.TRIGGER_TEST}
    return None if queued_or_test else sns_message(happening, origin, name)


FORMS: Mapping[str, Form] = {"slipway": _own, "eventbridge": _eventbridge, "sns": _sns}
"""By the word that the settings use for each."""
