"""Files of others that OVERWRITE replaced: a rollback gives them back where the group wants that, and not where it does
not, as the original."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import Deployment
from tests.services import wait_until
from tests.site import Site, write_revision

HOST = "web-1"
ROLLBACK = {"enabled": True, "events": ["DEPLOYMENT_FAILURE"]}
OWNER = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as site:
        for process in ("control", "watch"):
            site.start(process)
        site.register([HOST])
        site.agent(HOST)
        site.group("careless", config=ALL_AT_ONCE)
        site.group("by-hand", config=ALL_AT_ONCE, restore_overwritten=True)
        wait_until(lambda: all(site.world.store.seen([HOST])), "the agent's hello")
        yield site


def rolled_back(site: Site, folder: Path, group: str, theirs: Path) -> Deployment:
    """A deployment that replaces a file of others and fails after a good one of its group; its rollback."""
    good = site.deploy(write_revision(folder / "v1", {}, {f"{group}.txt": "v1"}), group=group)
    assert site.ended(good).status == "Succeeded"
    theirs.write_text("a user's")
    theirs.chmod(0o640)
    os.chown(theirs, *OWNER)
    look = f'cp "$SLIPWAY_ROOT/app/{theirs.name}" "{folder}/while-it-was-ours"; exit 1'
    bad = write_revision(folder / "v2", {"ValidateService": look}, {f"{group}.txt": "v2", theirs.name: "v2"})
    failed = site.ended(
        site.deploy(bad, group=group, file_exists_behavior="OVERWRITE", auto_rollback_configuration=ROLLBACK)
    )
    assert failed.status == "Failed"
    assert (folder / "while-it-was-ours").read_text() == "v2"
    assert failed.rollback_info is not None
    back = site.ended(failed.rollback_info.rollback_deployment_id or "")
    assert back.status == "Succeeded", back.error_information
    assert (site.root(HOST) / "app" / f"{group}.txt").read_text() == "v1"
    return back


def test_a_rollback_gives_others_their_file_back(site: Site, tmp_path: Path) -> None:
    options = ("--tag", "role=web", "--config", ALL_AT_ONCE, "--restore-overwritten", "--json")
    made = json.loads(site.slipway("create-group", "app", "careful", *options).stdout)
    theirs = site.root(HOST) / "app" / "theirs.txt"
    back = rolled_back(site, tmp_path, "careful", theirs)
    status = theirs.stat()
    assert theirs.read_text() == "a user's"
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, *OWNER)
    records = site.state(HOST) / "deployment-instructions" / made["deploymentGroupId"]
    assert not (records / "kept").exists()
    assert "0 of others kept, 1 given back" in site.slipway("logs", back.deployment_id, HOST, "Install").stdout


def test_what_an_admin_puts_there_after_the_failure_stays(site: Site, tmp_path: Path) -> None:
    """What a script made of it is moved out of the way, and kept."""
    group = site.group("mended", config=ALL_AT_ONCE, restore_overwritten=True)
    app, records = site.root(HOST) / "app", site.state(HOST) / "deployment-instructions"
    mended, filled = app / "mended-by-hand.txt", app / "filled-in.txt"
    good = site.deploy(write_revision(tmp_path / "v1", {}, {"mended.txt": "v1"}), group="mended")
    assert site.ended(good).status == "Succeeded"
    for theirs in (mended, filled):
        theirs.write_text("a user's")
    fill = 'echo "filled in" >>"$SLIPWAY_ROOT/app/filled-in.txt"'
    hooks = {"AfterInstall": fill, "ValidateService": "exit 1"}
    bad = write_revision(tmp_path / "v2", hooks, {"mended.txt": "v2", mended.name: "v2", filled.name: "v2"})
    assert site.ended(site.deploy(bad, group="mended", file_exists_behavior="OVERWRITE")).status == "Failed"
    mended.write_text("an admin's")
    back = json.loads(site.slipway("rollback", "app/mended", "--json").stdout)["deploymentId"]
    assert site.ended(back).status == "Succeeded"
    assert (mended.read_text(), filled.read_text()) == ("an admin's", "a user's")
    (kept,) = records.glob(f"{group}/rescued-*/*")
    assert kept.read_text() == "v2filled in\n"
    log = site.slipway("logs", back, HOST, "Install").stdout
    assert "not given back: /app/mended-by-hand.txt (something else lies there by now)" in log
    assert f"what lay there is kept: /app/filled-in.txt as {kept}" in log


def test_without_the_option_it_is_lost_as_with_the_original(site: Site, tmp_path: Path) -> None:
    theirs = site.root(HOST) / "app" / "lost.txt"
    rolled_back(site, tmp_path, "careless", theirs)
    assert not theirs.exists()


def test_back_by_command_over_deployments_that_succeeded(site: Site, tmp_path: Path) -> None:
    theirs = site.root(HOST) / "app" / "theirs-too.txt"
    ids = []
    for version in ("v1", "v2", "v3"):
        if version == "v2":
            theirs.write_text("a user's")
        files = {"by-hand.txt": version} | ({} if version == "v1" else {theirs.name: version})
        revision = write_revision(tmp_path / version, {}, files)
        ids.append(site.deploy(revision, group="by-hand", file_exists_behavior="OVERWRITE"))
        assert site.ended(ids[-1]).status == "Succeeded"
    site.slipway("rollback", "app/by-hand", "--to", ids[0], "--watch")
    assert theirs.read_text() == "a user's"
