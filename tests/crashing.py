"""`python -m tests.crashing <Class.method> <before|after> <n> <command …>`: a Slipway process that dies, as by kill -9,
before or after the n-th call of one method."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from adapters.host.attempts import Attempts
from adapters.host.ledger import Ledger
from adapters.store.directories import RedisDirectory
from adapters.store.redis import RedisStore
from workers.dispatch import CeleryDispatcher
from workers.host import Fetcher, Installer

CLASSES: dict[str, type] = {
    c.__name__: c for c in (RedisStore, RedisDirectory, CeleryDispatcher, Attempts, Fetcher, Installer, Ledger)
}


def die_at(point: str, when: str, number: int) -> None:
    """Have the process die around the call."""
    owner, _, name = point.partition(".")
    honest: Callable[..., Any] = getattr(CLASSES[owner], name)
    calls = itertools.count(1)

    def dying(*args: Any, **kwargs: Any) -> Any:
        mine = next(calls) == number
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = honest(*args, **kwargs)
        if mine and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(CLASSES[owner], name, dying)


if __name__ == "__main__":
    die_at(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    from cli.main import cli

    sys.argv = ["slipway", *sys.argv[4:]]
    cli()
