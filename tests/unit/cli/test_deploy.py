"""What `slipway deploy` asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import cli.deploy
from domain.deployments import CreateDeployment


@pytest.mark.parametrize(
    ("options", "token"), [(("--token", "rollback:d-AAAAAAAAA"), "client:rollback:d-AAAAAAAAA"), ((), None)]
)
def test_a_token_of_the_command_line_is_a_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], token: str | None
) -> None:
    asked: list[CreateDeployment] = []

    def create(_: object, request: CreateDeployment) -> str:
        asked.append(request)
        return "d-AAAAAAAAA"

    monkeypatch.setattr(cli.deploy, "create_deployment", create)
    monkeypatch.setattr(cli.deploy, "world", lambda: None)
    arguments = [str(tmp_path), "--group", "shop/web", "--in-place-source", *options]
    done = CliRunner().invoke(cli.deploy.deploy, arguments)
    assert done.exit_code == 0, done.output
    assert [request.client_request_token for request in asked] == [token]
