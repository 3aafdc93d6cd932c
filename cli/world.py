"""What every command starts from: settings, the world they lead to, and how answers are printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import click

from api.site import Site
from config.settings import Settings, load_settings
from tasks.runtime import World

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`: print the answer as JSON."""
    return click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")(command)


@cache
def settings() -> Settings:
    """The settings of this process, with the addresses of a running `slipway up` where none are given."""
    return load_settings()


@cache
def world() -> World:
    """The world of a command that only asks and sends."""
    from workers.app import make_app
    from workers.wiring import make_world

    return make_world(settings(), make_app(settings(), "client"))


@cache
def site() -> Site:
    """What the API's operations work with; commands call the same operations."""
    from workers.wiring import make_site

    return make_site(settings(), world())


def answer(value: object, text: str, *, as_json: bool) -> None:
    """Print an answer, as JSON or as a line for people."""
    click.echo(json.dumps(value, indent=2, default=str) if as_json else text)
