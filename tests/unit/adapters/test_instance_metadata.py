"""The instance metadata service, stood in for on loopback: asked with a token, at most three times, never by v1."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from adapters.host.instance_metadata import NoInstanceMetadata, fetch_instance_id
from cli.processes import agent
from config.settings import AgentSettings, Settings
from tests.aws import metadata_service


def test_the_id_is_asked_for_with_a_token() -> None:
    with metadata_service() as (url, asked):
        assert fetch_instance_id(url) == "i-0123456789abcdef0"
    assert asked == ["PUT /latest/api/token 60", "GET /latest/meta-data/instance-id the-token"]


def test_it_is_tried_twice_more() -> None:
    with metadata_service(failures=2) as (url, asked):
        assert fetch_instance_id(url) == "i-0123456789abcdef0"
    assert len(asked) == 4


def test_version_1_is_never_asked() -> None:
    with metadata_service(failures=3) as (url, asked), pytest.raises(NoInstanceMetadata, match=r"503.*--id NAME"):
        fetch_instance_id(url)
    assert [each.split()[0] for each in asked] == ["PUT"] * 3


def test_an_answer_that_is_no_id_is_refused() -> None:
    with (
        metadata_service(answer="<html>") as (url, _),
        pytest.raises(NoInstanceMetadata, match="'<html>' is no instance id"),
    ):
        fetch_instance_id(url)


def test_nobody_there_is_said() -> None:
    with pytest.raises(NoInstanceMetadata, match="elsewhere give --id NAME"):
        fetch_instance_id("http://127.0.0.1:1")


def test_the_agent_takes_the_id_of_the_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(_: Settings, *, host: str) -> int:
        ran.append(host)
        return 0

    monkeypatch.setattr("workers.agent.run_agent", run)
    monkeypatch.setattr("cli.processes.start_logging", lambda *_, **__: None)
    with metadata_service() as (url, _):
        given = Settings(agent=AgentSettings(host_id="ec2", metadata_url=url))
        monkeypatch.setattr("cli.processes.settings", lambda: given)
        assert CliRunner().invoke(agent, [], catch_exceptions=False).exit_code == 0
    assert ran == ["i-0123456789abcdef0"]
