"""HAProxy through its runtime API: servers are drained, put into maintenance, and brought back behind fresh checks.

Source: HAProxy management guide, "Unix Socket commands". Tried with 2.6.
"""

from __future__ import annotations

import csv
import socket
import time
import zlib
from collections.abc import Container, Mapping
from dataclasses import dataclass

from adapters.load_balancers.naming import (
    Place,
    address_of,
    is_at,
    is_elsewhere,
    is_ip,
    joined,
    place_of,
    refusing,
    server_name,
    shown,
)
from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from domain.fleet import Target
from domain.traffic import Standing

SECONDS = 5.0
"""Of one exchange, from connecting to the last byte."""
LOOKS = 5
"""So often two lists that do not fit are asked for."""
MOST_BYTES = 8 * 1024 * 1024
"""Of one answer: some ten thousand servers."""

_NO_BACKEND, _NO_SERVER, _DELETED = "Can't find backend", "No such server", "Server deleted"
_MAINTENANCE, _DRAIN = 0x01, 0x08
"""Of srv_admin_state: forced by the runtime API."""
_CONFIGURED, _ENABLED = 0x02, 0x04
"""Of srv_check_state."""
_UP = frozenset({"1", "2"})
"""Of srv_op_state: running, and running with a slow start."""
OURS = range(2**19, 2**20)
"""Numbers (`id`) of servers that Slipway adds: nothing else tells them from those of HAProxy's configuration, which 2.6
deletes as readily. The hash of `balance random` sees 20 bits of a number."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server as HAProxy has it."""

    maintenance: bool
    draining: bool
    up: bool
    surely_up: bool
    """Up, and no check failed lately: a server that has just left maintenance is up without any check."""
    checked: bool
    checks_on: bool
    tracks: str
    left: int
    """Requests it works on, or connections in TCP mode, with those that wait for it. Idle connections that HAProxy
    keeps to it are not among them, nor are clients that are between two requests."""
    status: str
    number: int
    address: str
    place: Place
    """Where HAProxy sends its requests now, of a name what it was found to be; nothing for a host that is not known."""
    named: bool
    """Its line names a host, not an address."""

    @property
    def ours(self) -> bool:
        """Slipway added it."""
        return self.number in OURS

    @property
    def idle(self) -> bool:
        """It gets nothing and has nothing left."""
        return self.maintenance and not self.left

    def is_elsewhere(self, place: Place) -> bool:
        """Whether it surely leads to another place. A name may have any address, such as one behind a translation."""
        return is_elsewhere(("", self.place[1]) if self.named else self.place, place)


class _Gone(WorldError):
    """The server left while it was changed: another process may have been quicker."""


class HaproxyBalancer:
    """One backend. `address` is the socket's path, or host:port of a socket that listens on TCP."""

    def __init__(
        self,
        *,
        address: str,
        backend: str,
        server: str = "{id}",
        servers: Mapping[str, str] | None = None,
        default_port: int | None = None,
        server_options: str = "",
        drain_seconds: float = 300.0,
    ) -> None:
        self._address, self._backend, self._template, self._names = address, backend, server, servers or {}
        self._port, self._options, self._drain_seconds = default_port, server_options, drain_seconds

    def block(self, target: Target, *, waited: float) -> Standing:
        """Drain it; then, or after the limit, put it into maintenance, where persistent clients do not reach it either.

        Done only when nothing is left in maintenance too: a request may have come between the look and the command.
        A server that Slipway added is deleted then, if the host's address is known, with which `allow` adds it again.
        """
        name = self._name(target)
        unknown = Standing(done=True, detail=f"{self._backend} has no server {name}")
        server = self._find(name, target)
        if server is None:
            return unknown
        self._check_fit(name, server, target)
        patient = waited < self._drain_seconds
        try:
            if not server.maintenance and not server.draining:
                server = self._set(name, "state drain")
            if not server.maintenance and not (server.left and patient):
                server = self._set(name, "state maint")
        except _Gone:
            return unknown
        if server.left and patient:
            return Standing(done=False, detail=f"draining, {server.left} requests left")
        if server.left:
            return Standing(done=True, detail=f"in maintenance, gave up on {server.left}")
        removed = server.ours and self._place_to_add(target) is not None and self._delete(name)
        return Standing(done=True, detail="removed" if removed else "in maintenance")

    def allow(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Out of maintenance into drain with its health forced down, so that HAProxy sends it nothing before as many
        fresh checks passed as `rise` says; then back into traffic."""
        name = self._name(target)
        server = self._find(name, target) or self._add(name, target)
        self._check_fit(name, server, target)
        wanted = self._place_to_add(target)
        if server.ours and wanted and server.is_elsewhere(wanted):
            server = self._move(name, target, wanted)
        if not server.checks_on:
            self._run(f"enable health {self._backend}/{name}")
        if server.maintenance:
            server = self._set(name, "state drain", "health down")
        if server.draining and server.surely_up:
            server = self._set(name, "state ready")
        done = server.up and not server.draining and not server.maintenance
        return Standing(done=done, detail=server.status if done else f"waiting for checks to pass: {server.status}")

    def check(self) -> None:
        """Raises BalancerMissing if there is no such backend, WorldError if HAProxy does not answer."""
        self._servers()

    def _name(self, target: Target) -> str:
        wanted = self._names.get(target.target_id) or self._template.replace("{id}", target.target_id)
        return server_name(wanted)

    def _find(self, name: str, target: Target) -> Server | None:
        """The server of a host."""
        with refusing():
            servers = self._servers()
        if name not in servers:
            self._others_at(servers, name, target)
        return servers.get(name)

    def _others_at(self, servers: Mapping[str, Server], name: str, target: Target) -> list[str]:
        """The servers of other names at the host's address; they are idle, and of hosts that had it before. Raises
        BalancerRefuses for one that would go on getting requests unnoticed."""
        place = place_of(target, self._port)
        others = {
            other: each for other, each in servers.items() if place and other != name and is_at(each.place, place)
        }
        for other, server in others.items():
            if not server.maintenance:
                raise BalancerRefuses(
                    f"{self._backend} has {server.address} as {other}, not as {name}: map the host to it in the "
                    "setting `servers`, or put that server into maintenance if its host is no more."
                )
            if server.left:
                raise WorldError(f"{other} of {self._backend} has {server.left} requests left at {server.address}")
        return list(others)

    def _place_to_add(self, target: Target) -> tuple[str, int] | None:
        """Where a server of the host can be added; None where it is not known."""
        host, port = place_of(target, self._port) or ("", None)
        return (host, port) if port and is_ip(host) else None

    def _check_fit(self, name: str, server: Server, target: Target) -> None:
        if server.tracks:
            raise BalancerRefuses(
                f"The server {name} of {self._backend} tracks {server.tracks}, and follows it: name that backend."
            )
        if not server.checked:
            raise BalancerRefuses(
                f"The server {name} of {self._backend} has no health check, so HAProxy cannot know when it may get "
                "requests: add `check` to its line."
            )
        # Without the default port: that is for hosts that nobody wrote down.
        told = place_of(target, None)
        if told and not server.ours and server.is_elsewhere(told):
            raise BalancerRefuses(
                f"{self._backend} has {name} at {server.address}, but the host is at {joined(*told)}: correct the "
                "server's line in HAProxy's configuration, or the host's tag slipway:address."
            )

    def _add(self, name: str, target: Target) -> Server:
        if not target.address:
            raise BalancerRefuses(
                f"{self._backend} has no server {name}: declare it with `server {name} HOST:PORT check`, map the host "
                "to a server in the setting `servers`, or give the host the tag slipway:address=HOST:PORT."
            )
        host, port = address_of(target, self._port)
        if not is_ip(host):
            raise BalancerRefuses(
                f"HAProxy does not look up the names of servers that are added while it runs: declare {name} in its "
                "configuration, or give the host the tag slipway:address=IP:PORT."
            )
        servers = self._servers()
        self._make_room(servers, name, target)
        number = _free_number(name, {server.number for server in servers.values()})
        options = " ".join(filter(None, ("check", self._options, f"id {number}")))
        answer = self._run(f"add server {self._backend}/{name} {joined(host, port)} {options}")
        if (server := self._look(name)) is None:
            raise BalancerRefuses(f"HAProxy does not take {name} into {self._backend}: {shown(answer)}")
        return server

    def _move(self, name: str, target: Target, wanted: tuple[str, int]) -> Server:
        """Have a server that Slipway added lead to where its host is now: it gets nothing from before that on."""
        self._make_room(self._servers(), name, target)
        self._set(name, "state maint")
        answer = self._run(f"set server {self._backend}/{name} addr {wanted[0]} port {wanted[1]}")
        server = self._look(name)
        if server is None or server.is_elsewhere(wanted):
            raise BalancerRefuses(f"HAProxy does not change the address of {self._backend}/{name}: {shown(answer)}")
        return server

    def _make_room(self, servers: Mapping[str, Server], name: str, target: Target) -> None:
        """Delete what Slipway added for hosts that had the address before; what others wrote stays."""
        for other in self._others_at(servers, name, target):
            if servers[other].ours:
                self._delete(other)

    def _delete(self, name: str) -> bool:
        """Whether the server is gone. One to which HAProxy keeps an idle connection stays, in maintenance: it harms
        nobody, and is deleted when its address is wanted."""
        answer = self._run(f"del server {self._backend}/{name}")
        return answer.startswith((_DELETED, _NO_SERVER))

    def _set(self, name: str, *states: str) -> Server:
        answer = self._run("; ".join(f"set server {self._backend}/{name} {state}" for state in states))
        if answer.startswith(_NO_SERVER):
            raise _Gone(f"the server {name} left {self._backend} while it was changed")
        if answer:
            raise BalancerRefuses(
                f"HAProxy refuses to set {self._backend}/{name}: {shown(answer)}. The socket needs `level admin`."
            )
        if (server := self._look(name)) is None:
            raise _Gone(f"the server {name} left {self._backend} while it was changed")
        return server

    def _look(self, name: str) -> Server | None:
        with refusing():
            return self._servers().get(name)

    def _servers(self) -> Mapping[str, Server]:
        """All servers by name, from two lists; looked at again where a server came or went between the two."""
        problem: Exception | None = None
        for _ in range(LOOKS):
            answer = self._run(f"show servers state {self._backend}")
            if answer.startswith(_NO_BACKEND):
                raise BalancerMissing(f"HAProxy at {self._address} has no backend {self._backend}.")
            states = _states(answer)
            if not states:
                return {}
            # By its number, for a frontend may have the same name.
            numbers = _numbers(self._run(f"show stat {states[0].get('be_id')} 4 -1"))
            try:
                found = {state["srv_name"]: _server(state, numbers[state["srv_name"]]) for state in states}
                if found.keys() == numbers.keys():
                    return found
                # Half an answer is none: who is missing from it would be taken for unknown.
                problem = ValueError("they differ")
            except (KeyError, ValueError) as error:
                problem = error
        raise WorldError(f"the lists of servers of HAProxy at {self._address} do not fit: {problem!r}") from problem

    def _run(self, command: str) -> str:
        try:
            return _exchange(self._address, command)
        except (OSError, ValueError) as error:
            raise WorldError(f"HAProxy at {self._address} does not answer: {error}") from error


def _states(answer: str) -> list[dict[str, str]]:
    """The rows of `show servers state`."""
    lines = answer.splitlines()
    if len(lines) < 2 or not lines[1].startswith("# be_id "):
        raise WorldError(f"HAProxy does not say which servers it has: {shown(answer)}")
    names = lines[1].removeprefix("# ").split(" ")
    return [dict(zip(names, line.split(" "), strict=False)) for line in lines[2:]]


def _numbers(answer: str) -> dict[str, dict[str, str]]:
    """The rows of `show stat` by server; none for anything else."""
    try:
        return {row["svname"]: row for row in csv.DictReader(answer.removeprefix("# ").splitlines())}
    except (KeyError, csv.Error):
        return {}


def _server(state: Mapping[str, str], numbers: Mapping[str, str]) -> Server:
    admin, checks = int(state["srv_admin_state"]), int(state["srv_check_state"])
    up = state["srv_op_state"] in _UP
    full = int(numbers["check_rise"] or 0) + int(numbers["check_fall"] or 0) - 1
    return Server(
        maintenance=bool(admin & _MAINTENANCE),
        draining=bool(admin & _DRAIN),
        up=up,
        surely_up=up and full > 0 and int(numbers["check_health"] or 0) >= full,
        checked=bool(checks & _CONFIGURED),
        checks_on=bool(checks & _ENABLED),
        tracks=numbers["tracked"],
        left=int(numbers["scur"] or 0) + int(numbers["qcur"] or 0),
        number=int(state["srv_id"]),
        address=numbers["addr"],
        place=(state["srv_addr"].strip("-"), int(state["srv_port"]) or None),
        named=state.get("srv_fqdn", "-") != "-",
        status=" ".join(filter(None, (numbers["status"], numbers["check_status"], numbers["check_code"]))),
    )


def _free_number(name: str, taken: Container[int]) -> int:
    """A number for a server: it follows from the name, so that processes that add at once choose different ones."""
    number = zlib.crc32(name.encode()) % len(OURS)
    while OURS[number] in taken:
        number = (number + 1) % len(OURS)
    return OURS[number]


def _exchange(address: str, command: str) -> str:
    """One line there, all of the answer back; raises OSError for whatever takes too long or says too much."""
    end = time.monotonic() + SECONDS
    with _connected(address) as connection:
        connection.sendall(command.encode() + b"\n")
        answer = bytearray()
        while len(answer) <= MOST_BYTES:
            connection.settimeout(max(0.001, end - time.monotonic()))
            data = connection.recv(65536)
            if not data:
                return answer.decode(errors="replace").strip()
            answer += data
    raise OSError(f"its answer has more than {MOST_BYTES} bytes")


def _connected(address: str) -> socket.socket:
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(SECONDS)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
