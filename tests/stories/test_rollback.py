"""Deployments that are rolled back: on failure, on request, by traffic that goes back to blue; through real clients."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.traffic.groups import BLUE, BLUE_GREEN, GREEN_HOSTS
from domain.configs import ALL_AT_ONCE, HALF_AT_A_TIME, ONE_AT_A_TIME
from tests.balanced import BalancedSite, balanced_site
from tests.services import wait_until
from tests.site import Site, write_revision
from tests.stories.api_process import api_settings, api_site, boto, ended, events, make_key, start_api, targets
from tests.stories.test_traffic import deploy, fresh_version, load_on, nothing_was_lost, serve_everywhere

HOSTS = ("web-1", "web-2", "web-3", "web-4")
ROLLBACK = {
    "enabled": True,
    "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST"],
}


@contextlib.contextmanager
def client_of(site: Site) -> Iterator[Any]:
    """boto3's client for an installation whose API is not up yet."""
    with boto(start_api(site), make_key(site)) as client:
        yield client


@pytest.fixture(scope="module")
def here() -> Iterator[tuple[Site, Any]]:
    with api_site(limits={"pickup_seconds": 8}) as (site, url), boto(url, make_key(site)) as client:
        site.start("control")
        site.start("watch")
        site.register(HOSTS)
        for host in HOSTS:
            site.agent(host)
        wait_until(lambda: all(site.world.store.seen(HOSTS)), "the agents' hello")
        yield site, client


def on_disk(site: Site) -> dict[str, str]:
    return {host: (site.root(host) / "app" / "version.txt").read_text() for host in HOSTS}


def counted(site: Site) -> dict[str, float]:
    """How many rollbacks the metrics count, by the status in which they ended."""
    text = httpx.get(f"http://127.0.0.1:{site.settings.api.port}/metrics").text
    found = re.findall(r'^slipway_rollbacks_total\{status="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {status: float(count) for status, count in found}


def rollbacks(client: Any) -> dict[str, int]:
    """How many there have been in this installation."""
    ids = (each for page in client.get_paginator("list_deployments").paginate() for each in page["deployments"])
    found = [client.get_deployment(deploymentId=each)["deploymentInfo"] for each in ids]
    return dict(Counter(each["status"] for each in found if each["creator"] == "codeDeployRollback"))


def test_rollbacks_are_counted_by_their_last_status(here: tuple[Site, Any], tmp_path: Path) -> None:
    """One that succeeds, and one that fails as what it rolls back did; neither of those two counts."""
    site, client = here
    site.group("counted", config=ALL_AT_ONCE, auto_rollback_configuration=ROLLBACK)
    gate = tmp_path / "shut"
    for version, hooks in (("v1", {"BeforeInstall": f'test ! -e "{gate}"'}), ("v2", {"ValidateService": "exit 1"})):
        write_revision(tmp_path / version, hooks, {"counted.txt": version})
    assert ended(client, site.deploy(tmp_path / "v1", group="counted"))["status"] == "Succeeded"
    for outcome in ("Succeeded", "Failed"):
        failed = ended(client, site.deploy(tmp_path / "v2", group="counted"))
        assert ended(client, failed["rollbackInfo"]["rollbackDeploymentId"])["status"] == outcome
        gate.touch()
    expected = rollbacks(client)
    assert expected.keys() >= {"Succeeded", "Failed"}
    wait_until(lambda: counted(site) == expected, f"the metrics to count {expected}", limit=10)


def test_a_failure_with_half_at_a_time_is_rolled_back_where_it_was_felt(here: tuple[Site, Any], tmp_path: Path) -> None:
    site, client = here
    site.group("failing", config=HALF_AT_A_TIME, auto_rollback_configuration=ROLLBACK)
    good = ended(client, site.deploy(write_revision(tmp_path / "v1", {}), group="failing"))
    assert good["status"] == "Succeeded"
    # It fails on the second host: two of four may be lost, and the third is never begun.
    bad = write_revision(tmp_path / "v2", {"ValidateService": 'case "$SLIPWAY_ROOT" in */web-[12]/*) exit 1;; esac'})
    deployment_id = site.deploy(bad, group="failing")
    failed = ended(client, deployment_id)
    assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
    info = failed["rollbackInfo"]
    back_id = info["rollbackDeploymentId"]
    assert info["rollbackMessage"] == (
        f"The deployment {deployment_id} ended as Failed; the deployment {back_id} rolls it back."
    )
    back = ended(client, back_id)
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert back["revision"] == good["revision"]
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == deployment_id
    assert "rollbackDeploymentId" not in back["rollbackInfo"]
    touched = {name for name, target in targets(client, deployment_id).items() if target["status"] != "Skipped"}
    assert touched == {"web-1", "web-2"}
    assert set(targets(client, back_id)) == touched
    assert set(on_disk(site).values()) == {"v1"}
    group = client.get_deployment_group(applicationName="app", deploymentGroupName="failing")["deploymentGroupInfo"]
    assert group["lastSuccessfulDeployment"]["deploymentId"] == back_id
    assert group["targetRevision"] == good["revision"]


BLOCK = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
INTO = ("ApplicationStop", "DownloadBundle", "BeforeInstall")
ON = ("Install", "AfterInstall", "ApplicationStart", "ValidateService")
OUT = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")


def test_what_does_not_validate_is_taken_back_and_no_request_hears_of_it() -> None:
    """HalfAtATime behind HAProxy: both hosts of the first half fail ValidateService and end on the old version."""
    with balanced_site(HOSTS, event_seconds=20, **api_settings()) as web, client_of(web.site) as client:
        old = serve_everywhere(web)
        web.change_group({"autoRollbackConfiguration": ROLLBACK})
        new = fresh_version()
        web.version(new, broken=True)
        with load_on(web, last=old) as end:
            deployment_id = deploy(web, new, config=HALF_AT_A_TIME).deployment_id
            failed = ended(client, deployment_id)
            back_id = failed["rollbackInfo"]["rollbackDeploymentId"]
            back = ended(client, back_id)
            counts = end()
        nothing_was_lost(counts)
        assert set(counts.versions) == {old}

        assert (failed["status"], failed["errorInformation"]["code"]) == ("Failed", "HEALTH_CONSTRAINTS")
        message = f"The deployment {deployment_id} ended as Failed; the deployment {back_id} rolls it back."
        assert failed["rollbackInfo"] == {"rollbackDeploymentId": back_id, "rollbackMessage": message}
        assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
        assert back["rollbackInfo"] == {"rollbackTriggeringDeploymentId": deployment_id, "rollbackMessage": message}

        told = targets(client, deployment_id)
        spoiled = (
            dict.fromkeys((*BLOCK, *INTO, *ON[:-1]), "Succeeded") | {ON[-1]: "Failed"} | dict.fromkeys(OUT, "Skipped")
        )
        halves = {"Failed": spoiled, "Skipped": dict.fromkeys(spoiled, "Skipped")}
        assert sorted(target["status"] for target in told.values()) == ["Failed", "Failed", "Skipped", "Skipped"]
        assert all(events(target) == halves[target["status"]] for target in told.values())
        returned = targets(client, back_id)
        assert set(returned) == {host for host, target in told.items() if target["status"] == "Failed"}
        assert all(set(events(target).values()) == {"Succeeded"} for target in returned.values())

        for server in web.balancer.servers:
            release = web.site.root(server.name) / "srv" / "webapp" / "release.json"
            assert json.loads(release.read_text())["version"] == old
            assert httpx.get(f"http://127.0.0.1:{server.port}/").json() == {"version": old, "host": server.name}


def test_one_host_that_is_away_keeps_no_other_from_the_good_revision(here: tuple[Site, Any], tmp_path: Path) -> None:
    """OneAtATime, the third of four: the two before it return, it and the fourth have the good revision still."""
    site, client = here
    site.group("one-away", config=ONE_AT_A_TIME, auto_rollback_configuration=ROLLBACK)
    file = "one-away.txt"
    revisions = {version: write_revision(tmp_path / version, {}, {file: version}) for version in ("v1", "v2")}
    assert ended(client, site.deploy(revisions["v1"], group="one-away"))["status"] == "Succeeded"
    site.end("agent-web-3")
    try:
        deployment_id = site.deploy(revisions["v2"], group="one-away")
        failed = ended(client, deployment_id)
        assert [target["status"] for _, target in sorted(targets(client, deployment_id).items())] == [
            *("Succeeded", "Succeeded", "Failed", "Skipped")
        ]
        back_id = failed["rollbackInfo"]["rollbackDeploymentId"]
        assert ended(client, back_id)["status"] == "Succeeded"
        assert {name: target["status"] for name, target in targets(client, back_id).items()} == {
            "web-1": "Succeeded",
            "web-2": "Succeeded",
        }
    finally:
        site.agent("web-3")
        wait_until(lambda: site.world.store.seen(["web-3"])[0], "the agent's hello")
    assert {(site.root(host) / "app" / file).read_text() for host in HOSTS} == {"v1"}


def test_a_first_deployment_that_fails_says_that_there_is_no_way_back(here: tuple[Site, Any], tmp_path: Path) -> None:
    site, client = here
    site.group("first", config=ALL_AT_ONCE, auto_rollback_configuration=ROLLBACK)
    bad = write_revision(tmp_path / "v1", {"ApplicationStart": "exit 1"}, {"first.txt": "1"})
    failed = ended(client, site.deploy(bad, group="first"))
    assert failed["status"] == "Failed"
    assert "no earlier deployment" in failed["rollbackInfo"]["rollbackMessage"]
    assert site.world.store.active() == []


@pytest.mark.parametrize(("asked", "expected"), [(None, True), (False, False), (True, True)])
def test_whoever_stops_has_the_last_word(
    here: tuple[Site, Any], tmp_path: Path, asked: bool | None, expected: bool
) -> None:
    site, client = here
    name = f"stop-{asked}"
    site.group(name, config=ALL_AT_ONCE, auto_rollback_configuration=ROLLBACK)
    file = {f"{name}.txt": "1"}
    assert ended(client, site.deploy(write_revision(tmp_path / "v1", {}, file), group=name))["status"] == "Succeeded"
    gate = tmp_path / "go"
    hook = f'touch "{tmp_path}/in-$(basename "$(dirname "$SLIPWAY_ROOT")")"; until [ -e "{gate}" ]; do sleep 0.05; done'
    deployment_id = site.deploy(write_revision(tmp_path / "v2", {"ApplicationStart": hook}, file), group=name)
    wait_until(lambda: len(list(tmp_path.glob("in-*"))) == len(HOSTS), "the hooks")
    wish = {} if asked is None else {"autoRollbackEnabled": asked}
    assert client.stop_deployment(deploymentId=deployment_id, **wish)["status"] == "Pending"
    gate.touch()
    stopped = ended(client, deployment_id)
    assert (stopped["status"], stopped["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert ("rollbackInfo" in stopped) is expected
    if expected:
        assert ended(client, stopped["rollbackInfo"]["rollbackDeploymentId"])["status"] == "Succeeded"
    assert site.world.store.active() == []


def test_by_command_a_group_returns_to_the_revision_before(here: tuple[Site, Any], tmp_path: Path) -> None:
    site, client = here
    site.group("by-hand", config=ALL_AT_ONCE)
    ids = []
    for version in ("v1", "v2"):
        revision = write_revision(tmp_path / version, {}, {"by-hand.txt": version})
        ids.append(site.deploy(revision, group="by-hand"))
        assert ended(client, ids[-1])["status"] == "Succeeded"
    site.slipway("rollback", "app/by-hand", "--watch")
    assert {(site.root(host) / "app" / "by-hand.txt").read_text() for host in HOSTS} == {"v1"}
    site.slipway("rollback", "app/by-hand", "--to", ids[1], "--watch")
    assert {(site.root(host) / "app" / "by-hand.txt").read_text() for host in HOSTS} == {"v2"}
    refused = site.slipway("rollback", "app/by-hand", "--to", "d-NOBODY000", check=False)
    assert refused.returncode == 2
    assert "has no deployment d-NOBODY000" in refused.stderr


BLUE_KEEPS_TRAFFIC = (
    "Original instances could not be taken out of traffic; their targets say why. The replacement instances have "
    "traffic too: take the originals out at the load balancer, or shift back."
)
NOT_TAKEN = (
    r"The agent did not take this event within 20 seconds; it was last seen \d+ seconds ago\. "
    r"Check that the agent runs on the host and reaches the broker\."
)


def test_traffic_goes_back_to_blue_and_no_request_is_lost() -> None:
    blue, green = ("blue-1", "blue-2"), ("green-1", "green-2")
    with balanced_site(blue, green, event_seconds=8, **api_settings()) as web, client_of(web.site) as client:
        old = serve_everywhere(web)
        rollback = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
        web.change_group({**BLUE_GREEN, "autoRollbackConfiguration": rollback})
        # One blue host is gone for Slipway, so that it cannot be taken out of traffic: that fails the deployment.
        web.site.end("agent-blue-2")
        new = fresh_version()
        with load_on(web, last=old) as end:
            deployment_id = deploy(web, new, config=ALL_AT_ONCE, targets=GREEN_HOSTS).deployment_id
            failed = ended(client, deployment_id)
            web.site.agent("blue-2")
            back_id = failed["rollbackInfo"]["rollbackDeploymentId"]
            back = ended(client, back_id)
            counts = end()
        nothing_was_lost(counts)
        assert set(counts.versions) == {old, new}
        with load_on(web, last=old) as end:
            after = end()
        nothing_was_lost(after)
        assert set(after.hosts) == set(blue)

        message = f"The deployment {deployment_id} ended as Failed; the deployment {back_id} rolls it back."
        assert (failed["status"], failed["creator"]) == ("Failed", "user")
        assert failed["errorInformation"] == {"code": "HEALTH_CONSTRAINTS", "message": BLUE_KEEPS_TRAFFIC}
        assert failed["rollbackInfo"] == {"rollbackDeploymentId": back_id, "rollbackMessage": message}
        assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
        assert "errorInformation" not in back
        assert back["rollbackInfo"] == {"rollbackTriggeringDeploymentId": deployment_id, "rollbackMessage": message}

        stuck = ("Blue", "Failed", {**dict.fromkeys(BLOCK, "Skipped"), "BeforeBlockTraffic": "Failed"})
        moved = well("Green", *INTO, *ON, *OUT)
        assert shown(client, deployment_id) == {
            "blue-1": well("Blue", *BLOCK),
            "blue-2": stuck,
            **dict.fromkeys(green, moved),
        }
        first, *_ = targets(client, deployment_id)["blue-2"]["lifecycleEvents"]
        assert re.fullmatch(NOT_TAKEN, first["diagnostics"]["message"]), first
        returned = dict.fromkeys(blue, well("Blue", *OUT)) | dict.fromkeys(green, well("Green", *BLOCK))
        assert shown(client, back_id) == returned


Shown = tuple[str, str, dict[str, str]]


def shown(client: Any, deployment_id: str) -> dict[str, Shown]:
    """Each target's label, status and lifecycle events."""
    found = targets(client, deployment_id).items()
    return {host: (target["instanceLabel"], target["status"], events(target)) for host, target in found}


def well(label: str, *names: str) -> Shown:
    return label, "Succeeded", dict.fromkeys(names, "Succeeded")


def test_by_command_a_blue_green_group_returns_to_its_former_hosts() -> None:
    """KEEP_ALIVE left them running: the revision that they had is deployed to them, and they take over again."""
    with (
        balanced_site(("blue-1", "blue-2"), ("green-1", "green-2"), event_seconds=20, **api_settings()) as web,
        client_of(web.site) as client,
    ):
        serve_everywhere(web)
        web.change_group(BLUE_GREEN)
        good, later = fresh_version(), fresh_version()
        former = deploy(web, good, config=ALL_AT_ONCE, targets=GREEN_HOSTS)
        assert former.status == "Succeeded", former.error_information
        assert served(web) == {(good, "green-1"), (good, "green-2")}
        assert deploy(web, later, config=ALL_AT_ONCE, targets={"tagFilters": [BLUE]}).status == "Succeeded"
        assert served(web) == {(later, "blue-1"), (later, "blue-2")}

        refused = web.site.slipway("rollback", "app/web", check=False)
        assert refused.returncode == 2
        assert "--green KEY=VALUE or --green-environment NAME" in refused.stderr
        done = web.site.slipway("rollback", "app/web", "--green", "color=green", "--watch")
        assert f"returns to the revision of {former.deployment_id}: {web.folder / good}" in done.stderr

        names = {"applicationName": "app", "deploymentGroupName": "web"}
        group = client.get_deployment_group(**names)["deploymentGroupInfo"]
        back_id = group["lastSuccessfulDeployment"]["deploymentId"]
        assert back_id in done.stdout
        assert group["onPremisesInstanceTagFilters"] == GREEN_HOSTS["tagFilters"]
        back = ended(client, back_id)
        assert (back["status"], back["targetInstances"]["tagFilters"]) == ("Succeeded", GREEN_HOSTS["tagFilters"])
        assert back["revision"] == ended(client, former.deployment_id)["revision"]
        told = targets(client, back_id)
        assert {target["status"] for target in told.values()} == {"Succeeded"}
        labels = {host: target["instanceLabel"] for host, target in told.items()}
        assert labels == {"blue-1": "Blue", "blue-2": "Blue", "green-1": "Green", "green-2": "Green"}
        assert served(web) == {(good, "green-1"), (good, "green-2")}


def served(web: BalancedSite) -> set[tuple[str, str]]:
    """The version and the host of each of some answers of the balancer, who asks its hosts in turn."""
    answers = [httpx.get(f"http://127.0.0.1:{web.balancer.port}/").json() for _ in range(8)]
    return {(answer["version"], answer["host"]) for answer in answers}
