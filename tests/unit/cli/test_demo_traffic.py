"""What the demos with traffic say where they cannot run, and what they take for a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from cli import demo_traffic
from cli.demo import DemoFailed
from cli.main import cli
from cli.traffic.counts import Tally
from cli.traffic.haproxy import Server, configuration


@pytest.mark.parametrize("kind", ["--balancer", "--blue-green"])
def test_without_haproxy_it_says_how_to_get_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_traffic, "find_haproxy", lambda: None)
    done = CliRunner().invoke(cli, ["demo", kind])
    assert done.exit_code == 2
    assert "apt install haproxy" in done.output
    assert "brew install haproxy" in done.output


@pytest.mark.parametrize("options", [("--balancer", "--blue-green"), ("--balancer", "--keep")])
def test_what_does_not_go_together_is_refused(options: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["demo", *options])
    assert done.exit_code == 2
    assert "demo" in done.output


def counted(*, lost: int = 0, version: str = "v1") -> Tally:
    tally = Tally(1)
    tally.sent(0.0)
    tally.answered(version, "web-1", 0.02)
    for _ in range(lost):
        tally.sent(0.0)
        tally.failed("status 503")
    return tally


def test_the_totals_are_told() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        told = demo_traffic.tell(counted().counts(1.0), ["d-1"], console, never="v4")
    assert "requests by version: v1: 1; failed: 0" in captured.get()
    assert "1 a second of 1" in captured.get()
    assert told["deployments"] == ["d-1"]


@pytest.mark.parametrize("tally", [counted(lost=1), counted(version="v4")], ids=["lost", "answered by v4"])
def test_a_demo_that_lost_a_request_or_served_the_broken_version_has_failed(tally: Tally) -> None:
    with pytest.raises(DemoFailed):
        demo_traffic.tell(tally.counts(1.0), ["d-1"], Console(quiet=True), never="v4")


def test_haproxy_is_told_of_every_server_and_hides_nothing() -> None:
    text = configuration(8080, [Server("blue-1", 9001), Server("green-1", 9002, in_service=False)], Path("/s/ha.sock"))
    lines = [line.strip() for line in text.splitlines()]
    assert "server blue-1 127.0.0.1:9001" in lines
    assert "server green-1 127.0.0.1:9002 disabled" in lines
    assert "retries 0" in lines
    assert not any("redispatch" in line or line.startswith("retry-on") for line in lines)
