"""Open source nginx on this machine: its upstream file is written and nginx is told to read it again, one process at a
time. Workers of before serve what is in flight; a host is out once those are gone that knew it.

What was begun is kept in a file beside the upstream's, so that the next call goes on where one ended too early.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from adapters.exchange import exchange, reachable
from adapters.load_balancers.naming import Place, address_of, joined, place_of
from adapters.load_balancers.nginx_upstream import Line, checked_id, lines_of, put_in, refuse_strays, taken_out
from adapters.load_balancers.nginx_workers import Worker, alive, workers_of
from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from domain.fleet import Target
from domain.traffic import Standing

LOCK_SECONDS = 5.0
COMMAND_SECONDS = 15.0
PROBE_SECONDS = 3.0
RELOAD_AGAIN_SECONDS = 10.0
"""A reload that was not seen to work for so long is asked for again."""
EFFECT_SECONDS = 1.0
"""So long one change waits for the one before; nginx needs a tenth of a second."""
_REMEMBERED = 1000
_MOST_BYTES = 4 * 1024 * 1024
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class Progress:
    """How far the last change has come."""

    written: bool = False
    """The file may hold what nginx was not told of yet."""
    previous: str | None = None
    """What nginx accepted last, while that is so."""
    asked_at: float | None = None
    """When nginx was told, until it was seen to work with the file."""
    before: list[Worker] = field(default_factory=list)
    """The workers there were then."""
    out: dict[str, list[Worker] | None] = field(default_factory=dict)
    """By host that was taken out: the workers that knew it; None until nginx is told."""


class NginxBalancer:
    """One upstream."""

    def __init__(
        self,
        *,
        upstream_file: Path,
        upstream: str,
        pid_file: Path,
        test_command: Sequence[str] = ("nginx", "-t"),
        reload_command: Sequence[str] = ("nginx", "-s", "reload"),
        default_port: int | None = None,
        health_path: str = "",
        drain_seconds: float = 300.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file, self._upstream, self._pid_file = upstream_file, upstream, pid_file
        self._test, self._reload = list(test_command), list(reload_command)
        self._port, self._health_path, self._drain_seconds, self._now = default_port, health_path, drain_seconds, now

    def block(self, target: Target, *, waited: float) -> Standing:
        """Done once nginx works with the file and no worker is left that knew the host, or after the limit."""
        host, place = checked_id(target.target_id), place_of(target, self._port)
        with self._changing() as progress:
            text = self._text()
            self._lines(text, target, place)
            if not self._loaded(progress, taken_out(text, host, place), leaving=host):
                return Standing(done=False, detail="nginx reads its configuration")
            knew = progress.out.get(host)
            # Taken out by somebody else, who knows when: what is on its way out may know it.
            left = self._leaving() if knew is None else alive(knew)
        if left and waited < self._drain_seconds:
            return Standing(done=False, detail=f"draining, {len(left)} workers finish their requests")
        return Standing(done=True, detail=f"down, gave up on {len(left)} workers" if left else "down")

    def allow(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Done once the host was found healthy and nginx works with the file that has it."""
        host, place = checked_id(target.target_id), place_of(target, self._port)
        lines = self._lines(self._text(), target, place)
        try:
            self._probe(target, [line.address for line in lines if not (line.ours and place and place[1])])
        except WorldError as error:
            return Standing(done=False, detail=f"unhealthy: {error.message}")
        with self._changing() as progress:
            progress.out.pop(host, None)
            done = self._loaded(progress, put_in(self._text(), self._upstream, host, place))
        return Standing(done=done, detail="in service" if done else "nginx reads its configuration")

    def check(self) -> None:
        """Raises WorldError where nginx does not run, BalancerMissing where its file cannot be written."""
        workers_of(self._pid_file)
        if not os.access(self._file.parent, os.W_OK):
            raise BalancerMissing(f"The folder of {self._file} is not there, or the control plane may not write to it.")

    def _lines(self, text: str, target: Target, place: Place | None) -> list[Line]:
        """The host's lines; raises BalancerRefuses if they lead elsewhere."""
        lines = lines_of(text, target.target_id, place)
        # Without the default port: that is for hosts that nobody wrote down.
        refuse_strays(lines, target.target_id, place_of(target, None))
        return lines

    def _probe(self, target: Target, declared: Sequence[str]) -> None:
        """The host's own answer, where the file says it is, or else where the target says."""
        for address in declared or [""]:
            known = target.model_copy(update={"address": address}) if address else target
            host, port = address_of(known, 80 if address else self._port)
            if not self._health_path:
                reachable(host, port, seconds=PROBE_SECONDS)
                continue
            where = f"http://{joined(host, port)}{self._health_path}"
            status = exchange("GET", where, seconds=PROBE_SECONDS, most=None).status
            if not 200 <= status < 300:
                raise WorldError(f"{where} answers {status}")

    def _loaded(self, progress: Progress, wanted: str, *, leaving: str = "") -> bool:
        """Bring nginx a step nearer to the wanted text; True once it works with it."""
        workers_of(self._pid_file)
        if progress.asked_at is not None and not self._took_effect(progress):
            # One change at a time: workers that this one is about to make would not be known to the next.
            return False
        text = self._text()
        if text == wanted and not progress.written:
            return True
        if leaving:
            progress.out[leaving] = None
        if not progress.written:
            progress.written, progress.previous = True, text
        self._keep(progress)
        if text != wanted:
            _replace(self._file, wanted)
        self._accepted(progress)
        self._ask(progress)
        return False

    def _accepted(self, progress: Progress) -> None:
        """Raises BalancerRefuses, with the old file back in its place, if nginx does not like the new one."""
        code, said = _run(self._test)
        if code == 0:
            return
        if progress.previous:
            _replace(self._file, progress.previous)
        else:
            self._file.unlink(missing_ok=True)
        progress.written, progress.previous = False, None
        progress.out = {host: workers for host, workers in progress.out.items() if workers is not None}
        self._keep(progress)
        raise BalancerRefuses(f"nginx does not accept its configuration, so {self._file} is as it was before: {said}")

    def _ask(self, progress: Progress) -> None:
        """Tell nginx to read its configuration, and note who knows the old one."""
        before = list(workers_of(self._pid_file))
        code, said = _run(self._reload)
        if code != 0:
            raise WorldError(f"nginx cannot be told to read its configuration: {said}")
        out = {host: before if workers is None else alive(workers) for host, workers in progress.out.items()}
        progress.out = dict(list(out.items())[-_REMEMBERED:])
        progress.written, progress.previous = False, None
        progress.asked_at, progress.before = self._now(), before
        self._keep(progress)

    def _took_effect(self, progress: Progress) -> bool:
        """Whether nginx works with what it was told to read: it starts new workers before it sends old ones away."""
        end = time.monotonic() + EFFECT_SECONDS
        while time.monotonic() < end:
            now = workers_of(self._pid_file)
            fresh = [worker for worker, leaves in now.items() if not leaves and worker not in progress.before]
            if fresh and all(now.get(worker, True) for worker in progress.before):
                progress.asked_at = None
                return True
            time.sleep(0.02)
        if self._now() - (progress.asked_at or 0) > RELOAD_AGAIN_SECONDS:
            self._ask(progress)
        return False

    def _leaving(self) -> list[Worker]:
        return [worker for worker, leaves in workers_of(self._pid_file).items() if leaves]

    def _text(self) -> str:
        try:
            with self._file.open(encoding="utf-8") as file:
                return file.read(_MOST_BYTES)
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise WorldError(f"{self._file} cannot be read: {error}") from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Progress]:
        """What was begun, for one process at a time; what comes of it is kept."""
        with _locked(self._beside("lock")):
            progress = self._progress()
            yield progress
            self._keep(progress)

    def _progress(self) -> Progress:
        try:
            kept = json.loads(self._beside("state").read_text(encoding="utf-8"))
            out = {host: workers and [Worker(*each) for each in workers] for host, workers in kept.pop("out").items()}
            return Progress(**{**kept, "before": [Worker(*each) for each in kept["before"]], "out": out})
        except FileNotFoundError:
            return Progress()
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            # Whatever it said, nginx reading its configuration once more does no harm.
            return Progress(written=True, previous=self._text())

    def _keep(self, progress: Progress) -> None:
        _replace(self._beside("state"), json.dumps(asdict(progress)))

    def _beside(self, what: str) -> Path:
        """Hidden, so that no `include folder/*` reads it."""
        return self._file.with_name(f".{self._file.name}.slipway-{what}")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        file = path.open("a")
    except OSError as error:
        raise BalancerRefuses(f"The control plane may not write beside the upstream file: {error}") from error
    with file:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise WorldError("another process changes nginx at this moment") from None
                time.sleep(0.02)
        yield


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all; the lock is held, so one name for the new one will do."""
    try:
        path = path.resolve()
        new = path.with_name(f".{path.name.removeprefix('.')}.new")
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(mode)
        new.replace(path)
    except OSError as error:
        raise WorldError(f"{path} cannot be written: {error}") from error


def _run(command: Sequence[str]) -> tuple[int, str]:
    """A command's exit code and the end of what it said; it gets none of this process's environment, which holds
    secrets."""
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(  # noqa: S603
                command,
                env={"PATH": _PATH},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorldError(f"{command[0]} took longer than {COMMAND_SECONDS:g} seconds") from None
        except OSError as error:
            raise BalancerRefuses(f"{command[0]} cannot be run: {error}") from error
        output.seek(max(0, output.tell() - 1000))
        return done.returncode, output.read(1000).decode(errors="replace").strip()
