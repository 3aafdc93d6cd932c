"""100, 1,000 and 10,000 simulated targets: seconds and Redis bytes per target, and control's memory.

Goal: seconds and bytes per target flat within 20 per cent. The targets share one simulated agent, whose time is part of
the seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import redis

from adapters.store.connection import plain
from benchmarks.costs import resident_bytes
from benchmarks.fixtures import deploy, forget_hosts, make_group, wait_for_end, warm_up
from benchmarks.rig import Result, Rig, say
from config.settings import load_settings
from domain.configs import HALF_AT_A_TIME
from workers.app import make_app
from workers.wiring import make_world

GOAL = 1.2
QUEUE = "host.simulated"


def bytes_of(client: redis.Redis, deployment_id: str) -> tuple[int, int]:
    """Bytes of all keys of a deployment, and of the largest of them."""
    sizes = [
        int(client.memory_usage(key, samples=0) or 0)
        for key in client.scan_iter(match=f"*{deployment_id}*", count=1000)
    ]
    return sum(sizes), max(sizes)


def run(sizes: Sequence[int]) -> list[Result]:
    """Measure and print."""
    with Rig() as rig:
        control = rig.spawn("cli.main", "control")
        rig.spawn("cli.main", "watch")
        rig.spawn("benchmarks.simulated", QUEUE, str(rig.home / "simulated"), "--concurrency", "8")
        settings = load_settings()
        client = redis.Redis.from_url(plain(settings.store_url))
        world = make_world(settings, make_app(settings, "client"))
        warm_up(world, QUEUE)
        seconds, kept = [], []
        for targets in sizes:
            group = make_group(world, config=HALF_AT_A_TIME, hosts=targets, queue=QUEUE)
            began = time.perf_counter()
            deployment_id = deploy(world, group)
            wait_for_end(world, deployment_id, every=0.1)
            seconds.append((time.perf_counter() - began) / targets)
            total, largest = bytes_of(client, deployment_id)
            kept.append(total / targets)
            say(
                f"scale: {targets} targets: {seconds[-1] * 1000:.1f} ms and {kept[-1]:.0f} bytes of Redis a target; "
                f"largest key {largest} bytes; control {resident_bytes(control.pid) / 1e6:.0f} MB"
            )
            forget_hosts(world, group, targets)
        return [
            Result("scale, seconds a target, largest to smallest", seconds[-1] / seconds[0], GOAL),
            Result("scale, bytes a target, largest to smallest", kept[-1] / kept[0], GOAL),
        ]


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("--full", action="store_true", help="10,000 targets too, which takes minutes")
    parser.add_argument("--quick", action="store_true", help="100 and 500 only")
    given = parser.parse_args(arguments)
    return run([100, 500] if given.quick else [100, 1_000, 10_000] if given.full else [100, 1_000])


if __name__ == "__main__":
    main()
