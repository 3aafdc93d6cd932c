"""Makespan with heavy-tailed hook times: lanes against the ideal greedy schedule with as many lanes, and against
batches with a barrier.

Goal: at most 1.05 times the ideal. Hosts are simulated; each has a fixed time for ApplicationStart, drawn once from a
Pareto distribution.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import uuid
from collections.abc import Sequence

from benchmarks.fixtures import deploy, make_group, wait_for_end, warm_up
from benchmarks.rig import Result, Rig, median, say, timed
from config.settings import load_settings
from domain.configs import HALF_AT_A_TIME, DeploymentConfig, MinimumHealthyHosts, MinimumHealthyHostsType
from tasks.runtime import World
from workers.app import make_app
from workers.wiring import make_world

GOAL = 1.05
CUSTOM = "Bench.Keep75Percent"


def greedy(times: Sequence[float], lanes: int) -> float:
    """The makespan when a free lane takes the next host in order, and nothing else costs any time."""
    free = [0.0] * lanes
    for seconds in times:
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return max(free)


def batches(times: Sequence[float], lanes: int) -> float:
    """The makespan of batches that wait for their slowest host."""
    return sum(max(times[at : at + lanes]) for at in range(0, len(times), lanes))


def draw_times(hosts: int, *, mean: float, seed: int = 7) -> list[float]:
    """Heavy-tailed times: Pareto with shape 2, cut at ten times the mean."""
    dice = random.Random(seed)  # noqa: S311  (the same figures every time)
    return [min(10 * mean, mean / 2 * dice.paretovariate(2)) for _ in range(hosts)]


def run(*, hosts: int, rounds: int, mean: float) -> list[Result]:
    """Measure and print."""
    times = draw_times(hosts, mean=mean)
    with Rig() as rig:
        table = rig.home / "times.json"
        queue = "host.simulated"
        rig.spawn("cli.main", "control")
        rig.spawn(
            "benchmarks.simulated", queue, str(rig.home / "idle"), "--times", str(table), "--concurrency", str(hosts)
        )
        settings = load_settings()
        world = make_world(settings, make_app(settings, "client"))
        world.store.configs.add(CUSTOM, _custom())
        table.write_text("{}")
        warm_up(world, queue)
        results = []
        for config, lanes in ((HALF_AT_A_TIME, hosts // 2), (CUSTOM, hosts // 4)):
            group = make_group(world, config=config, hosts=hosts, queue=queue)
            table.write_text(json.dumps({f"{group}-{number:05}": t for number, t in enumerate(times)}))
            results.append(_measure(world, group, config, times, lanes, rounds))
        return results


def _custom() -> DeploymentConfig:
    return DeploymentConfig(
        deployment_config_name=CUSTOM,
        deployment_config_id=str(uuid.uuid4()),
        minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.FLEET_PERCENT, value=75),
    )


def _measure(world: World, group: str, config: str, times: Sequence[float], lanes: int, rounds: int) -> Result:
    spans: list[float] = []
    for _ in range(rounds):
        # The second time all hosts are Healthy and Current: ties are broken by name, so the order stays.
        with timed(spans):
            deployment_id = deploy(world, group)
            wait_for_end(world, deployment_id)
    ideal, barrier = greedy(times, lanes), batches(times, lanes)
    ratio = median(spans) / ideal
    say(
        f"makespan: {config}, {len(times)} hosts, {lanes} lanes: {median(spans):.2f} s; ideal greedy {ideal:.2f} s, "
        f"ratio {ratio:.3f}; batches with a barrier {barrier:.2f} s, ratio {barrier / ideal:.2f}"
    )
    return Result(f"makespan {config}", ratio, GOAL)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="makespan", description=__doc__)
    parser.add_argument("--hosts", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mean", type=float, default=1.5)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    return run(hosts=given.hosts, rounds=1 if given.quick else given.rounds, mean=given.mean)


if __name__ == "__main__":
    main()
