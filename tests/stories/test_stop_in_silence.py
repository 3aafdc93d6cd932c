"""A stop while an agent is cut off that may have begun an event: its host counts as touched, whatever it has told."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from domain.configs import ALL_AT_ONCE
from tests.services import wait_until
from tests.site import write_revision
from tests.stories.api_process import api_site, boto, ended, events, make_key, targets

HOSTS = ("web-1", "web-2")
LIMITS = {"pickup_seconds": 30, "nudge_seconds": 1, "silence_seconds": 4}
WISH = {"enabled": True, "events": ["DEPLOYMENT_STOP_ON_REQUEST"]}


def hooks(folder: Path) -> dict[str, str]:
    """Scripts that end and begin a service; where told so, the first suspends its agent before that has told of it."""
    name = 'host=$(basename "$(dirname "$SLIPWAY_ROOT")")'
    cut = f'[ -e "{folder}/cut-$host" ] && kill -STOP "$(cat "{folder}/pid-$host")"'
    return {
        "ApplicationStop": f'{name}\nrm -f "{folder}/serves-$host"\n{cut}\ntouch "{folder}/stopped-$host"',
        "ApplicationStart": f'{name}\ntouch "{folder}/serves-$host"',
    }


def test_a_host_whose_agent_fell_silent_before_a_stop_is_rolled_back_too(tmp_path: Path) -> None:
    with api_site(limits=LIMITS) as (site, url), boto(url, make_key(site)) as client:
        for name in ("control", "watch"):
            site.start(name)
        site.register(HOSTS)
        for host in HOSTS:
            (tmp_path / f"pid-{host}").write_text(str(site.agent(host).pid))
        site.group("web", config=ALL_AT_ONCE, auto_rollback_configuration=WISH)
        wait_until(lambda: all(site.world.store.seen(HOSTS)), "the agents' hello")
        first = ended(client, site.deploy(write_revision(tmp_path / "v1", hooks(tmp_path)), group="web"))
        assert first["status"] == "Succeeded"
        (tmp_path / "cut-web-1").touch()
        deployment_id = site.deploy(write_revision(tmp_path / "v2", hooks(tmp_path)), group="web")
        wait_until((tmp_path / "stopped-web-1").exists, "the hook of the first host")
        client.stop_deployment(deploymentId=deployment_id)
        over = ended(client, deployment_id)
        (tmp_path / "cut-web-1").unlink()
        os.kill(int((tmp_path / "pid-web-1").read_text()), signal.SIGCONT)
        assert (over["status"], over["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
        silent = targets(client, deployment_id)["web-1"]
        assert silent["status"] == "Failed"
        told = events(silent)
        assert (told.pop("ApplicationStop"), set(told.values())) == ("Failed", {"Skipped"})
        message = silent["lifecycleEvents"][0]["diagnostics"]["message"]
        assert re.fullmatch(r"The agent has not answered since .* \(\d+ seconds ago\), .*\.", message)
        back = over["rollbackInfo"]["rollbackDeploymentId"]
        assert ended(client, back)["status"] == "Succeeded"
        assert "web-1" in targets(client, back)
        assert all((tmp_path / f"serves-{host}").exists() for host in HOSTS)
