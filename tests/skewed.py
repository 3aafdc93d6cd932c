"""`python -m tests.skewed <seconds> <command …>`: a Slipway process on a machine whose clock is ahead by so much."""

from __future__ import annotations

import datetime as real
import sys
import time
from typing import Any

from celery.worker import request


def shift(seconds: float) -> None:
    """Move the clock that our code reads, and the one by which Celery drops messages that are too old."""
    honest = time.time
    time.time = lambda: honest() + seconds

    class Shifted(real.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real.datetime.now(tz) + real.timedelta(seconds=seconds)

    request.__dict__["datetime"] = Shifted


if __name__ == "__main__":
    shift(float(sys.argv[1]))
    from cli.main import cli

    sys.argv = ["slipway", *sys.argv[2:]]
    cli()
