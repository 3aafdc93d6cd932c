"""Sees to it that one agent at a time works with a state directory: two would run each other's hooks."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from domain.errors import HostError


@contextmanager
def only_agent(state: Path) -> Iterator[None]:
    """Hold the lock of a state directory, which is made where it is missing; raises HostError if another agent has it.

    The kernel lets go of the lock when the process ends, however it ends; hooks do not inherit it.
    """
    path = state / "agent.lock"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError(
            f"the agent cannot keep its records in {state} ({error.strerror}): "
            "run it as a user who may write there, or give another --state"
        ) from error
    try:
        _take(lock, state)
        yield
    finally:
        os.close(lock)


def _take(lock: int, state: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = ""
        with suppress(OSError):
            holder = os.read(lock, 20).decode(errors="replace").strip()
        named = f" (process {holder})" if holder.isdigit() else ""
        raise HostError(
            f"another agent{named} works with {state} already: end it first, or give this one a --state of its own"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
