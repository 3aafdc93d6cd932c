"""The API under load, against the same calls to moto's server, in turns, while a deployment of 1,000 targets runs.

Goals: at least five times moto's throughput, and 99 of 100 answers within 20 ms at 100 requests a second. Both servers
hold 10,000 deployments. moto does not serve BatchGetDeploymentTargets, so that call has no yardstick.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks.api_load import Server, ask, latencies, rate, send_all
from benchmarks.fixtures import APPLICATION, APPLICATION_ID, NOWHERE, deploy, ended, make_group, warm_up
from benchmarks.rig import Result, Rig, median, say, wait_until
from config.settings import load_settings
from domain.access import Policy
from domain.configs import HALF_AT_A_TIME, ONE_AT_A_TIME, PREDEFINED
from domain.deployments import Deployment, DeploymentStatus
from domain.groups import Busy, DeploymentGroup
from domain.moves import Change
from tasks.runtime import World
from workers.access import create_key
from workers.app import make_app
from workers.installation import free_port
from workers.wiring import make_world
from workflows.access import secret_of
from workflows.ids import deployment_id_of

QUEUE = "host.simulated"
FASTER = 5.0
SLOWEST = 0.020
A_SECOND = 100
KEY = "benchmark-api-key"
REVISION = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k.zip", "bundleType": "zip"}}
GROUPS = 50
"""Groups that CreateDeployment takes turns with: each queues what comes while it is busy."""

Calls = Mapping[str, Sequence[bytes]]


def run(*, deployments: int, targets: int, rounds: int, seconds: float) -> list[Result]:
    """Measure and print."""
    port, moto_port = free_port(), free_port()
    with Rig() as rig:
        rig.environment |= {
            "SLIPWAY_API__PORT": str(port),
            "SLIPWAY_API__KEY": KEY,
            # More are asked for than anybody could carry out.
            "SLIPWAY_QUOTAS__RUNNING_DEPLOYMENTS": "1000000",
        }
        rig.enter_environment()
        for process in ("control", "watch", "api"):
            rig.spawn("cli.main", process)
        rig.spawn("benchmarks.simulated", QUEUE, str(rig.home / "simulated"))
        rig.spawn("moto.server", "-p", str(moto_port))
        world = make_world(load_settings(), make_app(load_settings(), "client"))
        key = create_key(world.store, policy=Policy.ADMINISTRATOR, now=world.now())
        ours = Server("slipway", port, key.access_key_id, secret_of(KEY.encode(), key))
        moto = Server("moto", moto_port)
        warm_up(world, QUEUE)
        big = make_group(world, config=ONE_AT_A_TIME, hosts=targets, queue=QUEUE)
        finished = deploy(world, big, config=HALF_AT_A_TIME)
        wait_until(lambda: ended(world, finished), "a deployment to look at", limit=600)
        calls = _our_calls(world, ours, finished, deployments)
        yardstick = _moto_calls(moto, deployments)
        with _always_deploying(world, big):
            return _compare(ours, calls, moto, yardstick, rounds=rounds, seconds=seconds)


def _our_calls(world: World, server: Server, finished: str, deployments: int) -> Calls:
    """What is asked of Slipway; its store is filled for that."""
    known = _fill(world, finished, deployments)
    groups = [_empty_group(world, number) for number in range(GROUPS)]
    targets = ask(server, "ListDeploymentTargets", {"deploymentId": finished})["targetIds"]
    batches = [targets[at : at + 25] for at in range(0, 75, 25)]
    return {
        "GetDeployment": [server.request("GetDeployment", {"deploymentId": each}) for each in known[:200]],
        "ListDeployments": [server.request("ListDeployments", {})],
        "BatchGetDeploymentTargets": [
            server.request("BatchGetDeploymentTargets", {"deploymentId": finished, "targetIds": batch})
            for batch in batches
        ],
        "CreateDeployment": [
            server.request(
                "CreateDeployment",
                {"applicationName": APPLICATION, "deploymentGroupName": group, "revision": REVISION},
            )
            for group in groups
        ],
    }


def _moto_calls(server: Server, deployments: int) -> Calls:
    wait_until(lambda: _answers(server), "moto's server", limit=60)
    named = {"applicationName": APPLICATION, "deploymentGroupName": "group"}
    ask(server, "CreateApplication", {"applicationName": APPLICATION})
    ask(server, "CreateDeploymentGroup", {**named, "serviceRoleArn": "arn:aws:iam::123456789012:role/r"})
    create = server.request("CreateDeployment", {**named, "revision": REVISION})
    send_all(server, [create] * deployments, connections=4)
    known = ask(server, "ListDeployments", named)["deployments"]
    return {
        "GetDeployment": [server.request("GetDeployment", {"deploymentId": each}) for each in known[:200]],
        "ListDeployments": [server.request("ListDeployments", named)],
        "CreateDeployment": [create],
    }


def _answers(server: Server) -> bool:
    try:
        ask(server, "ListApplications", {})
    except OSError:
        return False
    return True


def _fill(world: World, like: str, deployments: int) -> list[str]:
    """Ended deployments, as many as asked for; the ids."""
    pattern = world.store.deployment(like)
    assert pattern is not None
    known = []
    for number in range(deployments):
        deployment_id = deployment_id_of(number.to_bytes(16, "big"))
        update = {
            "deployment_id": deployment_id,
            "deployment_group_id": f"filled-{number}",
            "status": DeploymentStatus.CREATED,
            "create_time": pattern.create_time - 10 * deployments + number,
        }
        world.store.admit(pattern.model_copy(update=update), token=None, queue=False)
        world.store.change(deployment_id, _failed)
        known.append(deployment_id)
    return known


def _failed(present: Deployment) -> Change:
    return Change(present.model_copy(update={"status": DeploymentStatus.FAILED}))


def _empty_group(world: World, number: int) -> str:
    name = f"empty-{number}"
    world.store.groups.add(
        DeploymentGroup(
            application_id=APPLICATION_ID,
            deployment_group_id=f"empty-{number}",
            deployment_group_name=name,
            deployment_config_name=next(iter(PREDEFINED)),
            busy=Busy.QUEUE,
        )
    )
    return name


@contextmanager
def _always_deploying(world: World, group: str) -> Iterator[None]:
    """Have a deployment of the group under way for as long as the block runs."""
    end = threading.Event()

    def keep_on() -> None:
        running = ""
        while not end.wait(0.2):
            if not running or ended(world, running):
                running = deploy(world, group, NOWHERE)

    thread = threading.Thread(target=keep_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(10)


def _compare(
    ours: Server, calls: Calls, moto: Server, yardstick: Calls, *, rounds: int, seconds: float
) -> list[Result]:
    results: list[Result] = []
    for name, requests in calls.items():
        mine, theirs, took = [], [], []
        for _ in range(rounds):
            mine.append(rate(ours, requests, connections=8, seconds=seconds))
            if name in yardstick:
                theirs.append(rate(moto, yardstick[name], connections=8, seconds=seconds))
            took += latencies(ours, requests, a_second=A_SECOND, seconds=seconds)
        results += _results(name, mine, theirs, took)
    return results


def _results(name: str, mine: Sequence[float], theirs: Sequence[float], took: Sequence[float]) -> Iterator[Result]:
    cuts = statistics.quantiles(took, n=100)
    text = f"api: {name}: {median(mine):.0f} a second"
    if theirs:
        text += f", moto {median(theirs):.0f}, {median(mine) / median(theirs):.1f} times as many"
        yield Result(f"api {name}, throughput against moto", median(mine) / median(theirs), FASTER, at_least=True)
    say(f"{text}; at {A_SECOND} a second p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms")
    yield Result(f"api {name}, p99 in ms at {A_SECOND} a second", cuts[98] * 1000, SLOWEST * 1000)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """The command line."""
    parser = argparse.ArgumentParser(prog="api", description=__doc__)
    parser.add_argument("--deployments", type=int, default=10_000)
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args(arguments)
    if given.quick:
        return run(deployments=1000, targets=100, rounds=1, seconds=2.0)
    return run(deployments=given.deployments, targets=given.targets, rounds=given.rounds, seconds=given.seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
