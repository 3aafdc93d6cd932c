"""Engine overhead: seconds per lifecycle event of a no-op deployment against a bare Celery canvas of the same shape.

Goal: at most 1.3 times. Both run on the same Redis with workers of the same settings, in turns; medians.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Sequence

import redis
from celery import Celery

from adapters.store.connection import plain
from benchmarks.bare import EVENTS, bare_app, send
from benchmarks.costs import cpu_seconds
from benchmarks.fixtures import deploy, make_group, wait_for_end, warm_up
from benchmarks.rig import Result, Rig, median, say, timed, wait_until
from config.settings import load_settings
from domain.configs import HALF_AT_A_TIME
from tasks.runtime import World
from workers.app import make_app
from workers.wiring import make_world

GOAL = 1.3
QUEUE = "host.simulated"


class Side:
    """One of the two that are compared: how it runs, and what its rounds took."""

    def __init__(self, app: Celery, pids: Sequence[int], deploy_once: Callable[[], object]) -> None:
        self._app, self._pids, self._deploy_once = app, pids, deploy_once
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def round(self) -> None:
        """Run once and note what it took."""
        # Signatures find their app as the current one.
        self._app.set_default()
        self._app.set_current()
        before = cpu_seconds(self._pids)
        with timed(self.wall):
            self._deploy_once()
        self.cpu.append(cpu_seconds(self._pids) - before)


def run(*, hosts: int, rounds: int) -> list[Result]:
    """Measure and print."""
    with Rig() as rig:
        our_pids = [rig.spawn("cli.main", "control").pid]
        our_pids.append(rig.spawn("benchmarks.simulated", QUEUE, str(rig.home / "simulated")).pid)
        bare_pids = [rig.spawn("benchmarks.bare", role).pid for role in ("control", "host")]
        settings = load_settings()
        counter = redis.Redis.from_url(plain(settings.store_url))
        bare = bare_app("client")
        ours = make_app(settings, "client")
        world = make_world(settings, ours)
        warm_up(world, QUEUE)
        group = make_group(world, config=HALF_AT_A_TIME, hosts=hosts, queue=QUEUE)
        sides = (
            Side(ours, our_pids, lambda: _deploy(world, group)),
            Side(bare, bare_pids, lambda: _send(counter, hosts)),
        )
        for _ in range(rounds + 1):
            for side in sides:
                side.round()
        return _tell(sides, hosts, rounds)


def _deploy(world: World, group: str) -> None:
    wait_for_end(world, deploy(world, group))


def _send(counter: redis.Redis, hosts: int) -> None:
    counter.delete("bare:taken", "bare:done")
    send(hosts, hosts // 2)
    wait_until(lambda: counter.llen("bare:done"), "the end of the canvas")
    # Results that die with the interpreter complain that their backend is gone.
    gc.collect()


def _tell(sides: tuple[Side, Side], hosts: int, rounds: int) -> list[Result]:
    per_event = 1000 / (hosts * len(EVENTS))
    (wall, cpu), (bare_wall, bare_cpu) = (
        (median(side.wall[1:]) * per_event, median(side.cpu[1:]) * per_event) for side in sides
    )
    say(
        f"engine: {hosts} hosts, {hosts // 2} lanes, {rounds} rounds: {wall:.2f} ms wall, {cpu:.2f} ms CPU an event; "
        f"bare Celery {bare_wall:.2f} and {bare_cpu:.2f}; ratios {wall / bare_wall:.2f} and {cpu / bare_cpu:.2f}"
    )
    return [
        Result("engine overhead, wall", wall / bare_wall, GOAL),
        Result("engine overhead, CPU of the workers", cpu / bare_cpu, GOAL),
    ]


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="engine", description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    return run(hosts=given.hosts, rounds=3 if given.quick else given.rounds)


if __name__ == "__main__":
    main()
