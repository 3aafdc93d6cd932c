"""Has Celery's own records of a task name the deployment, the host and the event that the task is about."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from celery import Task, signals

from domain.lifecycle import Event
from domain.work import working_on

_EVENTS = frozenset(Event)


def subject_of(task: str, given: Mapping[str, object]) -> dict[str, str]:
    """What a task is about, from its arguments by name; those of a strange message may be anything."""
    report = given.get("report")
    order = report.get("order") if isinstance(report, Mapping) else None
    named = order if isinstance(order, Mapping) else {}
    found = {
        "deployment_id": given.get("deployment_id", named.get("deploymentId")),
        "application": named.get("applicationName"),
        "target_id": named.get("targetId"),
        "event": task if task in _EVENTS else None,
    }
    return {name: value for name, value in found.items() if isinstance(value, str)}


class _Subjects:
    def __init__(self) -> None:
        self._open: dict[str, AbstractContextManager[None]] = {}

    def begin(self, task_id: str, task: Task[Any, Any], args: Any, kwargs: Any, **_: object) -> None:
        self.end(task_id)
        try:
            given = inspect.signature(task.run).bind_partial(*args, **kwargs).arguments
        except TypeError:
            given = {}
        work = working_on(**subject_of(task.name, given))
        work.__enter__()
        self._open[task_id] = work

    def end(self, task_id: str, **_: object) -> None:
        work = self._open.pop(task_id, None)
        if work is not None:
            work.__exit__(None, None, None)


_subjects = _Subjects()


def name_subjects() -> None:
    """From here on; a task begins and ends in one thread."""
    signals.task_prerun.connect(_subjects.begin, weak=False)
    signals.task_postrun.connect(_subjects.end, weak=False)
