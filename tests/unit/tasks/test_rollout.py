"""A step that was written and whose chain was never sent: what the redelivered message sends is good no longer than
what was to be sent at first."""

from __future__ import annotations

from typing import Any

import pytest
from celery.canvas import Signature
from celery.exceptions import Ignore

from domain.deployments import Lane
from domain.moves import Resend
from tasks.rollout import _go_on
from tests.unit.tasks.engine import Engine
from tests.unit.workflows.engine_values import NOW, a_view


class Replaced(Exception):
    """Stands for what Celery raises when a task has replaced itself."""


class Task:
    """Keeps what it is replaced by."""

    chain: Signature[Any]

    def replace(self, chain: Signature[Any]) -> Exception:
        self.chain = chain
        return Replaced()


def sent_again(engine: Engine, *, taken_at: float | None) -> list[float]:
    """How long each message of the host's chain is good for."""
    task: Any = Task()
    view = a_view(lane=Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=taken_at))
    with pytest.raises(Replaced):
        _go_on(task, engine.world(), view, Resend(), phase=0, step=0)
    return [each.options["expires"] for each in task.chain.tasks[:-1]]


@pytest.mark.parametrize(("taken_at", "good_for"), [(NOW, 300), (NOW - 100, 200), (NOW - 299, 1), (None, 300)])
def test_it_is_good_until_the_host_is_given_up(engine: Engine, taken_at: float | None, good_for: float) -> None:
    first, *others = sent_again(engine, taken_at=taken_at)
    assert first == good_for
    assert set(others) == {300}


def test_after_that_it_is_left_to_the_watch(engine: Engine) -> None:
    task: Any = Task()
    view = a_view(lane=Lane(number=0, step=1, target_id="web-1", attempt="t-1", taken_at=NOW - 300))
    with pytest.raises(Ignore):
        _go_on(task, engine.world(), view, Resend(), phase=0, step=0)
