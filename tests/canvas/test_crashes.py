"""Control dies between writing to the store and sending the message: what was lost is worked out again, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import DeploymentStatus
from domain.groups import Busy
from domain.happenings import TERMINAL
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2")
LIMIT = 40.0


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        running.start("watch")
        running.register(HOSTS)
        for host in HOSTS:
            running.agent(host)
        yield running


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("RedisStore.claim after 1", id="begin has its lease"),
        pytest.param("RedisStore.lay_out after 1", id="targets are laid out"),
        pytest.param("RedisStore.advance after 1", id="a host is taken"),
        pytest.param("RedisStore.advance after 3", id="a host is concluded"),
        pytest.param("RedisDirectory.change after 2", id="the group knows the verdict"),
        pytest.param("RedisStore.change after 2", id="the verdict is written"),
    ],
)
def test_control_dies_and_the_deployments_go_on(site: Site, tmp_path: Path, point: str) -> None:
    name = "-".join(point.split()).replace(".", "-")
    site.group(name, config=ALL_AT_ONCE, busy=Busy.QUEUE)
    mark = f'echo {name} "$DEPLOYMENT_ID" >>"$SLIPWAY_ROOT/ran-{name}"'
    revision = write_revision(tmp_path / "v1", {"ApplicationStart": mark}, {f"{name}.txt": "1"})
    dying = site.start("control", *point.split(), "control", module="tests.crashing")
    first = site.deploy(revision, group=name)
    second = site.deploy(revision, group=name)
    wait_until(lambda: dying.poll() is not None, f"the end of control at {point}", limit=LIMIT)
    site.kill("control")
    site.start("control")
    try:
        for each in (first, second):
            assert site.ended(each, limit=LIMIT).status is DeploymentStatus.SUCCEEDED
        for host in HOSTS:
            ran = (site.root(host) / f"ran-{name}").read_text().splitlines()
            assert ran == [f"{name} {first}", f"{name} {second}"]
        group = site.held_group(name)
        assert group is not None
        for last in (group.last_attempted_deployment, group.last_successful_deployment):
            assert last is not None
            assert (last.deployment_id, last.status) == (second, DeploymentStatus.SUCCEEDED)
        assert group.target_revision is not None
        assert site.world.store.running(group.deployment_group_id) is None
        wait_until(site.all_told, "all to be told")
        history = [h for _, h in site.world.store.history(limit=5000)]
        for each in (first, second):
            assert len({h.event_id for h in history if h.deployment_id == each and h.type in TERMINAL}) == 1
    finally:
        site.end("control")
