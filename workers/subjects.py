"""Has Celery's own records of a task name the deployment, the host and the event that the task is about."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager
from threading import get_ident
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


class Subjects:
    """What each thread's task is about, from its beginning to its end."""

    def __init__(self) -> None:
        # A message that a broker delivers again may be at work in two threads at once.
        self._open: dict[tuple[int, str], AbstractContextManager[None]] = {}

    def begin(self, task_id: str, task: Task[Any, Any], args: Any, kwargs: Any, **_: object) -> None:
        """A task begins in this thread."""
        self.end(task_id)
        try:
            given = inspect.signature(task.run).bind_partial(*args, **kwargs).arguments
        except TypeError:
            given = {}
        work = working_on(**subject_of(task.name, given))
        work.__enter__()
        self._open[get_ident(), task_id] = work

    def end(self, task_id: str, **_: object) -> None:
        """A task has ended in this thread."""
        work = self._open.pop((get_ident(), task_id), None)
        if work is not None:
            work.__exit__(None, None, None)


def name_subjects() -> None:
    """From here on; a task begins and ends in one thread."""
    subjects = Subjects()
    signals.task_prerun.connect(subjects.begin, weak=False)
    signals.task_postrun.connect(subjects.end, weak=False)
