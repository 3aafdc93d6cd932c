"""What a task is about, as Celery's own records name it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.workflows.engine_values import a_report
from workers.subjects import subject_of
from workflows.canvas import wire

REPORT = wire(a_report())
HOST = {"deployment_id": "d-AAAAAAAAA", "application": "shop", "target_id": "web-1"}


@pytest.mark.parametrize(
    ("task", "given", "subject"),
    [
        ("slipway.begin", {"deployment_id": "d-1"}, {"deployment_id": "d-1"}),
        ("slipway.next_host", {"deployment_id": "d-AAAAAAAAA", "report": REPORT}, HOST),
        ("slipway.next_host", {"deployment_id": "d-1", "report": None}, {"deployment_id": "d-1"}),
        ("Install", {"report": REPORT}, {**HOST, "event": "Install"}),
        ("Install", {"report": {"order": {"targetId": ["odd"]}}}, {"event": "Install"}),
        ("Install", {"report": "odd"}, {"event": "Install"}),
        ("slipway.announce", {}, {}),
    ],
)
def test_the_subject_of_a_task(task: str, given: dict[str, Any], subject: dict[str, str]) -> None:
    assert subject_of(task, given) == subject
