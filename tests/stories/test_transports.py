"""The same installation over TCP with a password, with TLS and without: control, watch, trigger, agent and commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from adapters.store.connection import plain
from domain.deployments import DeploymentStatus
from tests.services import require
from tests.site import Site, wait_until, write_revision
from tests.tls import has_tls, make_authority, make_certificate, redis_on_port

PASSWORD = "p@ss/word:1"
IN_URL = "p%40ss%2Fword%3A1"


@pytest.fixture(scope="module", params=["tls", "plain"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("redis")
    tls, options = request.param == "tls", ""
    if tls:
        require(has_tls(), "redis-server with TLS")
        options = f"?ssl_ca_certs={make_authority(folder)}&ssl_cert_reqs=required"
        make_certificate(folder)
    with redis_on_port(folder, password=PASSWORD, tls=tls) as port:
        url = f"{'rediss' if tls else 'redis'}://:{IN_URL}@127.0.0.1:{port}/0{options}"
        with Site(SLIPWAY_STORE__URL=url) as running:
            for process in ("control", "watch", "trigger"):
                running.start(process)
            running.register(["web-1"])
            running.agent("web-1")
            running.group()
            wait_until(lambda: all(running.world.store.seen(["web-1"])), "the agent's hello")
            yield running


def test_a_command_deploys(site: Site, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v1", {"ValidateService": "true"})
    done = site.slipway("deploy", str(revision), "--group", "app/web", "--in-place-source", "--watch")
    assert "Succeeded" in done.stdout
    assert (site.root("web-1") / "app" / "version.txt").read_text() == "v1"


def test_a_message_deploys(site: Site, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v2", {"ValidateService": "true"})
    location = {"path": str(revision), "bundleType": "directory"}
    request = {
        "applicationName": "app",
        "deploymentGroupName": "web",
        "revision": {"revisionType": "Local", "localLocation": location},
        "replyTo": "answers",
    }
    with redis.Redis.from_url(plain(site.settings.broker_url)) as broker:
        broker.lpush("slipway.trigger", json.dumps(request))
        answer = broker.brpop(["answers"], timeout=30)
    assert isinstance(answer, list | tuple)
    assert site.ended(json.loads(answer[1])["deploymentId"]).status is DeploymentStatus.SUCCEEDED


def test_a_stop_reaches_the_agent(site: Site, tmp_path: Path) -> None:
    script = f'touch "{tmp_path}/begun"; sleep 60'
    deployment_id = site.deploy(write_revision(tmp_path / "v3", {"ApplicationStart": script}))
    wait_until((tmp_path / "begun").exists, "the hook")
    site.slipway("stop", deployment_id, "--now")
    assert site.ended(deployment_id, limit=20).status is DeploymentStatus.STOPPED


def test_nothing_shows_the_password(site: Site) -> None:
    doctor = site.slipway("doctor", check=False)
    shown = doctor.stdout + doctor.stderr + "".join(log.read_text() for log in site.home.glob("*.log"))
    assert "store: redis" in shown
    assert PASSWORD not in shown
    assert IN_URL not in shown


def test_whoever_cannot_prove_itself_is_refused(site: Site, tmp_path: Path) -> None:
    url, _, options = site.settings.store_url.partition("?")
    if options:
        wrong, reason = f"{url}?ssl_ca_certs={make_authority(tmp_path)}", "certificate verify failed"
    else:
        wrong, reason = url.replace(IN_URL, "guessed"), "invalid username-password pair"
    refused = site.slipway("list", check=False, SLIPWAY_STORE__URL=wrong)
    assert refused.returncode == 3
    assert reason in refused.stderr
    assert IN_URL not in refused.stderr
