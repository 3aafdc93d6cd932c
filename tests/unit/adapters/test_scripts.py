"""Running real scripts: which file, with what around it, and what is said of one that fails."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.appspec import Script
from domain.reports import Diagnostics, ErrorCode
from tests.unit.adapters.script_site import ScriptSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ScriptSite]:
    site = ScriptSite(tmp_path)
    yield site
    left = site.running()
    site.kill_all()
    assert not left


def test_no_scripts_leave_no_log(site: ScriptSite) -> None:
    assert site.run() is None
    assert not site.log_path.exists()


def test_scripts_run_one_after_another(site: ScriptSite) -> None:
    site.script("first.sh", "echo first >> $WORK/order")
    site.script("scripts/second.sh", "echo second >> $WORK/order")
    assert site.run("first.sh", "scripts/second.sh") is None
    assert (site.work / "order").read_text() == "first\nsecond\n"


def test_the_first_failure_ends_the_event(site: ScriptSite) -> None:
    site.script("fails.sh", "echo out; echo err >&2; exit 3")
    site.script("never.sh", "touch $WORK/ran")
    trouble = site.fail("fails.sh", "never.sh")
    assert (trouble.error_code, trouble.script_name) == (ErrorCode.SCRIPT_FAILED, "fails.sh")
    assert trouble.message.endswith("with exit code 3")
    tail = trouble.log_tail.splitlines()
    assert tail[:2] == ["LifecycleEvent - AfterInstall", "Script - fails.sh"]
    assert set(tail[2:]) == {"[stdout]out", "[stderr]err"}
    assert not (site.work / "ran").exists()


@pytest.mark.parametrize("code", [1, 2, 126, 127, 255])
def test_the_message_ends_with_the_exit_code(site: ScriptSite, code: int) -> None:
    site.script("x.sh", f"exit {code}")
    assert site.fail("x.sh").message.endswith(f" {code}")


@pytest.mark.parametrize("name", ["SEGV", "KILL", "TERM", "PIPE"])
def test_a_signal_is_named(site: ScriptSite, name: str) -> None:
    site.script("dies.sh", f"kill -{name} $$")
    trouble = site.fail("dies.sh")
    assert (trouble.error_code, trouble.message) == (
        ErrorCode.SCRIPT_FAILED,
        f"script dies.sh was killed by SIG{name}",
    )


def test_a_missing_script_is_noticed_after_the_earlier_ones_ran(site: ScriptSite) -> None:
    site.script("first.sh", "touch $WORK/ran")
    trouble = site.fail("first.sh", "gone.sh")
    assert (trouble.error_code, trouble.script_name) == (ErrorCode.SCRIPT_MISSING, "gone.sh")
    assert str(site.archive / "gone.sh") in trouble.message
    assert (site.work / "ran").exists()


def test_arguments_are_part_of_the_name(site: ScriptSite) -> None:
    site.script("a.sh", "exit 0")
    assert site.fail("a.sh one").error_code is ErrorCode.SCRIPT_MISSING


def test_a_directory_or_a_fifo_is_no_script(site: ScriptSite) -> None:
    (site.archive / "folder").mkdir()
    os.mkfifo(site.archive / "fifo")
    for location in ("folder", "fifo"):
        trouble = site.fail(location)
        assert trouble.error_code is ErrorCode.SCRIPT_MISSING
        assert "not a regular file" in trouble.message


@pytest.mark.parametrize("location", ["a\0b", "\ud800", "x" * 5000, "loop", "x.sh/y"])
def test_a_name_that_no_file_can_have_is_missing(site: ScriptSite, location: str) -> None:
    site.script("x.sh", "exit 0")
    (site.archive / "loop").symlink_to("loop")
    trouble = site.fail(location)
    assert trouble.error_code is ErrorCode.SCRIPT_MISSING
    trouble.model_dump_json()


def test_slashes_and_dots_may_stay_inside_the_bundle(site: ScriptSite) -> None:
    site.script("scripts/x.sh", "exit 0")
    (site.archive / "link.sh").symlink_to("scripts/x.sh")
    assert site.run("/scripts/x.sh", "scripts/../scripts/x.sh", "//scripts/x.sh", "link.sh") is None


@pytest.mark.parametrize(
    "location",
    ["../../evil.sh", "/../../evil.sh", "scripts/../../../evil.sh", "way/evil.sh", "link", "/", "../archive2/x"],
)
def test_what_leads_out_of_the_bundle_does_not_run(tmp_path: Path, location: str) -> None:
    (tmp_path / "deep" / "archive2").mkdir(parents=True)
    site = ScriptSite(tmp_path / "deep")
    for evil in (tmp_path / "evil.sh", tmp_path / "deep" / "archive2" / "x"):
        evil.write_text("#!/bin/sh\ntouch $WORK/ran\n")
        evil.chmod(0o755)
    (site.archive / "scripts").mkdir()
    (site.archive / "way").symlink_to(tmp_path)
    (site.archive / "link").symlink_to(tmp_path / "evil.sh")
    trouble = site.fail(location)
    assert trouble.error_code is ErrorCode.SCRIPT_MISSING
    assert "leads out of the bundle" in trouble.message
    assert not (site.work / "ran").exists()


@pytest.mark.parametrize(
    "name",
    ["a b.sh", "a;$(touch ran)`touch ran`.sh", "quo'te\".sh", "-n", "ü\n.sh", "*", "a|b&c"],
)
def test_no_name_reaches_a_shell(site: ScriptSite, name: str) -> None:
    site.script(name, 'printf "%s" "$0" > "$WORK/name"')
    site.script(f"plain/{name}", b'printf "%s" "$0" > "$WORK/plain"')
    assert site.run(name, f"plain/{name}") is None
    assert (site.work / "name").read_text() == f"{site.archive}/{name}"
    assert (site.work / "plain").read_text() == f"{site.archive}/plain/{name}"
    assert not list(site.archive.parent.rglob("ran"))


def test_without_a_first_line_it_runs_under_sh(site: ScriptSite) -> None:
    site.script("empty.sh", b"")
    site.script("plain.sh", b"echo $((1 + 1))\n")
    assert site.run("empty.sh", "plain.sh") is None
    assert site.output() == ["2"]


@pytest.mark.parametrize("body", [b"#!/bin/sh\r\nexit 0\r\n", b"#!/usr/bin/env sh\r\n"])
def test_a_first_line_from_windows_is_explained(site: ScriptSite, body: bytes) -> None:
    site.script("dos.sh", body)
    trouble = site.fail("dos.sh")
    assert trouble.error_code is ErrorCode.SCRIPT_FAILED
    assert "CRLF" in trouble.message


def test_lines_from_windows_are_warned_of(site: ScriptSite) -> None:
    site.script("dos.sh", b"no-such-command-\r\n")
    trouble = site.fail("dos.sh")
    assert trouble.message.endswith("127")
    assert "[warning]script dos.sh has Windows line breaks (CRLF)" in trouble.log_tail


def test_a_missing_interpreter_is_named(site: ScriptSite) -> None:
    site.script("x.sh", b"#!/no/such/python -u\n")
    trouble = site.fail("x.sh")
    assert trouble.error_code is ErrorCode.SCRIPT_FAILED
    assert "asks for /no/such/python, which is not on this host" in trouble.message


def test_a_program_for_another_machine_does_not_go_to_the_shell(site: ScriptSite) -> None:
    site.script("tool", b"\x7fELF\x02\x01 of another kind")
    trouble = site.fail("tool")
    assert trouble.error_code is ErrorCode.SCRIPT_FAILED
    assert "another kind of machine" in trouble.message


def test_an_interpreter_that_may_not_run_is_explained(site: ScriptSite) -> None:
    plain = site.work / "interpreter"
    plain.write_text("")
    site.script("x.sh", f"#!{plain}\n".encode())
    assert "permission denied" in site.fail("x.sh").message


@pytest.mark.parametrize(
    ("umask", "mode", "after"), [(0o022, 0o644, 0o755), (0o022, 0o600, 0o711), (0o077, 0o644, 0o744)]
)
def test_execute_bits_are_added_as_the_umask_allows(site: ScriptSite, umask: int, mode: int, after: int) -> None:
    site.script("x.sh", "umask", mode=mode)
    before = os.umask(umask)
    try:
        assert site.run("x.sh") is None
    finally:
        assert os.umask(before) == umask
    assert (site.archive / "x.sh").stat().st_mode & 0o7777 == after
    assert site.lines[2] == f"[warning]script x.sh is not executable ({mode:04o}); adding the execute bits"
    assert int(site.output()[0], 8) == umask


def test_a_script_that_cannot_be_made_executable(site: ScriptSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    site.script("x.sh", "touch $WORK/ran", mode=0o644)
    monkeypatch.setattr("adapters.host.scripts.os.chmod", refuse)
    trouble = site.fail("x.sh")
    assert trouble.error_code is ErrorCode.SCRIPT_NOT_EXECUTABLE
    assert "x.sh is not executable and cannot be made so (Operation not permitted)" in trouble.message
    assert not (site.work / "ran").exists()


def test_what_is_around_a_script(site: ScriptSite) -> None:
    site.script("x.sh", 'cat; pwd; echo "$GREETING"; cat /proc/$$/stat > $WORK/stat')
    assert site.run("x.sh", environment={"GREETING": "hello ü"}) is None
    assert site.output() == [str(site.work), "hello ü"]
    pid, *_, group, session = (site.work / "stat").read_text().split()[:6]
    assert pid == group == session


def test_the_environment_is_what_was_given(site: ScriptSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTS_OWN", "1")
    site.script("x.sh", "tr '\\0' '\\n' < /proc/$$/environ > $WORK/environ")
    assert site.run("x.sh") is None
    given = dict(line.split("=", 1) for line in (site.work / "environ").read_text().splitlines())
    assert given.pop("SLIPWAY_HOOK_ID")
    assert given == site.environment


def test_what_the_agent_has_open_stays_its_own(site: ScriptSite, tmp_path: Path) -> None:
    site.script("x.sh", "ls -l /proc/$$/fd > $WORK/open")
    with (tmp_path / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        assert site.run("x.sh") is None
    listed = (site.work / "open").read_text()
    assert "/dev/null" in listed
    assert held.name not in listed


@pytest.mark.parametrize("environment", [{"A": "nul\0"}, {"A": "x" * (1 << 22)}])
def test_what_cannot_be_an_environment_is_said(site: ScriptSite, environment: dict[str, str]) -> None:
    site.script("x.sh", "touch $WORK/ran")
    assert "could not be started" in site.fail("x.sh", environment=environment).message
    assert not (site.work / "ran").exists()


def test_a_missing_working_directory_is_said(site: ScriptSite) -> None:
    site.script("x.sh", "exit 0")
    site.work.rmdir()
    assert f"the working directory {site.work} is not there" in site.fail("x.sh").message


def test_scripts_side_by_side_keep_apart(tmp_path: Path) -> None:
    sites: list[ScriptSite] = []
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        sites.append(ScriptSite(tmp_path / str(number)))
        sites[-1].script("x.sh", f"for i in 1 2 3 4 5 6 7 8 9; do echo {number} $i; done; pwd; exit {number}")
    here, troubles = Path.cwd(), dict[int, Diagnostics | None]()

    def run(number: int) -> None:
        troubles[number] = sites[number].run("x.sh")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles.pop(0) is None
    assert all(t is not None and t.message.endswith(f"exit code {number}") for number, t in troubles.items())
    for number, site in enumerate(sites):
        assert site.output() == [*(f"{number} {i}" for i in range(1, 10)), str(site.work)]
    assert Path.cwd() == here


def test_a_script_that_was_just_written_is_waited_for(site: ScriptSite) -> None:
    """A fork of another thread may hold the script open for writing for a moment."""
    site.script("x.sh", "exit 0")
    with (site.archive / "x.sh").open("a") as held:
        timer = threading.Timer(0.1, held.close)
        timer.start()
        assert site.run("x.sh") is None
        timer.join()


def test_nothing_is_started_once_the_deployment_is_stopped(site: ScriptSite) -> None:
    site.script("x.sh", "touch $WORK/ran")
    site.stop.set()
    trouble = site.fail(Script(location="x.sh"))
    assert trouble.error_code is ErrorCode.SCRIPT_FAILED
    assert "it was stopped with the deployment" in trouble.message
    assert not (site.work / "ran").exists()
