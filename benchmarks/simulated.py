"""A simulated agent for benchmarks and canvas tests: it takes every event of any number of hosts from one queue and
does nothing, or as long as it is told.

Run as `python -m benchmarks.simulated QUEUE [--concurrency N]`, with the settings of an agent in the environment.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from config.queues import reports_queue
from config.settings import Settings, load_settings
from domain.hooks import Trace
from domain.lifecycle import Event
from domain.reports import AgentReport, HostOrder, Outcome
from tasks.host import register
from tasks.host_world import HostWorld
from workers.app import make_app
from workers.broker import connection
from workers.reporter import Reporter


@dataclass(slots=True)
class _Attempt:
    order: HostOrder
    seen: set[Event]
    outcomes: dict[Event, Outcome] = field(default_factory=dict)
    running: Event | None = None
    begun_at: float | None = None
    script: Trace | None = None


class ForgetfulJournal:
    """Runs every event once per attempt, and remembers nothing across restarts."""

    def __init__(self) -> None:
        self._attempts: dict[str, _Attempt] = {}
        self._outcomes: dict[tuple[str, Event], Outcome] = {}
        self._lock = threading.Lock()

    def knows(self, attempt: str) -> bool:
        """Whether the attempt is under way."""
        return attempt in self._attempts

    def open(self, order: HostOrder) -> _Attempt:
        """The attempt of the order."""
        with self._lock:
            return self._attempts.setdefault(order.attempt, _Attempt(order, set()))

    def left(self, *, since: float) -> tuple[_Attempt, ...]:
        """None: it remembers nothing."""
        return ()

    def forget(self, *, before: float) -> None:
        """Nothing to forget."""

    def begin(self, attempt: _Attempt, event: Event, *, at: float) -> Outcome | bool:
        """True the first time, then the outcome."""
        with self._lock:
            if event in attempt.seen:
                return self._outcomes.get((attempt.order.attempt, event), False)
            attempt.seen.add(event)
            return True

    def note_script(self, attempt: _Attempt, trace: Trace) -> None:
        """Nothing to note."""

    def end(self, attempt: _Attempt, outcome: Outcome) -> None:
        """Remember the outcome for as long as the attempt lasts."""
        with self._lock:
            self._outcomes[attempt.order.attempt, outcome.event] = outcome
            if outcome.event is attempt.order.final_event:
                self._attempts.pop(attempt.order.attempt, None)
                for event in attempt.seen:
                    self._outcomes.pop((attempt.order.attempt, event), None)


APPSPEC = """version: 0.0
os: linux
hooks:
  ApplicationStart:
    - location: waits.sh
"""


class SharedRecords:
    """Records of hosts that all have the same revision, without scripts, and have never deployed before."""

    def __init__(self, folder: Path, *, hooks: bool) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "appspec.yml").write_text(APPSPEC if hooks else "version: 0.0\nos: linux\n")

    def archive(self, group_id: str, deployment_id: str) -> Path:
        """The one revision."""
        return self._folder

    group = instructions = last = lambda self, *_: self._folder
    deployment = script_log = archive

    def last_successful(self, group_id: str) -> str | None:
        """Nothing: no event finds scripts of an earlier revision."""
        return None

    most_recent = last_successful

    def mark_last_successful(self, group_id: str, deployment_id: str) -> None:
        """Forget it."""

    mark_most_recent = mark_last_successful


def idle_world(host: str, folder: Path, tell: Callable[[AgentReport], None], times: Path | None = None) -> HostWorld:
    """Hosts that do nothing, or wait in ApplicationStart for as many seconds as the JSON file `times` says of them."""

    def wait(*_: object, order: HostOrder, **__: object) -> None:
        if times is not None:
            time.sleep(json.loads(times.read_text()).get(order.target_id, 0.0))

    return HostWorld(
        host=host,
        root=folder,
        records=SharedRecords(folder, hooks=times is not None),
        journal=ForgetfulJournal(),
        fetch=lambda source, archive, *, seconds, stop: None,
        install=lambda *_, **__: "",
        on_disk=lambda records: "",
        commit=lambda records: None,
        own=lambda records: None,
        run_scripts=wait,
        end_script=lambda trace: True,
        prune=lambda group, spare: None,
        tell=tell,
        stopped=defaultdict(threading.Event),
        refused=defaultdict(threading.Event),
        cut=defaultdict(threading.Event),
        now=time.time,
    )


def run(settings: Settings, queue: str, folder: Path, *, concurrency: int, times: Path | None) -> None:
    """Consume the queue until told to stop."""
    app = make_app(settings, "agent")
    reporter = Reporter(queue, connection(settings, "agent"), reports_queue())
    register(app, idle_world(queue, folder, reporter.tell, times))
    reporter.start()
    worker = app.Worker(
        hostname=f"simulated@{queue}",
        pool="threads",
        concurrency=concurrency,
        queues=[queue],
        without_gossip=True,
        without_mingle=True,
        loglevel="WARNING",
    )
    worker.start()
    reporter.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("queue")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--times", type=Path)
    given = parser.parse_args()
    run(load_settings(), given.queue, given.folder, concurrency=given.concurrency, times=given.times)


if __name__ == "__main__":
    main()
