"""`slipway doctor`: is everything there that a deployment needs, and what to do where it is not."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

import click

from cli.world import json_option, settings, world
from config.settings import Settings, masked
from config.urls import masked_text
from domain.channels import ChannelState
from domain.errors import SlipwayError
from domain.fleet import Instance
from workflows.names import agent_of
from workflows.targeting import choose, queue_of

SEEN_LATELY = 60.0
"""Seconds after which a silent agent is worth a word."""
LONGEST = 15.0
"""Seconds that the store, the broker or the bundle store may take to answer."""
MOST_TOLD = 300
"""Characters of an error that is not ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    detail: str
    advice: str = ""


@click.command()
@click.option("--agents/--no-agents", default=True, show_default=True, help="Look at the agents of all hosts as well.")
@json_option
def doctor(agents: bool, as_json: bool) -> None:
    """Check store, broker, bundle store and agents; exit 1 if something is wrong."""
    findings = list(_findings(agents=agents))
    if as_json:
        shown = [{"check": f.what, "ok": f.well, "detail": f.detail, "advice": f.advice} for f in findings]
        click.echo(json.dumps(shown, indent=2))
    else:
        for finding in findings:
            mark = click.style("ok ", fg="green") if finding.well else click.style("BAD", fg="red", bold=True)
            click.echo(f"{mark} {finding.what}: {finding.detail}")
            if finding.advice:
                click.echo(f"     {finding.advice}")
    raise SystemExit(0 if all(finding.well for finding in findings) else 1)


def _findings(*, agents: bool) -> Iterator[Finding]:
    try:
        mine = settings()
    except SlipwayError as error:
        # All else is looked up by the settings.
        advice = "config/examples/slipway.yml shows every setting, and what it may be"
        yield Finding("settings", well=False, detail=error.message, advice=advice)
    else:
        yield from _installation(mine, agents=agents)
    for program in ("setfacl", "semanage"):
        found = shutil.which(program)
        yield Finding(
            program, well=True, detail=found or "not here; needed only for AppSpecs that set ACLs or contexts"
        )


def _installation(mine: Settings, *, agents: bool) -> Iterator[Finding]:
    again = "mend what it says, or look again once the rest is well"
    store_well = yield from _try("store", lambda: mine.store_url, _ping_store, "start it, or set SLIPWAY_STORE__URL")
    yield from _try("broker", lambda: mine.broker_url, _ping_broker, "start it, or set SLIPWAY_BROKER__URL")
    bundles = "start `slipway bundles` or `slipway up`"
    yield from _try("bundle store", lambda: mine.bundles.base_url, _ping_bundles, bundles)
    yield from _api()
    yield from _safely("load balancers", _load_balancers(), again)
    yield from _safely("alarms", _alarms(), again)
    if store_well:
        yield from _safely("channels", _channels(), again)
    if store_well and agents:
        yield from _safely("hosts", _agents(), again)


def _safely(what: str, findings: Iterator[Finding], advice: str) -> Iterator[Finding]:
    """What was found; where looking fails itself, that is one more finding, and others are looked for all the same."""
    try:
        yield from findings
    except Exception as error:
        yield Finding(what, well=False, detail=_told(error), advice=advice)


def _try(what: str, url: Callable[[], str], ping: Callable[[], None], advice: str) -> Generator[Finding, None, bool]:
    try:
        where = masked(url())
    except SlipwayError as error:
        yield Finding(what, well=False, detail=error.message, advice=advice)
        return False
    try:
        _in_time(ping)
    # Each client has errors of its own, and more than one family of them.
    except Exception as error:
        yield Finding(what, well=False, detail=f"{where} does not answer: {_told(error)}", advice=advice)
        return False
    yield Finding(what, well=True, detail=f"{where} answers")
    return True


def _told(error: Exception) -> str:
    """An error on one line, with its kind where its text alone says little, and without secrets."""
    if isinstance(error, SlipwayError):
        return masked_text(error.message)
    kind = "" if isinstance(error, OSError) and str(error) else f"{type(error).__name__}: "
    return masked_text(" ".join(f"{kind}{error}".split()))[:MOST_TOLD]


def _in_time(ping: Callable[[], None]) -> None:
    """Raises what the ping raises, or TimeoutError where it takes too long: not every client has a limit of its own."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            ping()
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONGEST)
    if thread.is_alive():
        raise TimeoutError(f"it took more than {LONGEST:.0f} seconds")
    if failed:
        raise failed[0]


def _ping_store() -> None:
    from workers.wiring import make_store

    store = make_store(settings())
    try:
        store.ping()
    finally:
        store.close()


def _ping_broker() -> None:
    from workers.broker import connection

    with connection(settings(), "client") as broker:
        # Of what is said before RabbitMQ says that it is well, too.
        broker.connect_timeout = 3
        broker.ensure_connection(max_retries=1, timeout=3)


def _ping_bundles() -> None:
    import httpx

    httpx.get(settings().bundles.base_url + "/healthz", timeout=3).raise_for_status()


def _load_balancers() -> Iterator[Finding]:
    from workers.wiring import make_load_balancer

    for name, mine in settings().load_balancers.items():
        try:
            make_load_balancer(name, mine).check()
        except Exception as error:
            advice = f"check the entry {name} of the setting load_balancers; docs/balancers.md says what it needs"
            yield Finding(f"load balancer {name}", well=False, detail=_told(error), advice=advice)
        else:
            detail = "is asked at deployments only" if mine.kind == "webhook" else f"{mine.kind} answers"
            yield Finding(f"load balancer {name}", well=True, detail=detail)


def _alarms() -> Iterator[Finding]:
    from workers.wiring import make_alarms

    for name, reading in make_alarms(settings()).read(list(settings().alarms)).items():
        if reading.state is None:
            advice = f"check the entry {name} of the setting alarms; docs/alarms.md says what it needs"
            yield Finding(f"alarm {name}", well=False, detail=reading.detail, advice=advice)
        else:
            told = f"{reading.kind} says {reading.state}" + (f": {reading.detail}" if reading.detail else "")
            yield Finding(f"alarm {name}", well=True, detail=told)


def _channels() -> Iterator[Finding]:
    served = world().publishers
    for channel in world().store.channels():
        yield _channel(channel, served=channel.name in served, now=time.time())


def _channel(channel: ChannelState, *, served: bool, now: float) -> Finding:
    what = f"channel {channel.name}"
    lost = f"; it will never be told of {channel.lost} earlier ones" if channel.lost else ""
    waiting = f"{channel.waiting} events wait for it{lost}"
    if channel.waiting and not served:
        return Finding(what, well=True, detail=f"{waiting}; it is not in these settings")
    if channel.failing_since is not None:
        detail = f"has failed for {now - channel.failing_since:.0f} seconds, {channel.tries} tries: {channel.why}"
        advice = "mend what it says; docs/notifications.md says what each channel needs"
        return Finding(what, well=False, detail=f"{detail}; {waiting}", advice=advice)
    if channel.dead:
        detail = f"did not take {channel.dead} events; {waiting}"
        advice = f"`slipway events --dead` shows them, `slipway events --redrive {channel.name}` tells them again"
        return Finding(what, well=False, detail=detail, advice=advice)
    return Finding(what, well=True, detail=waiting)


def _api() -> Iterator[Finding]:
    mine = settings().api
    if not mine.key.get_secret_value():
        yield Finding("API", well=True, detail="not set up here", advice="set SLIPWAY_API__KEY to serve it")
    if not mine.authenticate:
        yield Finding(
            "API",
            well=False,
            detail="TAKES EVERY CALL, SIGNED OR NOT: whoever reaches it can deploy to every host",
            advice="set SLIPWAY_API__AUTHENTICATE=true and make keys with `slipway keys create`",
        )


def _registered() -> list[str]:
    from adapters.fleet.registered import RegisteredFleet

    return [_agent_of(instance) for instance in RegisteredFleet(world().store.instances).everyone()]


def _agent_of(instance: Instance) -> str:
    return agent_of(queue_of(instance))


def _hosts(registered: Sequence[str]) -> list[str]:
    """The agents' ids of all registered hosts and of all that a deployment group selects."""
    groups, found, after = world().store.groups, dict.fromkeys(registered), ""
    while page := groups.names(after=after):
        for name in page:
            if group := groups.named(name):
                found |= dict.fromkeys(_agent_of(each) for each in choose(world().fleet.instances(group), group))
        after = page[-1]
    return list(found)


def _agents() -> Iterator[Finding]:
    registered = _registered()
    try:
        hosts = _hosts(registered)
    except Exception as error:
        advice = "check SLIPWAY_AWS__REGION and the credentials, or set SLIPWAY_AWS__ENABLED=false"
        yield Finding("AWS", well=False, detail=_told(error), advice=advice)
        hosts = registered
    if not hosts:
        yield Finding("hosts", well=True, detail="none registered yet", advice="slipway register NAME --tag KEY=VALUE")
    for host, seen in zip(hosts, world().store.seen(hosts), strict=True):
        start = f"start it on the host: slipway agent --id {host}"
        if seen is None:
            yield Finding(f"agent {host}", well=False, detail="never seen", advice=start)
        else:
            ago = time.time() - seen.at
            well = ago < SEEN_LATELY
            detail = f"seen {ago:.0f} seconds ago, version {seen.version}"
            yield Finding(f"agent {host}", well=well, detail=detail, advice="" if well else start)
