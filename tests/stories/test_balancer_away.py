"""A load balancer that does not answer when a deployment is to begin, with real processes: what boto3 and
`slipway status` tell of it, and how it ends. The balancer's side of the conversation is played."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from threading import Thread
from typing import Any

import pytest

from tests.services import wait_until
from tests.site import Site, write_revision
from tests.stories.api_process import api_site, boto, make_key

BALANCED: dict[str, Any] = {
    "deployment_style": {"deploymentOption": "WITH_TRAFFIC_CONTROL"},
    "load_balancer_info": {"elbInfoList": [{"name": "web"}]},
}
PATIENCE = 4
"""Seconds, of the group that soon gives up."""


@dataclass
class Scene:
    site: Site
    client: Any
    socket: Path
    """Where HAProxy would listen."""
    revision: Path

    def info(self, deployment_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found

    def told(self, deployment_id: str) -> str:
        """The one message of a deployment that waits."""
        found = wait_until(lambda: self.info(deployment_id).get("deploymentStatusMessages"), "a word of the balancer")
        assert self.info(deployment_id)["status"] == "Created"
        (text,) = found
        return str(text)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    socket = folder / "haproxy.sock"
    balancers = json.dumps({"web": {"kind": "haproxy", "address": str(socket), "backend": "web"}})
    with api_site(SLIPWAY_LOAD_BALANCERS=balancers) as (site, url), boto(url, make_key(site)) as client:
        for process in ("control", "watch"):
            site.start(process)
        site.register(["web-1"])
        site.group("patient", **BALANCED)
        site.group("impatient", event_seconds=PATIENCE, **BALANCED)
        yield Scene(site, client, socket, write_revision(folder / "v1", {}))


class _EmptyBackend(StreamRequestHandler):
    """HAProxy with a backend that has no servers."""

    def handle(self) -> None:
        self.rfile.readline()
        self.wfile.write(b"1\n# be_id be_name srv_id srv_name\n\n")


@contextmanager
def listening(socket: Path) -> Iterator[None]:
    with ThreadingUnixStreamServer(str(socket), _EmptyBackend) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_it_waits_with_a_word_and_begins_once_the_balancer_answers(scene: Scene) -> None:
    deployment = scene.site.deploy(scene.revision, group="patient")
    text = scene.told(deployment)
    assert "waits for the load balancer 'web', which has not answered since" in text
    assert str(scene.socket) in text
    shown = " ".join(scene.site.slipway("status", deployment, COLUMNS="200").stdout.split())
    assert "waits for the load balancer 'web'" in shown
    with listening(scene.socket):
        wait_until(lambda: scene.info(deployment)["status"] == "InProgress", "the beginning", limit=20)
    assert "deploymentStatusMessages" not in scene.info(deployment)
    scene.client.stop_deployment(deploymentId=deployment)


def test_after_the_time_of_one_event_it_fails_and_the_group_is_free(scene: Scene) -> None:
    scene.socket.unlink(missing_ok=True)
    deployment = scene.site.deploy(scene.revision, group="impatient")
    scene.told(deployment)
    scene.site.ended(deployment, limit=20)
    info = scene.info(deployment)
    assert (info["status"], info["errorInformation"]["code"]) == ("Failed", "ELASTIC_LOAD_BALANCING_INVALID")
    assert "the load balancer 'web' has not answered since" in info["errorInformation"]["message"]
    assert f" {PATIENCE} seconds" in info["errorInformation"]["message"]
    assert info["completeTime"].timestamp() - info["createTime"].timestamp() >= PATIENCE
    assert "deploymentStatusMessages" not in info
    assert scene.site.deploy(scene.revision, group="impatient")
