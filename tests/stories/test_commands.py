"""The commands as a person uses them, on a real installation with real hosts and the built-in bundle store."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from cli.main import COMMANDS, cli
from domain.groups import group_name
from tests.services import free_port
from tests.site import Site, wait_until, write_revision

HOSTS = ("web-1", "web-2")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    port = str(free_port())
    with Site(
        SLIPWAY_BUNDLES__PORT=port,
        SLIPWAY_BUNDLES__BASE_URL=f"http://127.0.0.1:{port}",
        SLIPWAY_AGENT__LOCAL_REVISIONS="false",
    ) as running:
        for process in ("control", "watch", "bundles"):
            running.start(process)
        running.slipway("create-application", "shop")
        for host in HOSTS:
            running.slipway("register", host, "--tag", "role=web")
            running.agent(host)
        running.slipway("create-group", "shop", "live", "--tag", "role=web", "--config", "CodeDeployDefault.AllAtOnce")
        wait_until(lambda: all(running.world.store.seen(HOSTS)), "the agents' hello")
        wait_until(lambda: running.slipway("doctor", check=False).returncode == 0, "a healthy doctor")
        yield running


def deployed(site: Site, source: Path, *options: str) -> str:
    """Deploy and wait; the deployment's id."""
    done = site.slipway("deploy", str(source), "--group", "shop/live", "--watch", "--json", *options)
    info = json.loads(done.stdout)["deploymentInfo"]
    assert info["status"] == "Succeeded"
    return str(info["deploymentId"])


def test_a_directory_and_archives_reach_every_host(site: Site, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v1", {"ValidateService": "echo all is well"})
    deployed(site, revision)
    for host in HOSTS:
        assert (site.root(host) / "app" / "version.txt").read_text() == "v1"
    revision = write_revision(tmp_path / "v2", {"ValidateService": "true"})
    bundle = tmp_path / "v2.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        for path in sorted(revision.rglob("*")):
            archive.write(path, path.relative_to(revision))
    deployed(site, bundle)
    assert (site.root("web-2") / "app" / "version.txt").read_text() == "v2"


def test_status_list_logs_and_events_tell_the_story(site: Site, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "told", {"ApplicationStart": "echo hello; echo careful >&2"})
    deployment_id = deployed(site, revision, "--description", "a story")
    shown = json.loads(site.slipway("status", deployment_id, "--json").stdout)
    assert shown["deploymentInfo"]["deploymentOverview"]["Succeeded"] == 2
    assert {target["status"] for target in shown["targets"]} == {"Succeeded"}
    assert [event["status"] for event in shown["targets"][0]["lifecycleEvents"]] == ["Succeeded"] * 7
    assert deployment_id in site.slipway("list").stdout
    assert json.loads(site.slipway("list", "--json", "--group", "shop/live").stdout)[0]["deploymentId"] == deployment_id

    def log() -> str:
        return site.slipway("logs", deployment_id, "web-1", "ApplicationStart").stdout

    wait_until(lambda: "[stderr]careful" in log(), "the log in the control plane")
    assert "Script - scripts/ApplicationStart.sh" in log()
    assert "[stdout]hello" in log()
    on_host = next(site.state("web-1").glob(f"deployments/*/{deployment_id}/logs/scripts.log")).read_text()
    assert "[stdout]hello" in on_host

    def told() -> list[str]:
        lines = site.slipway("events", "--json", "--deployment", deployment_id).stdout.splitlines()
        return [json.loads(line)["type"] for line in lines]

    wait_until(lambda: "DeploymentSuccess" in told(), "the terminal event")
    assert sorted(told()) == sorted(["DeploymentStart", *["InstanceStart", "InstanceSuccess"] * 2, "DeploymentSuccess"])


def test_a_failing_script_is_shown_with_its_last_lines(site: Site, tmp_path: Path) -> None:
    script = 'echo "about to check"; echo "port 8080 is closed" >&2; exit 3'
    revision = write_revision(tmp_path / "bad", {"ValidateService": script})
    done = site.slipway("deploy", str(revision), "--group", "shop/live", "--watch", check=False)
    assert done.returncode == 1
    assert "HEALTH_CONSTRAINTS" in done.stdout
    assert "port 8080 is closed" in done.stdout
    assert "exit code 3" in done.stdout
    assert "Last successful deployment" in " ".join(done.stdout.split())


def test_what_is_ours_of_a_group_can_be_changed_and_the_rest_stays(site: Site, tmp_path: Path) -> None:
    def change(*options: str) -> dict[str, Any]:
        held: dict[str, Any] = json.loads(site.slipway("update-group", "shop", "changing", "--json", *options).stdout)
        return held

    site.slipway("create-group", "shop", "changing", "--tag", "role=web", "--config", "CodeDeployDefault.AllAtOnce")
    shown = {"busy": "REFUSE", "eventSeconds": None, "appspecFilename": None, "restoreOverwritten": False}
    assert change() == shown
    assert change("--event-seconds", "1") == {**shown, "eventSeconds": 1}
    revision = write_revision(tmp_path / "long", {"BeforeInstall": "sleep 600"})
    done = site.slipway("deploy", str(revision), "--group", "shop/changing", "--watch", check=False)
    assert "may take in this deployment group" in " ".join(done.stdout.split())
    changed = {"busy": "QUEUE", "eventSeconds": 7200, "appspecFilename": "other.yml", "restoreOverwritten": True}
    options = ("--queue", "--event-seconds", "7200", "--appspec", "other.yml", "--restore-overwritten")
    assert change(*options) == changed
    assert change("--no-queue", "--no-restore-overwritten") == {
        **changed,
        "busy": "REFUSE",
        "restoreOverwritten": False,
    }
    said = site.slipway("update-group", "shop", "changing").stdout
    assert change("--event-seconds", "0")["eventSeconds"] is None
    assert said == (
        "shop/changing: 7200 s for an event; a second deployment is refused; AppSpec file other.yml; "
        "files that OVERWRITE replaced are left as they are by a rollback\n"
    )
    shop = site.world.store.applications.named("shop")
    assert shop is not None
    group = site.world.store.groups.named(group_name(shop.application_id, "changing"))
    assert group is not None
    assert group.deployment_config_name == "CodeDeployDefault.AllAtOnce"
    assert [each.key for each in group.on_premises_instance_tag_filters] == ["role"]


def test_a_deployment_to_no_hosts_says_why_it_failed(site: Site, tmp_path: Path) -> None:
    site.slipway("create-group", "shop", "nobody", "--tag", "role=nobody")
    revision = write_revision(tmp_path / "lost", {})
    done = site.slipway("deploy", str(revision), "--group", "shop/nobody", "--watch", check=False)
    assert done.returncode == 1
    assert done.stdout.count("NO_INSTANCES") == 1
    deployment_id = json.loads(site.slipway("list", "--json", "--group", "shop/nobody").stdout)[0]["deploymentId"]
    shown = " ".join(site.slipway("status", deployment_id).stdout.split())
    assert "Failed" in shown
    assert "NO_INSTANCES: The deployment failed because no instances were found" in shown


def test_lines_are_followed_while_the_script_runs(site: Site, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f'echo first; until [ -e "{go}" ]; do sleep 0.05; done; echo last'
    revision = write_revision(tmp_path / "slow", {"ApplicationStart": script})
    deployment_id = site.slipway("deploy", str(revision), "--group", "shop/live").stdout.strip()
    lines = site.slipway_lines("logs", deployment_id, "web-1", "--follow")
    for line in lines:
        if line == "[stdout]first":
            go.touch()
            break
    assert "[stdout]last" in list(lines)


def test_stop_ends_in_the_right_statuses(site: Site, tmp_path: Path) -> None:
    go = tmp_path / "go"
    script = f'until [ -e "{go}" ]; do sleep 0.05; done'
    revision = write_revision(tmp_path / "stopped", {"BeforeInstall": script, "ValidateService": "true"})
    deployment_id = site.slipway("deploy", str(revision), "--group", "shop/live").stdout.strip()
    wait_until(lambda: _running(site, deployment_id, "BeforeInstall"), "BeforeInstall")
    stopped = json.loads(site.slipway("stop", deployment_id, "--json").stdout)
    assert stopped["status"] == "Pending"
    shown = site.slipway("status", deployment_id).stdout
    assert "stopping: MANUAL_STOP: The deployment was stopped by request." in shown
    assert f"slipway stop {deployment_id} --now" in shown
    go.touch()
    deployment = site.ended(deployment_id)
    assert deployment.status == "Stopped"
    assert deployment.error_information is not None
    assert deployment.error_information.code == "MANUAL_STOP"
    target = json.loads(site.slipway("status", deployment_id, "--json").stdout)["targets"][0]
    statuses = [event["status"] for event in target["lifecycleEvents"]]
    assert statuses == ["Succeeded"] * 3 + ["Skipped"] * 4
    again = site.slipway("stop", deployment_id, "--json", check=False)
    assert again.returncode == 2
    assert json.loads(again.stderr)["error"]["code"] == "DeploymentAlreadyCompletedException"


def test_stop_now_ends_the_running_script(site: Site, tmp_path: Path) -> None:
    # A length of its own: others on this machine may run this very test.
    script = f"sleep 600.{os.getpid()}"
    revision = write_revision(tmp_path / "endless", {"BeforeInstall": script})
    deployment_id = site.slipway("deploy", str(revision), "--group", "shop/live").stdout.strip()
    wait_until(lambda: _running(site, deployment_id, "BeforeInstall"), "BeforeInstall")
    site.slipway("stop", deployment_id, "--now")
    assert site.ended(deployment_id, limit=30).status == "Stopped"
    assert subprocess.run(["pgrep", "-f", script], capture_output=True, check=False).returncode == 1


def _running(site: Site, deployment_id: str, event: str) -> bool:
    shown = json.loads(site.slipway("status", deployment_id, "--json").stdout)
    events = [e for target in shown["targets"] for e in target["lifecycleEvents"]]
    running = sum(e["lifecycleEventName"] == event and e["status"] == "InProgress" for e in events)
    return bool(running == len(HOSTS))


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        (["status", "d-NOTTHERE1"], 2, "No deployment has the id"),
        (["create-application", "shop"], 2, "exists already"),
        (["create-application", "no spaces please"], 2, "1 to 100 characters"),
        (["create-group", "nobody", "g", "--tag", "a=b"], 2, "No application found for name: nobody"),
        (["update-group", "shop", "nobody-made-it", "--queue"], 2, "No Deployment Group found"),
        (["update-group", "shop", "live", "--event-seconds", "9999999"], 2, "1 to 604800 seconds, not 9999999"),
        (["register", "web-1"], 2, "registered already"),
        (["deploy", "examples/webapp", "--group", "shop/none"], 2, "no deployment group none"),
        (["logs", "d-NOTTHERE1", "web-1"], 2, "No deployment has the id"),
        (["create-config", "most", "--fleet-percent", "100"], 2, "FLEET_PERCENT 0 to 99"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_wrong_call_says_what_is_wrong(site: Site, call: list[str], code: int, words: str) -> None:
    done = site.slipway(*call, check=False)
    assert done.returncode == code
    assert words in done.stderr


def test_without_a_store_the_commands_say_how_to_get_one(tmp_path: Path, site: Site) -> None:
    done = site.slipway("list", check=False, SLIPWAY_STORE__URL="", SLIPWAY_HOME=str(tmp_path))
    assert done.returncode == 3
    assert "slipway up" in done.stderr


def test_no_secret_reaches_logs_or_process_lists(site: Site) -> None:
    commands = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    logs = "".join(path.read_text(errors="replace") for path in site.home.glob("*.log"))
    for secret in ("signature=", "test-token", "test-key"):
        assert secret not in commands
        assert secret not in logs


def test_every_command_has_json_and_help() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for each in command.commands.values() if isinstance(command, click.Group) else (command,):
            assert each.help, name
            assert any("--json" in parameter.opts for parameter in each.params), name
