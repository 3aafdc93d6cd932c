"""Engine overhead: seconds per lifecycle event of a no-op deployment against a bare Celery canvas of the same shape.

Goal: at most 1.3 times. Both run on the same Redis with the same workers' settings, in turns; medians.
"""

from __future__ import annotations

import argparse

import redis

from adapters.store.connection import plain
from benchmarks.bare import EVENTS, bare_app, send
from benchmarks.fixtures import deploy, ended, make_group
from benchmarks.rig import Rig, median, say, timed, wait_until
from config.settings import load_settings
from domain.configs import HALF_AT_A_TIME
from tasks.runtime import World
from workers.app import make_app
from workers.wiring import make_world

QUEUE = "host.simulated"


def run(*, hosts: int, rounds: int) -> float:
    """Measure and print; the ratio."""
    with Rig() as rig:
        rig.spawn("cli.main", "control")
        rig.spawn("benchmarks.simulated", QUEUE, str(rig.home / "simulated"))
        rig.spawn("benchmarks.bare", "control")
        rig.spawn("benchmarks.bare", "host")
        settings = load_settings()
        counter = redis.Redis.from_url(plain(settings.store_url))
        world = make_world(settings, make_app(settings, "client"))
        group = make_group(world, config=HALF_AT_A_TIME, hosts=hosts, queue=QUEUE)
        ours: list[float] = []
        bare: list[float] = []
        for _ in range(rounds + 1):
            _bare_round(counter, hosts, bare)
            _our_round(world, group, ours)
        per_event = 1000 / (hosts * len(EVENTS))
        mine, theirs = median(ours[1:]) * per_event, median(bare[1:]) * per_event
        say(
            f"engine: {hosts} hosts, {hosts // 2} lanes, {rounds} rounds: {mine:.2f} ms per event;",
            end_of(mine, theirs),
        )
        return mine / theirs


def end_of(mine: float, theirs: float) -> str:
    """The comparison in words."""
    return f"bare Celery {theirs:.2f} ms; ratio {mine / theirs:.2f} (goal 1.3)"


def _our_round(world: World, group: str, into: list[float]) -> None:
    make_app(load_settings(), "client")
    with timed(into):
        deployment_id = deploy(world, group)
        wait_until(lambda: ended(world, deployment_id), "the deployment's end")


def _bare_round(counter: redis.Redis, hosts: int, into: list[float]) -> None:
    bare_app("control")
    counter.delete("bare:taken", "bare:done")
    with timed(into):
        send(hosts, hosts // 2)
        wait_until(lambda: counter.llen("bare:done"), "the canvas's end")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    run(hosts=given.hosts, rounds=given.rounds)


if __name__ == "__main__":
    main()
