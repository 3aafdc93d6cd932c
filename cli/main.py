"""The `slipway` command: which commands there are. Each is loaded only when it is called, so that the small ones start
quickly."""

from __future__ import annotations

import importlib
import json
import sys

import click

from domain.errors import CallerError, SlipwayError

COMMANDS: dict[str, tuple[str, str]] = {
    "agent": ("cli.processes", "agent"),
    "api": ("cli.processes", "api"),
    "bundles": ("cli.processes", "bundles"),
    "continue": ("cli.deploy", "continue_deployment"),
    "control": ("cli.processes", "control"),
    "create-application": ("cli.resources", "create_application"),
    "create-config": ("cli.resources", "create_config"),
    "create-group": ("cli.resources", "create_group"),
    "demo": ("cli.demo", "demo"),
    "deploy": ("cli.deploy", "deploy"),
    "doctor": ("cli.doctor", "doctor"),
    "events": ("cli.events", "events"),
    "flower": ("cli.processes", "flower"),
    "keys": ("cli.keys", "keys"),
    "list": ("cli.status", "list_deployments"),
    "local": ("cli.local", "local"),
    "logs": ("cli.status", "logs"),
    "push": ("cli.deploy", "push"),
    "register": ("cli.resources", "register"),
    "scaling": ("cli.processes", "scaling"),
    "rollback": ("cli.deploy", "rollback"),
    "status": ("cli.status", "status"),
    "stop": ("cli.deploy", "stop"),
    "trigger": ("cli.processes", "trigger"),
    "up": ("cli.up", "up"),
    "update-group": ("cli.resources", "update_group"),
    "validate": ("cli.validate", "validate"),
    "watch": ("cli.processes", "watch"),
}
"""Command name to the module and attribute that hold it."""


class Commands(click.Group):
    """A group that imports a command when it is asked for, and turns our errors into exit codes and advice."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every command, in name order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an error of ours ends it with a line that says what and how to mend it.

        Exit codes: 1 the thing asked for failed, 2 the call was wrong, 3 the world (broker, store) does not answer.
        """
        try:
            return super().invoke(ctx)
        except SlipwayError as error:
            _complain(error)
            sys.exit(2 if isinstance(error, CallerError) else 3)


def _complain(error: SlipwayError) -> None:
    if "--json" in sys.argv:
        code = getattr(error, "code", type(error).__name__)
        click.echo(json.dumps({"error": {"code": code, "message": error.message}}), err=True)
    else:
        click.echo(f"slipway: {error.message}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="slipway")
def cli() -> None:
    """Slipway deploys applications to servers, as AWS CodeDeploy does, from your own machines."""


def main() -> None:
    """The console script."""
    cli(prog_name="slipway")


if __name__ == "__main__":
    main()
