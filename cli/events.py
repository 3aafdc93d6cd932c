"""The command that prints what Slipway tells the outside, and what a channel did not take."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import click

from cli.world import answer, json_option, world
from domain.channels import DeadLetter
from domain.errors import InvalidInput, PublishRefused, WorldError
from domain.happenings import Happening

PAGE = 200


@click.command()
@click.option("--follow", "keep_on", is_flag=True, help="Go on printing as events come.")
@click.option("--deployment", help="Only events of this deployment.")
@click.option("--dead", is_flag=True, help="Print events that a channel did not take, and why.")
@click.option("--redrive", metavar="CHANNEL", help="Tell a channel what it did not take; what it takes is forgotten.")
@json_option
def events(keep_on: bool, deployment: str | None, dead: bool, redrive: str | None, as_json: bool) -> None:
    """Print deployment and instance events, oldest first."""
    if redrive is not None:
        _redrive(redrive, as_json=as_json)
    elif dead:
        for channel, _, letter in _dead_letters():
            if deployment in (None, letter.happening.deployment_id):
                click.echo(_dead_line(channel, letter, as_json=as_json))
    else:
        _print_history(deployment, keep_on=keep_on, as_json=as_json)


def _print_history(deployment: str | None, *, keep_on: bool, as_json: bool) -> None:
    after = ""
    while True:
        page = world().store.history(after=after, limit=PAGE)
        for cursor, happening in page:
            after = cursor
            if deployment in (None, happening.deployment_id):
                click.echo(_line(happening, as_json=as_json))
        if not page:
            if not keep_on:
                return
            time.sleep(0.3)


def _dead_letters(of: str | None = None) -> Iterator[tuple[str, str, DeadLetter]]:
    """Channel, place and letter."""
    for channel in [of] if of else [state.name for state in world().store.channels()]:
        after = ""
        while page := world().store.dead_letters(channel, after=after, limit=PAGE):
            for after, letter in page:
                yield channel, after, letter


def _redrive(channel: str, *, as_json: bool) -> None:
    """Tell a channel its dead letters from here; ends at the first that is not taken, with exit code 1."""
    publisher = world().publishers.get(channel)
    if publisher is None:
        known = ", ".join(world().publishers)
        raise InvalidInput(f"There is no channel {channel} in the settings of this command; it knows {known}.")
    told, problem = 0, None
    for _, place, letter in _dead_letters(channel):
        try:
            refusals = publisher.publish([letter.happening]).refusals
        except (WorldError, PublishRefused) as error:
            problem = error.message
        else:
            problem = refusals[0].why if refusals else None
        if problem is not None:
            break
        world().store.forget_dead_letters(channel, [place])
        told += 1
    text = f"{channel} was told {told} events" + (f", and did not take the next: {problem}" if problem else "")
    answer({"channel": channel, "told": told, "problem": problem}, text, as_json=as_json)
    raise SystemExit(1 if problem else 0)


def _dead_line(channel: str, letter: DeadLetter, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"channel": channel, **letter.model_dump(mode="json", exclude_none=True)})
    return f"{channel}  {_line(letter.happening, as_json=False)}  ({letter.why})"


def _line(happening: Happening, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(happening.model_dump(mode="json", exclude_none=True))
    when = time.strftime("%H:%M:%S", time.localtime(happening.at))
    about = " ".join(filter(None, [happening.deployment_id, happening.instance_id, happening.failed_event]))
    why = f"  {happening.error_code}: {happening.error_message}" if happening.error_code else ""
    return f"{when}  {happening.type:<20} {about}{why}"
