"""What is said to and by a program that makes hosts: JSON both ways. All that it says is hostile until it is checked.

Pure. docs/environments.md tells users what is here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.environments import GreenOrder
from domain.fleet import ADDRESS_TAG, ZONE_TAG, Instance

_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,100}")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:\d{1,5})?")
MOST_TAGS, LONGEST_KEY, LONGEST_VALUE = 8, 128, 256
"""An instance may have ten tags, and two of them are ours."""


class BadAnswer(Exception):
    """What a program printed names no hosts that could be used."""


class MadeHost(BaseModel):
    """A host as the program tells of it."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)

    id: str
    address: str | None = None
    zone: str | None = None
    agent: str | None = None
    tags: dict[str, str] = Field({}, max_length=MOST_TAGS)

    @property
    def all_tags(self) -> dict[str, str]:
        """Its own, and those that say where it is."""
        ours = {ADDRESS_TAG: self.address, ZONE_TAG: self.zone}
        return {**{key: value for key, value in ours.items() if value}, **self.tags}


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    hosts: list[MadeHost]


def read_hosts(text: bytes, *, most: int) -> list[MadeHost]:
    """The hosts that a program printed; raises BadAnswer."""
    hosts = _parsed(text)
    for number, host in enumerate(hosts):
        if complaint := _complaint(host):
            raise BadAnswer(f"printed a host (the {number + 1}. of {len(hosts)}) with {complaint}")
    ids = [host.id for host in hosts]
    if len(set(ids)) < len(ids):
        raise BadAnswer("printed two hosts with the same id")
    if not 1 <= len(hosts) <= most:
        raise BadAnswer(f"printed {len(hosts)} hosts where 1 to {most} were asked for")
    return hosts


def known_hosts(text: bytes) -> list[MadeHost]:
    """Every host that can be made out in what a program printed, each once: those that are to go if it is not used."""
    try:
        return list({host.id: host for host in _parsed(text) if not _complaint(host)}.values())
    except BadAnswer:
        return []


def _parsed(text: bytes) -> list[MadeHost]:
    try:
        return _Answer.model_validate_json(text).hosts
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # A place may hold keys that the program chose.
        where = "".join(c for c in ".".join(str(part)[:40] for part in problem["loc"]) if c.isprintable())
        raise BadAnswer(f'printed no {{"hosts": [...]}}: {problem["msg"][:200]} ({where or "all of it"})') from None


def _complaint(host: MadeHost) -> str:
    if not _NAME.fullmatch(host.id) or host.id.startswith("i-"):
        return "an id that is not 1 to 100 characters of A-Z a-z 0-9 + = , . @ _ -, or that begins with i-"
    if host.address is not None and not _is_address(host.address):
        return "an address that is not host or host:port"
    if not all(part is None or _NAME.fullmatch(part) for part in (host.zone, host.agent)):
        return "a zone or an agent that is not 1 to 100 characters of A-Z a-z 0-9 + = , . @ _ -"
    if not all(1 <= len(key) <= LONGEST_KEY and len(value) <= LONGEST_VALUE for key, value in host.tags.items()):
        return f"a tag whose key is not 1 to {LONGEST_KEY} characters or whose value has more than {LONGEST_VALUE}"
    return ""


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and (found[2] is None or 1 <= int(found[2][1:]) <= 65535)


def asked(order: GreenOrder, *, count: int, blue: Iterable[Instance]) -> bytes:
    """What a program is given that is to make hosts."""
    return _json(
        {
            "deploymentId": order.deployment_id,
            **_whose(order),
            "count": count,
            "blue": [shown(host) for host in blue],
        }
    )


def dismissed(order: GreenOrder, hosts: Iterable[Instance | MadeHost], *, abandoned: bool = False) -> bytes:
    """What a program is given that is to remove hosts; `abandoned`: with all that was made for the order."""
    gone = {"abandoned": order.deployment_id} if abandoned else {}
    return _json({**_whose(order), **gone, "hosts": [shown(host) for host in hosts]})


def _whose(order: GreenOrder) -> dict[str, str]:
    return {
        "environment": order.source,
        "application": order.application_name,
        "group": order.deployment_group_name,
    }


def shown(host: Instance | MadeHost) -> Mapping[str, Any]:
    """A host as a program told of it."""
    if isinstance(host, MadeHost):
        return host.model_dump(exclude_none=True)
    tags = {key: value for key, value in host.tags.items() if key not in (ADDRESS_TAG, ZONE_TAG)}
    told = {"address": host.tags.get(ADDRESS_TAG), "zone": host.zone}
    return {"id": host.instance_id, **{key: value for key, value in told.items() if value}, "tags": tags}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def host_of(address: str | None) -> str | None:
    """The host of an address, without its port."""
    found = _ADDRESS.fullmatch(address) if address else None
    return found[1].strip("[]") if found else None
