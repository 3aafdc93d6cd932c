"""What tests need beyond Python packages: how a missing service is named, free ports, waiting, and processes that end
with the test whatever happens in it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from cli.traffic.ports import pick_ports
from workers.supervisor import die_with_parent

T = TypeVar("T")


def require(found: T | None, name: str) -> T:
    """What was found; where it is missing the test is skipped with its name, or fails with SLIPWAY_REQUIRE=all."""
    if found is not None:
        return found
    if os.environ.get("SLIPWAY_REQUIRE") == "all":
        pytest.fail(f"no {name} here, and SLIPWAY_REQUIRE=all")
    pytest.skip(f"no {name} here: install it to run this test")


def set_attribute(path: Path, name: str, value: bytes) -> None:
    """Give a file an extended attribute; a filesystem that keeps none is one that is missing."""
    try:
        os.setxattr(path, name, value)
    except OSError:
        require(None, f"filesystem that keeps {name}")


def wait_until(found: Callable[[], T | None], what: str, *, limit: float = 60.0) -> T:
    """The first true answer of `found`; fails the test naming what was waited for."""
    deadline = time.monotonic() + limit
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {limit:.0f} seconds")
        time.sleep(0.02)
    return answer


def free_port() -> int:
    """A loopback port that nobody listens on, and that no other test is given."""
    (port,) = pick_ports(1)
    return port


@contextlib.contextmanager
def background(
    command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own, its output in `log`; the whole group is killed at the end, and the output is
    printed if the test fails."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            env=None if environment is None else {**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    except BaseException:
        print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]))
        raise
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
