"""`slipway keys`: who may call the API."""

from __future__ import annotations

import time

import click
from rich.console import Console
from rich.table import Table

from cli.world import answer, json_option, settings, world
from domain.access import AccessKey, Policy
from domain.errors import CallerError

POLICIES = click.Choice([policy.value for policy in Policy])


@click.group()
def keys() -> None:
    """Make, list and revoke the access keys of the API."""


@keys.command()
@click.option("--policy", type=POLICIES, default=Policy.ADMINISTRATOR.value, show_default=True)
@click.option("--application", "applications", multiple=True, help="With the policy deploy: what it may deploy to.")
@click.option("--description", default="", help="Whose key it is and what for.")
@json_option
def create(policy: str, applications: tuple[str, ...], description: str, as_json: bool) -> None:
    """Make an access key. Its secret is shown this once."""
    from workers.access import create_key
    from workflows.access import secret_of

    installation_key = settings().api.key.get_secret_value().encode()
    if not installation_key:
        raise CallerError("SLIPWAY_API__KEY is not set: without it nobody can tell the secret of an access key.")
    here = world()
    made = create_key(
        here.store, policy=Policy(policy), applications=applications, description=description, now=here.now()
    )
    secret = secret_of(installation_key, made)
    text = (
        f"AWS_ACCESS_KEY_ID={made.access_key_id}\nAWS_SECRET_ACCESS_KEY={secret}\n"
        "The secret is not shown again: nobody keeps it."
    )
    answer({**_shown(made), "secretAccessKey": secret}, text, as_json=as_json)


@keys.command(name="list")
@json_option
def list_all(as_json: bool) -> None:
    """List the access keys, without their secrets."""
    from workers.access import list_keys

    found = list_keys(world().store)
    if as_json:
        answer([_shown(key) for key in found], "", as_json=True)
        return
    table = Table(box=None, header_style="dim")
    # However narrow the terminal: what is cut off cannot be revoked.
    table.add_column("access key", no_wrap=True, min_width=20)
    for head in ("policy", "applications", "created", "revoked", "description"):
        table.add_column(head, overflow="fold")
    for key in found:
        applications, created = ", ".join(key.applications), _clock(key.create_time)
        table.add_row(key.access_key_id, key.policy, applications, created, _clock(key.revoke_time), key.description)
    Console().print(table)


@keys.command()
@click.argument("access_key_id")
@json_option
def revoke(access_key_id: str, as_json: bool) -> None:
    """End an access key: calls signed with it are refused from now on."""
    from workers.access import revoke_key

    here = world()
    ended = revoke_key(here.store, access_key_id, now=here.now())
    answer(_shown(ended), f"revoked {access_key_id}", as_json=as_json)


def _shown(key: AccessKey) -> dict[str, object]:
    return {
        "accessKeyId": key.access_key_id,
        "policy": key.policy,
        "applications": list(key.applications),
        "description": key.description,
        "createTime": key.create_time,
        "revokeTime": key.revoke_time,
    }


def _clock(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at)) if at else ""
