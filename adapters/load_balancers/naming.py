"""Names and addresses as they go into configurations and line protocols of balancers. What tags and registrations say
is hostile: only what cannot be anything else than a name or an address gets through. Touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address

from domain.errors import BalancerRefuses, CannotBegin
from domain.fleet import Target

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
"""What HAProxy takes for the name of a server."""
_HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{1,5}))?")
_SHOWN = 80

Place = tuple[str, int | None]
"""Where something listens: host, IPv6 without brackets, and port if that is known."""


def server_name(text: str) -> str:
    """The text if it can be the name of a server; raises BalancerRefuses."""
    if not _NAME.fullmatch(text):
        raise BalancerRefuses(
            f"{shown(text)} cannot be the name of a server: it may hold A-Z a-z 0-9 _ . : - only. Map the host to "
            "another name in the balancer's setting `servers`."
        )
    return text


def place_of(target: Target, default_port: int | None) -> Place | None:
    """Where a host's application listens, as far as it is known; IPv6 without brackets. Raises BalancerRefuses for what
    is no address."""
    if not target.address:
        return None
    host, port = _parts(target.address)
    number = int(port) if port else default_port
    if not host or not (number is None or 1 <= number <= 65535):
        raise BalancerRefuses(f"{shown(target.address)} is no address of the form HOST:PORT{_tell(target)}")
    return host, number


def address_of(target: Target, default_port: int | None) -> tuple[str, int]:
    """Where a host's application listens. Raises BalancerRefuses saying how to tell it."""
    place = place_of(target, default_port)
    if place is None:
        raise BalancerRefuses(f"It is not known where the application listens{_tell(target)}")
    host, port = place
    if port is None:
        raise BalancerRefuses(f"The address {shown(host)} has no port{_tell(target)}")
    return host, port


def _tell(target: Target) -> str:
    return f": give the host {shown(target.target_id)} the tag slipway:address=HOST:PORT, or set default_port."


def joined(host: str, port: int | None) -> str:
    """`host:port`, or the host alone; with brackets around IPv6."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


def listed_place(listed: str) -> Place:
    """The place that a balancer lists as `host:port` or as a host alone."""
    host, mark, port = listed.rpartition(":")
    if mark and port.isascii() and port.isdigit():
        return host.strip("[]"), int(port)
    return listed.strip("[]"), None


def is_at(listed: Place, place: Place) -> bool:
    """Whether a balancer's place is that of a host, however both are written; where the host's port is not known, any
    will do."""
    here, there = _ip(listed[0]), _ip(place[0])
    same = here == there if here or there else _plain(listed[0]) == _plain(place[0])
    return same and place[1] in {None, listed[1]}


def is_elsewhere(listed: Place, place: Place) -> bool:
    """Whether a balancer's place is surely not that of a host: it has another port, or another IP address. A name may
    be that of any address, and what is not known may be anything."""
    if listed[1] and place[1] and listed[1] != place[1]:
        return True
    here, there = _ip(listed[0]), _ip(place[0])
    return here is not None and there is not None and here != there


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    """The address, if it is one and one of a single host: HAProxy takes 0.0.0.0 for any."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    return None if address.is_unspecified else address


def _plain(name: str) -> str:
    return name.casefold().rstrip(".")


def is_ip(host: str) -> bool:
    """Whether it is an IP address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def shown(text: str) -> str:
    """A text of strangers for a message: quoted, and not longer than a message may be."""
    return repr(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")


@contextmanager
def refusing() -> Iterator[None]:
    """What could have been found before the deployment began is a refusal once it is under way."""
    try:
        yield
    except CannotBegin as error:
        raise BalancerRefuses(error.message) from error


def _parts(address: str) -> tuple[str, str]:
    """Host and port; nothing for what is no address."""
    if bracketed := _BRACKETED.fullmatch(address):
        return (bracketed[1], bracketed[2] or "") if is_ip(bracketed[1]) else ("", "")
    if address.count(":") > 1:
        return (address, "") if is_ip(address) and "%" not in address else ("", "")
    host, mark, port = address.partition(":")
    good = _HOST.fullmatch(host) and (not mark or (port.isascii() and port.isdigit() and len(port) <= 5))
    return (host, port) if good else ("", "")
