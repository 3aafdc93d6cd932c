"""What a task is about, as Celery's own records name it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.work import work_in_hand
from tasks.rollout import settle
from tests.unit.workflows.engine_values import a_report
from workers.subjects import Subjects, subject_of
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


def test_a_message_at_work_in_two_threads_is_each_ones_own() -> None:
    subjects = Subjects()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for thread in (one, other):
            thread.submit(subjects.begin, "t-1", settle, ("d-1",), {}).result()
        assert other.submit(work_in_hand).result() == {"deployment_id": "d-1"}
        for thread in (one, other):
            thread.submit(subjects.end, "t-1").result()
            assert thread.submit(work_in_hand).result() == {}
