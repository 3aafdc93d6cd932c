"""Redis restarts again and again while deployments run: no worker ends or sleeps over it, and nothing runs twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import DeploymentStatus
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2", "web-3")
COUNTED = ("BeforeInstall", "AfterInstall", "ValidateService")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("control")
        running.start("watch")
        running.register(HOSTS)
        for host in HOSTS:
            running.agent(host)
        wait_until(lambda: all(running.world.store.seen(HOSTS)), "the agents' hello")
        running.group(config=ALL_AT_ONCE)
        yield running


def hooks_run(site: Site, host: str, deployment_id: str) -> list[str]:
    ran = site.root(host) / "ran"
    lines = ran.read_text().splitlines() if ran.exists() else []
    return [event for event, _, mine in (line.partition(" ") for line in lines) if mine == deployment_id]


def moments(site: Site, deployment_id: str) -> list[Callable[[], object]]:
    """What to wait for before each restart."""

    def taken() -> bool:
        progress = site.world.store.progress(deployment_id, 0)
        return progress is not None and progress.taken > 0

    return [lambda: True, taken, lambda: hooks_run(site, "web-1", deployment_id)]


@pytest.mark.parametrize("which", [0, 1, 2] * 3)
def test_a_restart_in_the_middle_fails_no_host(site: Site, tmp_path: Path, which: int) -> None:
    mark = 'echo "$LIFECYCLE_EVENT $DEPLOYMENT_ID" >>"$SLIPWAY_ROOT/ran"'
    before = {name: site.pid(name) for name in ("control", "watch", *(f"agent-{host}" for host in HOSTS))}
    deployment_id = site.deploy(write_revision(tmp_path / "v1", dict.fromkeys(COUNTED, mark)))
    wait_until(moments(site, deployment_id)[which], "the moment")
    site.redis.restart()
    assert site.ended(deployment_id, limit=40).status is DeploymentStatus.SUCCEEDED
    for host in HOSTS:
        assert hooks_run(site, host, deployment_id) == list(COUNTED), host
    for name, pid in before.items():
        assert Path(f"/proc/{pid}/cmdline").read_bytes(), f"{name} died"
