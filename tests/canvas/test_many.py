"""Several of everything at once: four control processes, two watches, two triggers; each hook still runs once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from adapters.store.connection import plain
from domain.configs import HALF_AT_A_TIME
from domain.deployments import DeploymentStatus
from domain.groups import Busy
from domain.happenings import TERMINAL
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2")
GROUPS = ("red", "green", "blue")
EACH = 3


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as running:
        for number in range(4):
            running.start(f"control-{number}", "control", "--name", f"control-{number}@here")
        for process in ("watch", "trigger"):
            for number in range(2):
                running.start(f"{process}-{number}", process)
        running.register(HOSTS)
        for host in HOSTS:
            running.agent(host)
        wait_until(lambda: all(running.world.store.seen(HOSTS)), "the agents' hello")
        yield running


def test_every_request_makes_one_deployment_and_every_hook_runs_once(site: Site, tmp_path: Path) -> None:
    with redis.Redis.from_url(plain(site.settings.broker_url), decode_responses=True) as broker:
        for group in GROUPS:
            site.group(group, config=HALF_AT_A_TIME, busy=Busy.QUEUE)
            mark = f'echo "$LIFECYCLE_EVENT $DEPLOYMENT_ID" >>"$SLIPWAY_ROOT/ran-{group}"'
            revision = write_revision(tmp_path / group, dict.fromkeys(("AfterInstall", "ValidateService"), mark))
            spec = revision / "appspec.yml"
            spec.write_text(spec.read_text().replace("/app", f"/app-{group}"))
            location = {"path": str(revision), "bundleType": "directory"}
            for number in range(EACH):
                message = {
                    "applicationName": "app",
                    "deploymentGroupName": group,
                    "revision": {"revisionType": "Local", "localLocation": location},
                    "messageId": f"{group}-{number}",
                }
                # Each request comes twice, as with a producer that is not sure.
                broker.lpush("slipway.trigger", json.dumps(message), json.dumps(message))
        wait_until(lambda: len(site.world.store.recent()) == len(GROUPS) * EACH, "the deployments")
    for _, each in site.world.store.recent():
        assert site.ended(each).status is DeploymentStatus.SUCCEEDED
    for group in GROUPS:
        held = site.held_group(group)
        assert held is not None
        mine = [each for _, each in site.world.store.recent(group_id=held.deployment_group_id)]
        assert len(mine) == EACH
        for host in HOSTS:
            ran = (site.root(host) / f"ran-{group}").read_text().splitlines()
            assert sorted(ran) == sorted(
                f"{event} {each}" for event in ("AfterInstall", "ValidateService") for each in mine
            )
    wait_until(site.all_told, "all to be told")
    ends = [h.deployment_id for _, h in site.world.store.history(limit=5000) if h.type in TERMINAL]
    assert sorted(set(ends)) == sorted(each for _, each in site.world.store.recent())
