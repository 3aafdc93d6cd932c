"""A whole installation for canvas and story tests: a private Redis, real processes, and the world to look at them with.

Everything ends with the test, whatever happens in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from config.settings import Settings, load_settings
from domain.applications import Application
from domain.configs import ONE_AT_A_TIME
from domain.deployments import CreateDeployment, Deployment
from domain.fleet import Instance, TargetKind
from domain.groups import Busy, DeploymentGroup, TagFilter, group_name
from domain.revisions import LocalLocation, RevisionLocation, RevisionType
from tasks.admitting import create_deployment
from tasks.runtime import World
from tests.services import wait_until as wait_until
from workers.app import make_app
from workers.embedded import EmbeddedRedis
from workers.supervisor import die_with_parent
from workers.wiring import make_world

CHECKOUT = Path(__file__).resolve().parent.parent
T = TypeVar("T")
APPLICATION_ID = "00000000-0000-4000-8000-00000000000a"

LIMITS = {"pickup_seconds": 20, "nudge_seconds": 1, "look_seconds": 1, "silence_seconds": 6, "takeover_seconds": 3}
"""The engine's limits in tests: short, so that what goes wrong is found within seconds."""


class Site:
    """One installation below a folder of its own."""

    def __init__(self, *, limits: Mapping[str, float] | None = None, **environment: str) -> None:
        # Not pytest's folder: unix sockets take short paths only.
        self.home = Path(tempfile.mkdtemp(prefix="slipway-"))
        self.redis = EmbeddedRedis(self.home / "redis")
        self._extra = environment
        self._limits = {**LIMITS, **(limits or {})}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._before: dict[str, str] = {}
        self.world: World
        self.settings: Settings

    def __enter__(self) -> Site:
        url = self.redis.start()
        self.environment = {
            "SLIPWAY_HOME": str(self.home),
            "SLIPWAY_STORE__URL": url,
            "SLIPWAY_BUNDLES__KEY": "test-key",
            "SLIPWAY_BUNDLES__TOKEN": "test-token",
            "SLIPWAY_CONTROL__VISIBILITY_TIMEOUT": "5",
            "SLIPWAY_AGENT__HEARTBEAT_SECONDS": "1",
            "SLIPWAY_AGENT__LOCAL_REVISIONS": "true",
            "SLIPWAY_AGENT__SCRIPT_GRACE_SECONDS": "1",
            **{f"SLIPWAY_LIMITS__{name.upper()}": str(value) for name, value in self._limits.items()},
            **self._extra,
        }
        self._before = dict(os.environ)
        os.environ.update(self.environment)
        self.settings = load_settings()
        self.world = make_world(self.settings, make_app(self.settings, "client"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            # All at once: each takes a while to end.
            process.terminate()
        for name in list(self._processes):
            self.end(name)
        self._end_scripts()
        self.redis.stop()
        os.environ.clear()
        os.environ.update(self._before)
        if error is not None:
            self.show_logs()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end_scripts(self) -> None:
        """Kill the scripts of agents that were killed: nobody else ends those that wait for a test which has failed."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (folder / "cwd").resolve().is_relative_to(self.home):
                    os.kill(int(folder.name), signal.SIGKILL)

    def show_logs(self) -> None:
        """Print the end of every process's log, for the failing test's report."""
        for log in sorted(self.home.glob("*.log")):
            print(f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]))

    def start(
        self, name: str, *arguments: str, module: str = "cli.main", **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a process under a name: `slipway <arguments>`."""
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *(arguments or (name,))],
                env={**os.environ, **self.environment, **environment},
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
        self._processes[name] = process
        return process

    def agent(self, host: str) -> subprocess.Popen[bytes]:
        """Start the agent of a simulated host."""
        return self.start(
            f"agent-{host}", "agent", "--id", host, "--root", str(self.root(host)), "--state", str(self.state(host))
        )

    def root(self, host: str) -> Path:
        """The root of a simulated host."""
        return self.home / "hosts" / host / "root"

    def state(self, host: str) -> Path:
        """Where the agent of a host keeps its records."""
        return self.home / "hosts" / host / "state"

    def pid(self, name: str) -> int:
        """The process id of what was started under a name."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """kill -9, as a crash would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def end(self, name: str) -> None:
        """SIGTERM, and SIGKILL for what does not listen."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def slipway(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `slipway` as a person would."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env={**os.environ, **self.environment, **environment},
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"slipway {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def slipway_lines(self, *arguments: str) -> Iterator[str]:
        """Run `slipway` and yield its lines as they come; ended with the site if it does not end before."""
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "cli.main", *arguments],
            env={**os.environ, **self.environment},
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        assert process.stdout is not None
        with process:
            for line in process.stdout:
                yield line.rstrip("\n")

    def register(self, hosts: Iterable[str], *, queue: str | None = None, **tags: str) -> None:
        """Register hosts with tags."""
        for host in hosts:
            instance = Instance(
                instance_id=host,
                kind=TargetKind.ON_PREMISES,
                arn=f"arn:aws:codedeploy:us-east-1:000000000000:instance/{host}",
                tags=tags or {"role": "web"},
                queue=queue,
            )
            self.world.store.instances.add(host, instance)

    def group(self, name: str = "web", *, config: str = ONE_AT_A_TIME, busy: Busy = Busy.REFUSE, **more: object) -> str:
        """A deployment group of the hosts tagged role=web; its id."""
        self.world.store.applications.add(
            Application(application_id=APPLICATION_ID, application_name="app", create_time=0.0)
        )
        values: dict[str, object] = {
            "application_id": APPLICATION_ID,
            "deployment_group_id": str(uuid.uuid4()),
            "deployment_group_name": name,
            "deployment_config_name": config,
            "busy": busy,
            "on_premises_instance_tag_filters": (TagFilter(key="role", value="web"),),
            **more,
        }
        group = DeploymentGroup.model_validate(values)
        assert self.world.store.groups.add(group)
        return group.deployment_group_id

    def held_group(self, name: str) -> DeploymentGroup | None:
        """A group as the store holds it."""
        return self.world.store.groups.named(group_name(APPLICATION_ID, name))

    def deploy(self, revision: Path, *, group: str = "web", **more: object) -> str:
        """Deploy a directory on this disk; the deployment's id."""
        location = LocalLocation(path=str(revision), bundle_type="directory")
        values: dict[str, object] = {
            "application_name": "app",
            "deployment_group_name": group,
            "revision": RevisionLocation(revision_type=RevisionType.LOCAL, local_location=location),
            **more,
        }
        return create_deployment(self.world, CreateDeployment.model_validate(values))

    def all_told(self) -> bool:
        """Every channel is served, and nothing waits for it."""
        states = self.world.store.channels()
        return bool(states) and not any(state.waiting for state in states)

    def ended(self, deployment_id: str, *, limit: float = 90.0) -> Deployment:
        """The deployment once it has ended."""

        def end() -> Deployment | None:
            deployment = self.world.store.deployment(deployment_id)
            return deployment if deployment and deployment.status.final else None

        return wait_until(end, f"the end of {deployment_id}", limit=limit)


def write_revision(folder: Path, hooks: Mapping[str, str], files: Mapping[str, str] | None = None) -> Path:
    """A revision with one shell script per hook; `files` go to /app."""
    (folder / "scripts").mkdir(parents=True, exist_ok=True)
    (folder / "files").mkdir(exist_ok=True)
    for name, content in (files or {"version.txt": folder.name}).items():
        (folder / "files" / name).write_text(content)
    lines = ["version: 0.0", "os: linux", "files:", "  - source: files", "    destination: /app", "hooks:"]
    for event, script in hooks.items():
        path = folder / "scripts" / f"{event}.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        lines += [f"  {event}:", f"    - location: scripts/{event}.sh", "      timeout: 30"]
    (folder / "appspec.yml").write_text("\n".join(lines) + ("\n" if hooks else " {}\n"))
    return folder
