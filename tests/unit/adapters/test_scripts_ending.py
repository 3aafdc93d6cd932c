"""How a script that takes too long, is stopped, or leaves something behind comes to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.host import processes, running
from adapters.host.running import end_leftover, started
from adapters.host.scripts import ScriptLimits
from domain.appspec import Script
from domain.hooks import MARKER, Trace
from domain.reports import ErrorCode
from tests.unit.adapters.script_site import ScriptSite, is_alive, wait_until

SHORT = ScriptLimits(grace=0.3, drain=0.3)
PATIENT = ScriptLimits(grace=60.0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ScriptSite]:
    site = ScriptSite(tmp_path)
    yield site
    site.kill_all()


def daemon(site: ScriptSite, name: str, *, ignore: bool = True) -> str:
    """A shell command that starts a double-forked process in its own session; it notes its id in `name`."""
    site.script(f"{name}.sh", f"{'trap : TERM; ' if ignore else ''}echo $$ > $WORK/{name}; while :; do sleep 60; done")
    return f"(setsid {site.archive}/{name}.sh </dev/null >/dev/null 2>&1 & ); until [ -s $WORK/{name} ]; do :; done"


def fork_bare(site: ScriptSite, name: str) -> str:
    """A command that forks off a process which closed its output, left the session, and wiped its environment."""
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.setsid()\n"
        f"open(os.path.join('{site.work}', '{name}'), 'w').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n"
    )
    (site.work / f"{name}.py").write_text(code)
    return f"env -i {sys.executable} $WORK/{name}.py & until [ -s $WORK/{name} ]; do :; done"


@contextmanager
def sleeping(**more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that only sleeps; it ends with the block."""
    with subprocess.Popen(["/bin/sleep", "600"], **more) as process:
        try:
            yield process
        finally:
            process.kill()


def stop_at(site: ScriptSite, entry: str) -> None:
    """Stop the deployment when the entry is heard."""

    def hear(line: str) -> None:
        if line == entry:
            site.stop.set()

    site.on_line = hear


def test_a_script_that_takes_too_long_is_asked_to_end(site: ScriptSite) -> None:
    site.script("slow.sh", "trap 'echo tidied; exit 0' TERM; while :; do sleep 0.05; done")
    trouble = site.fail(Script(location="slow.sh", timeout=1), limits=PATIENT)
    assert (trouble.error_code, trouble.script_name) == (ErrorCode.SCRIPT_TIMED_OUT, "slow.sh")
    assert "script slow.sh did not end within its timeout of 1 seconds" in trouble.message
    assert trouble.log_tail.endswith("[stdout]tidied")
    assert not site.running()


@pytest.mark.parametrize(("code", "expected"), [(0, None), (7, ErrorCode.SCRIPT_FAILED)])
def test_a_script_that_ended_while_the_agent_was_suspended_did_not_take_too_long(
    site: ScriptSite, monkeypatch: pytest.MonkeyPatch, code: int, expected: ErrorCode | None
) -> None:
    now = [0.0]
    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def sleep_until_long_after_its_end(line: str) -> None:
        if line == "[stdout]ready":
            pid = site.noted_pid("pid")
            (site.work / "go").touch()
            wait_until(lambda: not is_alive(pid))
            now[0] += 3600.0

    site.on_line = sleep_until_long_after_its_end
    site.script("x.sh", f"echo $$ > $WORK/pid; echo ready; until [ -e $WORK/go ]; do sleep 0.02; done; exit {code}")
    trouble = site.run(Script(location="x.sh", timeout=60), limits=SHORT)
    assert (trouble.error_code if trouble else None) is expected


def test_one_that_ignores_that_is_killed_with_its_children(site: ScriptSite) -> None:
    site.script("deaf.sh", "trap '' TERM; sh -c 'trap \"\" TERM; sleep 600; sleep 600' & sleep 600; sleep 600")
    trouble = site.fail(Script(location="deaf.sh", timeout=1), limits=SHORT)
    assert trouble.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert not site.running()


def test_a_child_that_ignores_it_is_killed_when_the_script_itself_obeyed(site: ScriptSite) -> None:
    site.script("parent.sh", "sh -c 'trap \"\" TERM; sleep 600; sleep 600' & wait")
    assert site.fail(Script(location="parent.sh", timeout=1), limits=SHORT).error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert not site.running()


def test_a_daemon_in_its_own_session_is_killed_too(site: ScriptSite) -> None:
    site.script("starts.sh", daemon(site, "stray") + "; sleep 600")
    trouble = site.fail(Script(location="starts.sh", timeout=3), limits=SHORT)
    assert "it was ended with all it had started" in trouble.message
    assert not is_alive(site.noted_pid("stray"))


def test_a_child_that_wiped_its_environment_is_killed_too(site: ScriptSite) -> None:
    site.script("starts.sh", fork_bare(site, "bare") + "; echo ready; sleep 600")
    stop_at(site, "[stdout]ready")
    assert "stopped" in site.fail("starts.sh", limits=SHORT).message
    assert not is_alive(site.noted_pid("bare"))


def test_a_suspended_script_is_ended(site: ScriptSite) -> None:
    site.script("stopped.sh", "trap 'echo went on; exit 0' TERM; kill -STOP $$")
    trouble = site.fail(Script(location="stopped.sh", timeout=1), limits=PATIENT)
    assert trouble.log_tail.endswith("[stdout]went on")


def test_a_script_that_closed_its_output_is_bounded_as_well(site: ScriptSite) -> None:
    site.script("mute.sh", "exec >&- 2>&-; sleep 600")
    assert site.fail(Script(location="mute.sh", timeout=1)).error_code is ErrorCode.SCRIPT_TIMED_OUT


def test_endless_output_does_not_outlast_the_limit(site: ScriptSite) -> None:
    site.script("floods.sh", "trap '' TERM; yes & yes >&2")
    trouble = site.run(Script(location="floods.sh", timeout=1), limits=SHORT, log_limit=10_000)
    assert trouble is not None
    assert trouble.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert site.log_path.stat().st_size < 11_000
    assert not site.running()


def test_stopping_the_deployment_ends_the_script(site: ScriptSite) -> None:
    site.script("waits.sh", daemon(site, "stray", ignore=False) + "; echo ready; sleep 600; sleep 600")
    site.script("later.sh", "touch $WORK/later")
    stop_at(site, "[stdout]ready")
    trouble = site.fail("waits.sh", "later.sh")
    assert trouble.error_code is ErrorCode.SCRIPT_FAILED
    assert "waits.sh did not complete: it was stopped with the deployment" in trouble.message
    assert not site.running()
    assert not (site.work / "later").exists()


def test_what_an_agent_that_died_left_is_ended_and_no_more(site: ScriptSite) -> None:
    site.script("starts.sh", daemon(site, "service"))
    site.script("stays.sh", f"{daemon(site, 'stray')}; {fork_bare(site, 'bare')}; echo $$ > $WORK/left; sleep 600")
    running = threading.Thread(target=site.run, args=("starts.sh", "stays.sh"))
    running.start()
    left = [site.noted_pid(name) for name in ("left", "stray", "bare")]
    assert end_leftover(site.traces[-1], grace=0.3)
    running.join()
    assert not any(map(is_alive, left))
    assert is_alive(site.noted_pid("service"))
    assert len({trace.marker for trace in site.traces}) == 2


def test_one_that_wiped_its_environment_is_known_by_its_process(site: ScriptSite) -> None:
    site.script("wiped.sh", "exec env -i sleep 600")
    running = threading.Thread(target=site.run, args=("wiped.sh",))
    running.start()
    wait_until(lambda: len(site.traces) == 2)
    pid = site.traces[-1].pid
    assert pid is not None
    wait_until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"))
    assert is_alive(pid)
    assert end_leftover(site.traces[-1], grace=0.3)
    assert not is_alive(pid)
    running.join()


def test_what_a_script_that_had_ended_left_running_lives_on(site: ScriptSite) -> None:
    """Its agent may have died before it could note that the event ended well."""
    site.script("starts.sh", daemon(site, "service"))
    assert site.run("starts.sh") is None
    assert end_leftover(site.traces[-1], grace=0.3)
    assert is_alive(site.noted_pid("service"))


def test_a_script_that_ended_before_anybody_looked_is_known_all_the_same() -> None:
    with subprocess.Popen(["/bin/true"]) as ended:
        wait_until(lambda: not is_alive(ended.pid))
        trace = started(Trace(marker="none"), ended.pid)
    assert trace.started > 0
    with sleeping(env={MARKER: "none"}) as service:
        assert end_leftover(trace, grace=0.3)
        assert service.poll() is None


def test_a_process_that_has_got_the_id_of_another_is_not_taken_for_it() -> None:
    with sleeping() as other:
        now = started(Trace(marker="none"), other.pid)
        for change in ({"started": now.started - 1}, {"boot": "another"}):
            assert end_leftover(now.model_copy(update=change), grace=0.3)
            assert other.poll() is None


@pytest.mark.parametrize("hidden", [False, True], ids=["seen", "hidden"])
def test_one_that_may_not_be_signalled_is_not_said_to_have_ended(monkeypatch: pytest.MonkeyPatch, hidden: bool) -> None:
    """As where `sudo` gave it to root and the agent is not root; /proc may hide it, too."""

    def refuse(*_: object) -> None:
        raise PermissionError

    with sleeping(start_new_session=True) as others, monkeypatch.context() as patched:
        patched.setattr(processes, "KILL_WAIT", 0.2)
        patched.setattr("adapters.host.processes.os.kill", refuse)
        if hidden:
            patched.setattr(processes, "_read_process", lambda *_, **__: None)
        trace = started(Trace(marker="none"), others.pid)
        assert bool(trace.started) is not hidden
        assert not end_leftover(trace, grace=0.1)
        assert others.poll() is None


def test_an_agent_that_a_script_started_does_not_end_itself(site: ScriptSite) -> None:
    code = (
        "import os, sys; from adapters.host.running import end_leftover; from domain.hooks import Trace; "
        f"sys.exit(not end_leftover(Trace(marker=os.environ['{MARKER}']), grace=1.0))"
    )
    site.script("sleeps.sh", "sleep 600")
    agent = [sys.executable, "-c", f"import subprocess; subprocess.Popen(['{site.archive}/sleeps.sh']); {code}"]
    environment = {**os.environ, **site.environment, MARKER: "left"}
    assert subprocess.run(agent, env=environment, check=False, timeout=30).returncode == 0
    assert not site.running()


def test_hooks_beside_it_live_on(tmp_path: Path) -> None:
    sites = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sites.append(ScriptSite(tmp_path / name))
    ending, living = sites
    ending.script("x.sh", daemon(ending, "stray") + "; sleep 600")
    living.script("x.sh", daemon(living, "stray") + "; until [ -e $WORK/go ]; do sleep 0.05; done")
    results: list[object] = []
    beside = threading.Thread(target=lambda: results.append(living.run("x.sh")))
    beside.start()
    try:
        living.noted_pid("stray")
        assert ending.fail(Script(location="x.sh", timeout=1), limits=SHORT).error_code is ErrorCode.SCRIPT_TIMED_OUT
        assert is_alive(living.noted_pid("stray"))
        (living.work / "go").touch()
        beside.join()
        assert results == [None]
        assert is_alive(living.noted_pid("stray"))
    finally:
        (living.work / "go").touch()
        beside.join()
        ending.kill_all()
        living.kill_all()


def test_a_service_left_running_does_not_hold_the_event(site: ScriptSite) -> None:
    """It keeps both streams open, writes much more than a pipe holds, and is neither ended nor held up."""
    site.script(
        "service.sh",
        "i=0; until [ -e $WORK/go ]; do sleep 0.05; done\n"
        "while [ $i -lt 2000 ]; do echo 'a line of some hundred characters, as services write them to their standard"
        " output all day long, whether read or not' || exit 1; echo err >&2 || exit 1; i=$((i+1)); done\n"
        "echo $i > $WORK/written; exec sleep 600",
    )
    site.script("start.sh", f"{site.archive}/service.sh & echo $! > $WORK/pid; echo started")
    assert site.run("start.sh", limits=SHORT) is None
    assert site.output() == ["started"]
    assert [line.split(";")[0] for line in site.lines[3:]] == [
        f"[warning]a process the script left running keeps its {stream} open" for stream in ("stdout", "stderr")
    ]
    (site.work / "go").touch()
    wait_until((site.work / "written").exists)
    assert is_alive(site.noted_pid("pid"))


def test_what_discards_a_services_output_ends_with_it(site: ScriptSite) -> None:
    site.script("start.sh", "readlink /proc/$$/fd/1 /proc/$$/fd/2; sleep 600 &")
    assert site.run("start.sh", limits=SHORT) is None
    pipes = site.output()
    assert len(pipes) == 2
    wait_until(lambda: all(discarders(pipe) for pipe in pipes))
    site.kill_all()
    wait_until(lambda: not any(discarders(pipe) for pipe in pipes))


def discarders(pipe: str) -> list[str]:
    """The processes named `cat` that read this pipe."""
    return [
        each.name
        for each in Path("/proc").iterdir()
        if each.name.isdecimal() and _peek(each / "comm") == "cat" and _target(each / "fd" / "0") == pipe
    ]


def _peek(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def test_a_child_that_ends_soon_is_heard_out(site: ScriptSite) -> None:
    site.script("x.sh", "(sleep 0.2; echo late) & echo early")
    assert site.run("x.sh", limits=ScriptLimits(drain=30.0)) is None
    assert site.output() == ["early", "late"]


def test_a_failing_script_with_a_child_left_is_still_a_failure(site: ScriptSite) -> None:
    site.script("x.sh", "sleep 600 & exit 4")
    assert site.fail("x.sh", limits=SHORT).message.endswith("exit code 4")
    assert len(site.running()) == 1


def test_nothing_outlives_a_listener_that_breaks(site: ScriptSite) -> None:
    def break_down(line: str) -> None:
        if line == "[stdout]ready":
            raise OSError(line)

    site.on_line = break_down
    site.script("x.sh", "echo ready; echo more; sleep 600")
    with pytest.raises(OSError, match="ready"):
        site.run("x.sh", limits=SHORT)
    assert not site.running()


def test_no_descriptor_is_left_open(site: ScriptSite) -> None:
    site.script("x.sh", "echo out; sleep 600 & exit 1")
    site.script("dos.sh", b"#!/nowhere\n")

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    for location in ("x.sh", "dos.sh", "x.sh", "missing"):
        site.fail(location, limits=SHORT)
    site.fail(Script(location="x.sh"), limits=SHORT, environment={"A": "\0"})
    assert descriptors() == before


def test_a_process_that_cannot_be_ended_is_not_waited_for_forever(
    site: ScriptSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where `sudo` gave it to root and the agent is not root."""

    def refuse(*_: object) -> None:
        raise PermissionError

    site.script("x.sh", "sleep 600")
    with monkeypatch.context() as patched:
        patched.setattr(processes, "KILL_WAIT", 0.2)
        patched.setattr("adapters.host.processes.os.killpg", refuse)
        patched.setattr("adapters.host.processes.os.kill", refuse)
        with pytest.warns(ResourceWarning, match="still running"):
            trouble = site.fail(Script(location="x.sh", timeout=1), limits=SHORT)
    assert trouble.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert "not all it had started could be ended" in trouble.message


@pytest.mark.parametrize("body", ["echo hi; exit 7", "trap '' TERM; sleep 600; sleep 600"])
def test_it_works_without_pidfd(site: ScriptSite, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(running, "_open_pidfd", lambda _: None)
    site.script("x.sh", body)
    trouble = site.fail(Script(location="x.sh", timeout=1), limits=SHORT)
    assert trouble.error_code is (ErrorCode.SCRIPT_FAILED if "exit" in body else ErrorCode.SCRIPT_TIMED_OUT)
    assert not site.running()


def test_the_agents_own_signals_stay_as_they_are(site: ScriptSite) -> None:
    def seen() -> list[object]:
        return [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE)]

    before = seen()
    site.script("x.sh", "yes | head -n 1")
    assert site.run("x.sh") is None
    assert seen() == before
    assert site.output() == ["y"]


def test_the_scripts_of_an_event_share_its_time(site: ScriptSite) -> None:
    site.script("first.sh", "sleep 0.7")
    site.script("second.sh", "sleep 300 & echo $! >child\nwait")
    trouble = site.fail("first.sh", "second.sh", limits=ScriptLimits(grace=1.0, event=1))
    assert trouble.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert trouble.script_name == "second.sh"
    assert trouble.message == (
        "script second.sh did not end within the 1 seconds that one lifecycle event may take in this deployment group; "
        "it was ended with all it had started"
    )
    assert not is_alive(site.noted_pid("child"))


def test_a_script_for_which_no_time_is_left_is_not_begun(site: ScriptSite) -> None:
    site.script("late.sh", "touch late")
    trouble = site.fail("late.sh", limits=ScriptLimits(event=0))
    assert trouble.error_code is ErrorCode.SCRIPT_TIMED_OUT
    assert "late.sh was not begun: the scripts before it took all of the 0 seconds" in trouble.message
    assert not (site.work / "late").exists()


def test_a_timeout_of_its_own_comes_first(site: ScriptSite) -> None:
    site.script("slow.sh", "sleep 300")
    trouble = site.fail(Script(location="slow.sh", timeout=1), limits=ScriptLimits(grace=1.0, event=7200))
    assert "did not end within its timeout of 1 seconds" in trouble.message
