"""What the present thread works on, in words for whoever logs there: the log of a library that knows nothing of
deployments names the one it was called for. Nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_work: ContextVar[Mapping[str, str]] = ContextVar("work", default={})  # noqa: B039  (never changed in place)


@contextmanager
def working_on(
    *,
    deployment_id: str | None = None,
    application: str | None = None,
    target_id: str | None = None,
    event: str | None = None,
    request: str | None = None,
    operation: str | None = None,
) -> Iterator[None]:
    """Within, records are about these, and about what was said around it where this does not say."""
    said = {
        "deployment_id": deployment_id,
        "application": application,
        "target_id": target_id,
        "event": event,
        "request": request,
        "operation": operation,
    }
    token = _work.set({**_work.get(), **{name: value for name, value in said.items() if value}})
    try:
        yield
    finally:
        _work.reset(token)


def work_in_hand() -> Mapping[str, str]:
    """What the present thread works on."""
    return _work.get()
