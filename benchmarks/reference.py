"""The reference deployment: real agents on one machine, 200 files / 2 MB, five trivial hooks, a previous revision to
clean up, at each speed; against the bare work in one process.

Goal: wall and CPU of everything together at most 2 times the bare work (unpack, remove the old files, copy, spawn the
hooks, once per host, one after the other). Everything together: control, watch, bundle store, Redis, every agent and
all their children.

It runs in memory where there is room. On ext4 a file made soon after others were deleted costs the kernel several times
what copying it costs, for us and for the yardstick alike, and next to that no overhead of ours would show.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.revisions.pack import hash_file, pack_directory
from adapters.revisions.upload import upload_bundle
from benchmarks.costs import cpu_seconds
from benchmarks.fixtures import deploy, make_group, wait_for_end
from benchmarks.rig import Result, Rig, median, say, wait_until
from benchmarks.sample import HOOKS, make_revision
from config.settings import Settings, load_settings
from domain.bundles import BundleType
from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME
from domain.revisions import BundleLocation, RevisionLocation, RevisionType
from tasks.runtime import World
from workers.app import make_app
from workers.installation import free_port
from workers.wiring import make_world

GOAL = 2.0
FILES, SIZE = 200, 2_000_000
MEMORY = Path("/dev/shm")  # noqa: S108  (folders in it get names of their own)
ROOM = 4_000_000_000
"""Bytes that must be free in memory: fifty hosts keep several revisions each."""

Pids = Mapping[str, Sequence[int]]
"""The processes of each role."""


class Cost(NamedTuple):
    """Seconds; of the processors also for each role."""

    wall: float
    cpu: float
    roles: Mapping[str, float] = {}


def bare_work(bundles: Sequence[Path], folder: Path, hosts: int) -> Cost:
    """Unpack, remove what the previous revision put there, copy, spawn the hooks: for each host, in this process."""
    began, before = time.perf_counter(), _own_cpu()
    for number in range(hosts):
        root = folder / f"bare-{number}"
        archive = root / "archive"
        shutil.rmtree(archive, ignore_errors=True)
        with tarfile.open(bundles[0]) as bundle:
            bundle.extractall(archive, filter="fully_trusted")  # noqa: S202  (made above)
        shutil.rmtree(root / "srv", ignore_errors=True)
        shutil.copytree(archive / "files", root / "srv" / "bench")
        for hook in HOOKS:
            subprocess.run([archive / "hooks" / f"{hook}.sh"], check=True, stdin=subprocess.DEVNULL)
    return Cost(time.perf_counter() - began, _own_cpu() - before)


def _own_cpu() -> float:
    mine, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + children.ru_utime + children.ru_stime


def in_memory() -> Path | None:
    """A place in memory with enough room, None where there is none."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


def run(*, hosts: int, rounds: int, where: Path | None) -> list[Result]:
    """Measure and print."""
    port = free_port()
    with Rig(where) as rig:
        say(f"reference: {hosts} agents below {rig.home.parent}")
        rig.environment |= {
            "SLIPWAY_BUNDLES__PORT": str(port),
            "SLIPWAY_BUNDLES__BASE_URL": f"http://127.0.0.1:{port}",
        }
        rig.enter_environment()
        bundles = [_bundle(rig.home, seed) for seed in (1, 2)]
        pids = {"redis": [rig.redis.pid]} | {
            name: [rig.spawn("cli.main", name).pid] for name in ("control", "watch", "bundles")
        }
        settings = load_settings()
        world = make_world(settings, make_app(settings, "client"))
        group = make_group(world, config=ONE_AT_A_TIME, hosts=hosts, queue=None)
        names = [f"{group}-{number:05}" for number in range(hosts)]
        pids["agents"] = [_agent(rig, name) for name in names]
        wait_until(lambda: all(world.store.seen(names)), "the agents' hello", limit=300)
        revisions = [_upload(settings, bundle) for bundle in bundles]
        bare_work(bundles, rig.home, hosts)
        _deploy(world, group, ALL_AT_ONCE, revisions[0], pids)
        return _compare(rig, world, group, revisions, bundles, pids, hosts=hosts, rounds=rounds)


def _compare(
    rig: Rig,
    world: World,
    group: str,
    revisions: Sequence[RevisionLocation],
    bundles: Sequence[Path],
    pids: Pids,
    *,
    hosts: int,
    rounds: int,
) -> list[Result]:
    results = []
    turn = 0
    for config in (ONE_AT_A_TIME, HALF_AT_A_TIME, ALL_AT_ONCE):
        ours, bare = [], []
        for _ in range(rounds):
            turn += 1
            bare.append(bare_work(bundles, rig.home, hosts))
            ours.append(_deploy(world, group, config, revisions[turn % 2], pids))
        wall, cpu = (median([getattr(cost, kind) for cost in ours]) for kind in ("wall", "cpu"))
        wall_bare, cpu_bare = (median([getattr(cost, kind) for cost in bare]) for kind in ("wall", "cpu"))
        say(
            f"reference: {hosts} agents, {config}: wall {wall:.2f} s, CPU {cpu:.2f} s; bare work {wall_bare:.2f} s, "
            f"{cpu_bare:.2f} s; ratios {wall / wall_bare:.2f} and {cpu / cpu_bare:.2f}; "
            + ", ".join(f"{role} {median([cost.roles[role] for cost in ours]):.2f} s" for role in pids)
        )
        short = config.rpartition(".")[2]
        results.append(Result(f"reference {hosts} agents {short}, wall", wall / wall_bare, GOAL))
        results.append(Result(f"reference {hosts} agents {short}, CPU", cpu / cpu_bare, GOAL))
    return results


def _bundle(home: Path, seed: int) -> Path:
    bundle = home / f"bundle-{seed}.tgz"
    pack_directory(make_revision(home / f"revision-{seed}", files=FILES, size=SIZE, seed=seed), bundle, BundleType.TGZ)
    return bundle


def _agent(rig: Rig, name: str) -> int:
    folder = rig.home / "hosts" / name
    where = ("--id", name, "--root", str(folder / "root"), "--state", str(folder / "state"))
    return rig.spawn("cli.main", "agent", *where).pid


def _upload(settings: Settings, bundle: Path) -> RevisionLocation:
    sha256 = hash_file(bundle)
    upload_bundle(settings.bundles.base_url, settings.bundles.token.get_secret_value(), bundle, sha256)
    return RevisionLocation(
        revision_type=RevisionType.BUNDLE, bundle_location=BundleLocation(sha256=sha256, bundle_type="tgz")
    )


def _deploy(world: World, group: str, config: str, revision: RevisionLocation, pids: Pids) -> Cost:
    began, before = time.perf_counter(), {role: cpu_seconds(pids[role]) for role in pids}
    deployment_id = deploy(world, group, revision, config=config)
    deployment = wait_for_end(world, deployment_id)
    wall = time.perf_counter() - began
    if deployment.status != "Succeeded":
        raise RuntimeError(f"{deployment_id} ended {deployment.status}: {deployment.error_information}")
    roles = {role: cpu_seconds(pids[role]) - before[role] for role in pids}
    return Cost(wall, sum(roles.values()), roles)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="reference", description=__doc__)
    parser.add_argument("--agents", type=int, action="append", help="how many agents; several times for several runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--where", type=Path, default=in_memory(), help="directory on the disk to measure")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    results = []
    for hosts in given.agents or ([10] if given.quick else [10, 50]):
        results += run(hosts=hosts, rounds=1 if given.quick else given.rounds, where=given.where)
    return results


if __name__ == "__main__":
    main()
