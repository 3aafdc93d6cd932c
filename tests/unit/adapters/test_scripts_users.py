"""Scripts that run as another user: by `su`, by `sudo`, or not at all."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.host.scripts import ScriptLimits
from domain.appspec import Script
from domain.reports import ErrorCode
from tests.unit.adapters.script_site import ScriptSite

AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("su") is None, reason="runas another user: only root with su can"
)
OTHER = "nobody" if os.geteuid() == 0 else "root"


@pytest.fixture
def site() -> Iterator[ScriptSite]:
    """A site that other users may enter, as pytest's own folders are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        site = ScriptSite(Path(folder))
        site.work.chmod(0o777)
        yield site
        site.kill_all()


def fake(site: ScriptSite, *programs: str) -> dict[str, str]:
    """A PATH whose `su` and `sudo` print their arguments instead."""
    folder = site.work / "bin"
    folder.mkdir()
    for program in programs:
        (folder / program).write_text(f"#!/bin/sh\nprintf '{program}'; printf '<%s>' \"$@\"\n")
        (folder / program).chmod(0o755)
    return {"PATH": f"{folder}:{site.environment['PATH']}"}


@pytest.mark.parametrize("user", ["no-such-user", "", "-c", "0", "ro\0ot", "\ud800", "nobody -c id"])
def test_an_unknown_user(site: ScriptSite, user: str) -> None:
    site.script("x.sh", "touch $WORK/ran")
    trouble = site.fail(Script(location="x.sh", runas=user))
    assert trouble.error_code is ErrorCode.SCRIPT_FAILED
    assert "run as user " in trouble.message
    assert "no such user" in trouble.message
    trouble.model_dump_json()
    assert not (site.work / "ran").exists()


@AS_ROOT
def test_another_user(site: ScriptSite) -> None:
    name = site.script("a b;$(id).sh", "id -un; echo $LIFECYCLE_EVENT; echo to stderr > /dev/stderr; exit 9")
    trouble = site.fail(Script(location=name, runas="nobody"), environment={"LIFECYCLE_EVENT": "AfterInstall"})
    assert trouble.message == "script a b;$(id).sh run as user nobody failed with exit code 9"
    assert site.output() == ["nobody", "AfterInstall"]
    assert site.output("stderr") == ["to stderr"]


@AS_ROOT
def test_another_users_processes_are_ended_as_well(site: ScriptSite) -> None:
    site.script("x.sh", "trap '' TERM; (trap '' TERM; sleep 600; sleep 600) & while :; do sleep 60; done")
    trouble = site.fail(Script(location="x.sh", runas="nobody", timeout=1), limits=ScriptLimits(grace=0.2))
    assert trouble.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert "all it had started" in trouble.message
    assert not site.running()


def test_oneself_needs_no_su(site: ScriptSite) -> None:
    site.script("x.sh", "echo $PATH")
    me = Script(location="x.sh", runas=pwd.getpwuid(os.geteuid()).pw_name, sudo=True)
    assert site.run(me, environment={"PATH": "/empty"}) is None
    assert site.output() == ["/empty"]


def test_sudo_gets_the_path_as_one_argument(site: ScriptSite) -> None:
    site.script("a b.sh", "exit 1")
    assert site.run(Script(location="a b.sh", sudo=True), environment=fake(site, "sudo")) is None
    assert site.output() == [f"sudo<{site.archive}/a b.sh>"]


def test_su_gets_the_path_quoted(site: ScriptSite) -> None:
    site.script("a b.sh", "exit 1")
    path = fake(site, "su", "sudo")
    assert site.run(Script(location="a b.sh", runas=OTHER), environment=path) is None
    assert site.run(Script(location="a b.sh", runas=OTHER, sudo=True), environment=path) is None
    plain, with_sudo = site.output()
    assert plain.startswith("su<")
    assert plain.endswith(f"<{OTHER}><-c><'{site.archive}/a b.sh'>")
    assert with_sudo == f"sudo<su>{plain.removeprefix('su')}"


@pytest.mark.skipif(os.geteuid() != 0, reason="sudo: only root can go without it")
def test_root_does_without_a_sudo_that_is_not_there(site: ScriptSite) -> None:
    site.script("x.sh", "echo $PATH")
    assert site.run(Script(location="x.sh", sudo=True), environment={"PATH": "/empty"}) is None
    assert site.output() == ["/empty"]


def test_a_missing_su_is_said(site: ScriptSite) -> None:
    site.script("x.sh", "exit 0")
    trouble = site.fail(Script(location="x.sh", runas=OTHER), environment={"PATH": "/empty"})
    assert trouble.message.endswith("could not be started: su is not on this host")
