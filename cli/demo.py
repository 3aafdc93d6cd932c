"""`slipway demo`: four simulated hosts, a sample web application in three versions, a deployment of each to watch.

With a load balancer in front it is `cli/demo_traffic.py`'s, which shares how an installation is started and removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from cli.deploy import upload
from cli.following import follow
from cli.traffic.sample import end_samples
from cli.world import answer, json_option, settings, world
from config.endpoint import Endpoint, aws_variables, read_endpoint
from domain.configs import HALF_AT_A_TIME, ONE_AT_A_TIME
from domain.deployments import CreateDeployment
from domain.errors import SlipwayError

HOSTS = ("web-1", "web-2", "web-3", "web-4")
BROKEN_HOST = "web-3"
SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "webapp"
LIMIT = 60.0
"""Seconds for the installation to come up."""


class DemoFailed(SlipwayError):
    """The demo did not go as it should."""


@click.command()
@click.option("--clean", is_flag=True, help="End a demo's processes and remove its data.")
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Leave everything running at the end, to look at; so it is unless requests are sent.",
)
@click.option("--balancer", is_flag=True, help="Behind HAProxy and under load: no request is lost.")
@click.option("--blue-green", is_flag=True, help="The same, from four blue hosts to four green ones.")
@json_option
def demo(clean: bool, keep: bool | None, balancer: bool, blue_green: bool, as_json: bool) -> None:
    """Deploy a sample web application to four simulated hosts on this machine."""
    home = (settings().home / "demo").resolve()
    if balancer and blue_green:
        raise click.UsageError("--balancer and --blue-green are two demos: choose one")
    if keep and (balancer or blue_green):
        raise click.UsageError("the balancer and the requests end with the demo: --keep is for the one without them")
    console = Console(quiet=as_json)
    if clean:
        clean_up(home)
        answer({"home": str(home), "clean": True}, "The demo is gone.", as_json=as_json)
        return
    if balancer or blue_green:
        from cli import demo_traffic

        run = demo_traffic.run_blue_green if blue_green else demo_traffic.run_in_place
        told = run(home, console)
    else:
        told = run_demo(home, console, keep=keep is not False)
    if as_json:
        answer(told, "", as_json=True)


def run_demo(home: Path, console: Console, *, keep: bool) -> dict[str, object]:
    """Start an installation below `home`, deploy three versions, show and say what came of it."""
    clean_up(home)
    try:
        endpoint = start_installation(home, HOSTS, console)
        deployments = _run(console)
        serving = {host: headline(home, host) for host in HOSTS}
        _show_hosts(serving, console)
    except BaseException:
        clean_up(home, keep_logs=True)
        raise
    if keep:
        _farewell(home, endpoint, console)
    else:
        clean_up(home)
    where = {"home": str(home), "flowerUrl": endpoint.flower_url} if keep else {}
    return {"deployments": deployments, "serving": serving, **where}


def _show_hosts(serving: dict[str, str], console: Console) -> None:
    console.rule("What each host serves now")
    for host, line in serving.items():
        console.print(f"  {host}: {line}", highlight=False)


def start_installation(
    home: Path, hosts: Sequence[str], console: Console, *, environment: Mapping[str, str] | None = None
) -> Endpoint:
    """Start an installation below `home` with an agent for each host; this process is one of its clients from then on.
    `environment` are settings of it."""
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update({**(environment or {}), "SLIPWAY_HOME": str(home)})
    settings.cache_clear()
    agents = [option for host in hosts for option in ("--agent", host)]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  (our own command line)
            [sys.executable, "-m", "cli.main", "up", *agents],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    with console.status("Starting Redis, bundle store, API, control, trigger, watch, Flower and the agents …"):
        _wait(lambda: read_endpoint(home) is not None, process, home, "the installation")
        settings.cache_clear()
        _wait(lambda: all(world().store.seen(hosts)), process, home, "the agents")
        _wait(lambda: _answers(settings().bundles.base_url + "/healthz"), process, home, "the bundle store")
        _wait(lambda: _answers(_endpoint(home).api_url + "/readyz"), process, home, "the API")
    return _endpoint(home)


def _endpoint(home: Path) -> Endpoint:
    endpoint = read_endpoint(home)
    if endpoint is None:
        raise DemoFailed(f"the installation ended; its logs are in {home / 'logs'} and {home / 'up.log'}")
    return endpoint


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], home: Path, what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoFailed(f"{what} did not come up; its logs are in {home / 'logs'} and {home / 'up.log'}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310  (our own server on loopback)
            return bool(response.status == 200)
    except OSError:
        return False


def _run(console: Console) -> list[str]:
    """Deploy the three versions; the deployments' ids."""
    _prepare()
    with tempfile.TemporaryDirectory(prefix="slipway-demo-") as scratch:
        console.rule("Version 1, to half of the hosts at a time")
        first = _deploy(make_version(Path(scratch), 1), HALF_AT_A_TIME, console, expect=0)
        console.rule("Version 2, to one host at a time")
        second = _deploy(make_version(Path(scratch), 2), ONE_AT_A_TIME, console, expect=0)
        console.rule(f"Version 3, whose ValidateService fails on {BROKEN_HOST}: the deployment stops there")
        broken = make_version(Path(scratch), 3, broken_on=BROKEN_HOST)
        third = _deploy(broken, ONE_AT_A_TIME, console, expect=1)
    return [first, second, third]


def _prepare() -> None:
    from click.testing import CliRunner

    from cli.main import cli

    calls = [["create-application", "webapp"]]
    calls += [["register", host, "--tag", "role=web"] for host in HOSTS]
    calls += [["create-group", "webapp", "production", "--tag", "role=web"]]
    for call in calls:
        result = CliRunner().invoke(cli, call)
        if result.exit_code:
            raise DemoFailed(f"slipway {' '.join(call)}: {result.output.strip()}")


def make_version(into: Path, number: int, *, broken_on: str | None = None) -> Path:
    """A copy of the sample application that says its version, and fails to validate on one host if told so."""
    made = into / f"v{number}"
    shutil.copytree(SAMPLE, made)
    page = made / "site" / "index.html"
    page.write_text(page.read_text().replace("version 1", f"version {number}"))
    if broken_on:
        validate = made / "scripts" / "validate.sh"
        check = (
            f'case "$SLIPWAY_ROOT" in */{broken_on}/*) echo "the page does not load on this host" >&2; exit 1;; esac\n'
        )
        first, rest = validate.read_text().split("\n", 1)
        validate.write_text(f"{first}\n{check}{rest}")
    return made


def _deploy(source: Path, config: str, console: Console, *, expect: int) -> str:
    from tasks.admitting import create_deployment

    request = CreateDeployment(
        application_name="webapp",
        deployment_group_name="production",
        revision=upload(source),
        deployment_config_name=config,
    )
    deployment_id = create_deployment(world(), request)
    if follow(world(), deployment_id, console=console) != expect:
        raise DemoFailed("the deployment did not end as it should; `slipway list` and the logs say more")
    return deployment_id


def headline(home: Path, host: str) -> str:
    """What the sample application of a host answers, over HTTP."""
    port = home / "hosts" / host / "root" / "srv" / "webapp" / "port"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port.read_text()}/", timeout=2) as page:
            return str(page.read().decode().strip().splitlines()[-1])
    except OSError as error:
        return f"nothing ({error})"


def _farewell(home: Path, endpoint: Endpoint, console: Console) -> None:
    console.print()
    console.print("Everything still runs, for you to look at:", style="bold")
    console.print(f"  Flower     {endpoint.flower_url}/tasks and {endpoint.flower_url}/workers", highlight=False)
    console.print(
        f"  commands   SLIPWAY_HOME={_short(home)} .venv/bin/slipway list | events | status ID | logs ID HOST"
    )
    files = " ".join(f"{name}={_short(Path(value))}" for name, value in aws_variables(home).items())
    console.print(f"  AWS's way  {files} .venv/bin/aws deploy list-deployments", soft_wrap=True, highlight=False)
    console.print("  clean up   .venv/bin/slipway demo --clean")


def _short(home: Path) -> str:
    try:
        return str(home.relative_to(Path.cwd()))
    except ValueError:
        return str(home)


def clean_up(home: Path, *, keep_logs: bool = False) -> None:
    """End a demo's processes, the sample applications among them, and remove its data."""
    endpoint = read_endpoint(home)
    if endpoint is not None:
        os.kill(endpoint.pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while read_endpoint(home) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        _wait_gone(endpoint.pid, deadline)
    end_samples(home.glob("hosts/*/root"))
    if not keep_logs:
        shutil.rmtree(home, ignore_errors=True)


def _wait_gone(pid: int, deadline: float) -> None:
    while time.monotonic() < deadline:
        try:
            # Started by this very process it stays a zombie until it is waited for.
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return
        except ChildProcessError:
            pass
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
