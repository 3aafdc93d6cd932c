"""The command that prints what Slipway tells the outside, and what a channel did not take."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator

import click

from cli.world import answer, json_option, world
from domain.channels import DeadLetter
from domain.errors import InvalidInput, PublishRefused, WorldError
from domain.happenings import Happening
from domain.ports import Publisher

logger = logging.getLogger(__name__)

PAGE = 200


@click.command()
@click.option("--follow", "keep_on", is_flag=True, help="Go on printing as events come.")
@click.option("--deployment", help="Only events of this deployment.")
@click.option("--dead", is_flag=True, help="Print events that a channel did not take, and why.")
@click.option("--redrive", metavar="CHANNEL", help="Tell a channel what it did not take; what it takes is forgotten.")
@click.option("--drop", metavar="CHANNEL", help="Forget what a channel did not take, untold.")
@json_option
def events(
    keep_on: bool, deployment: str | None, dead: bool, redrive: str | None, drop: str | None, as_json: bool
) -> None:
    """Print deployment and instance events, oldest first."""
    if sum((keep_on, dead, redrive is not None, drop is not None)) > 1:
        raise click.UsageError("--follow, --dead, --redrive and --drop are used one at a time")
    if redrive is not None:
        _redrive(redrive, deployment, as_json=as_json)
    elif drop is not None:
        _drop(drop, deployment, as_json=as_json)
    elif dead:
        for channel, _, letter in _dead_letters(deployment):
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


def _dead_letters(deployment: str | None, *, of: str | None = None) -> Iterator[tuple[str, str, DeadLetter]]:
    """Channel, place and letter."""
    for channel in [of] if of else _channels():
        after = ""
        while page := world().store.dead_letters(channel, after=after, limit=PAGE):
            for after, letter in page:
                if deployment in (None, letter.happening.deployment_id):
                    yield channel, after, letter


def _channels() -> list[str]:
    return [state.name for state in world().store.channels()]


def _redrive(channel: str, deployment: str | None, *, as_json: bool) -> None:
    """Tell a channel its dead letters from here. What is refused stays and is in no other's way; a channel that is away
    ends it. Exit code 1 where either came about."""
    publisher = world().publishers.get(channel)
    if publisher is None:
        known = ", ".join(world().publishers)
        raise InvalidInput(f"There is no channel {channel} in the settings of this command; it knows {known}.")
    counts, refusal, away = Counter[str](told=0, refused=0, unwanted=0), "", ""
    for _, place, letter in _dead_letters(deployment, of=channel):
        wanted = publisher.wants(letter.happening)
        try:
            why = _refusal(publisher, letter.happening) if wanted else None
        except WorldError as error:
            away = error.message
            break
        if why is None:
            world().store.forget_dead_letters(channel, [place])
        refusal = why or refusal
        counts["refused" if why else "told" if wanted else "unwanted"] += 1
    text = _outcome(channel, counts, refusal, away)
    answer({"channel": channel, **counts, "problem": away or refusal or None}, text, as_json=as_json)
    raise SystemExit(1 if away or refusal else 0)


def _refusal(publisher: Publisher, happening: Happening) -> str | None:
    """Tell it; why it is refused, if it is. Raises WorldError where the channel is away."""
    try:
        refusals = publisher.publish([happening]).refusals
    except PublishRefused as error:
        return error.message
    except WorldError:
        raise
    except Exception as error:
        logger.exception("a publisher met an internal error")
        return f"internal error: {type(error).__name__}"
    return refusals[0].why if refusals else None


def _outcome(channel: str, counts: Counter[str], refusal: str, away: str) -> str:
    parts = [
        f"{channel} was told {counts['told']} events",
        f"{counts['unwanted']} it does not want are forgotten" if counts["unwanted"] else "",
        f"{counts['refused']} refused and kept ({refusal})" if refusal else "",
        f"it ended there: {away}" if away else "",
    ]
    return "; ".join(filter(None, parts))


def _drop(channel: str, deployment: str | None, *, as_json: bool) -> None:
    """Forget a channel's dead letters, all or those of one deployment."""
    known = _channels()
    if channel not in known:
        raise InvalidInput(f"There is no channel {channel}; there are {', '.join(known) or 'none yet'}.")
    places = [place for _, place, _ in _dead_letters(deployment, of=channel)]
    for first in range(0, len(places), PAGE):
        world().store.forget_dead_letters(channel, places[first : first + PAGE])
    text = f"{len(places)} dead letters of {channel} are dropped"
    answer({"channel": channel, "dropped": len(places)}, text, as_json=as_json)


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
