"""A RabbitMQ server of our own: private node name, loopback ports and folders, and nothing left of it at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from kombu import Connection

from cli.traffic.ports import pick_ports
from workers.supervisor import die_with_parent

LIMIT = 90.0
"""Seconds until a starting server must answer; an Erlang node takes its time on a busy machine."""


def find_rabbitmq() -> Path | None:
    """The server's own script, not the distribution's wrapper, which changes the user and writes below /var."""
    found = shutil.which("rabbitmq-server") or shutil.which("rabbitmq-server", path="/usr/sbin:/usr/local/sbin")
    if found is None or shutil.which("epmd") is None:
        return None
    script = Path(found).resolve()
    return script.with_name("rabbitmq-server") if script.name == "rabbitmq-script-wrapper" else script


class RabbitMQ:
    """One node with its own port mapper; its address is `url`."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._folder = Path(tempfile.mkdtemp(prefix="slipway-rabbit-"))
        self._port, self._distribution, self._mapper = pick_ports(3)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def __enter__(self) -> RabbitMQ:
        try:
            self._start("epmd", "-port", str(self._mapper), "-address", "127.0.0.1")
            self._start(str(self._script))
            self._wait()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def url_of(self, user: str, password: str) -> str:
        """Its address for a user of its own."""
        return self.url.replace("guest:guest", f"{user}:{password}")

    def control(self, *command: str) -> None:
        """Have rabbitmqctl do something."""
        program = str(self._script.with_name("rabbitmqctl"))
        done = subprocess.run([program, *command], env=self._environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"rabbitmqctl {command[0]}: {done.stderr}{done.stdout}"

    def restart(self) -> None:
        """End the node cleanly and start it on the same data."""
        node = self._processes.pop()
        # To the whole group: the script that was started does not pass a signal on.
        os.killpg(node.pid, signal.SIGTERM)
        node.wait(LIMIT)
        self._start(str(self._script))
        self._wait()

    def kill(self) -> None:
        """End everything at once and remove its data."""
        for process in reversed(self._processes):
            # Erlang starts programs of its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, *command: str) -> None:
        with (self._folder / "output.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self._processes.append(process)

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        settings = folder / "rabbitmq.conf"
        settings.write_text(f"listeners.tcp.local = 127.0.0.1:{self._port}\ndisk_free_limit.absolute = 1MB\n")
        (folder / "plugins").write_text("[].\n")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"slipway-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
            "RABBITMQ_CONFIG_FILE": str(settings.with_suffix("")),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "rabbitmq.pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
        }

    def _wait(self) -> None:
        deadline = time.monotonic() + LIMIT
        while not self._answers():
            if any(process.poll() is not None for process in self._processes) or time.monotonic() > deadline:
                raise AssertionError(f"RabbitMQ did not start:\n{(self._folder / 'output.log').read_text()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True
