"""HAProxy through its runtime API: servers are drained, put into maintenance, and brought back behind fresh checks.

Source: HAProxy management guide, "Unix Socket commands". Tried with 2.6.
"""

from __future__ import annotations

import csv
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.load_balancers.naming import address_of, is_at, is_ip, joined, place_of, refusing, server_name, shown
from domain.errors import BalancerMissing, BalancerRefuses, WorldError
from domain.fleet import Target
from domain.traffic import Standing

SECONDS = 5.0
"""Of one exchange, from connecting to the last byte."""
MOST_BYTES = 8 * 1024 * 1024
"""Of one answer: some ten thousand servers."""

_NO_BACKEND = "Can't find backend"
_MAINTENANCE, _DRAIN = 0x01, 0x08
"""Of srv_admin_state: forced by the runtime API."""
_CONFIGURED, _ENABLED = 0x02, 0x04
"""Of srv_check_state."""
_UP = frozenset({"1", "2"})
"""Of srv_op_state: running, and running with a slow start."""


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
    address: str


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
        """
        name = self._name(target)
        server = self._find(name, target)
        if server is None:
            return Standing(done=True, detail=f"{self._backend} has no server {name}")
        self._check_fit(name, server)
        patient = waited < self._drain_seconds
        if not server.maintenance and not server.draining:
            server = self._set(name, "state drain")
        if not server.maintenance and not (server.left and patient):
            server = self._set(name, "state maint")
        if server.left and patient:
            return Standing(done=False, detail=f"draining, {server.left} requests left")
        return Standing(done=True, detail="in maintenance" + (f", gave up on {server.left}" if server.left else ""))

    def allow(self, target: Target, *, waited: float) -> Standing:  # noqa: ARG002
        """Out of maintenance into drain with its health forced down, so that HAProxy sends it nothing before as many
        fresh checks passed as `rise` says; then back into traffic."""
        name = self._name(target)
        server = self._find(name, target) or self._add(name, target)
        self._check_fit(name, server)
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
        """The server of a host. One with the host's address and another name would go on getting requests unnoticed."""
        with refusing():
            servers = self._servers()
        place = place_of(target, self._port)
        if name in servers or place is None:
            return servers.get(name)
        for other, server in servers.items():
            if is_at(server.address, place):
                raise BalancerRefuses(
                    f"{self._backend} has {server.address} as {other}, not as {name}: map the host to it in the "
                    "setting `servers`."
                )
        return None

    def _check_fit(self, name: str, server: Server) -> None:
        if server.tracks:
            raise BalancerRefuses(
                f"The server {name} of {self._backend} tracks {server.tracks}, and follows it: name that backend."
            )
        if not server.checked:
            raise BalancerRefuses(
                f"The server {name} of {self._backend} has no health check, so HAProxy cannot know when it may get "
                "requests: add `check` to its line."
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
        answer = self._run(f"add server {self._backend}/{name} {joined(host, port)} check {self._options}".rstrip())
        if (server := self._look(name)) is None:
            raise BalancerRefuses(f"HAProxy does not take {name} into {self._backend}: {shown(answer)}")
        return server

    def _set(self, name: str, *states: str) -> Server:
        answer = self._run("; ".join(f"set server {self._backend}/{name} {state}" for state in states))
        if answer:
            raise BalancerRefuses(
                f"HAProxy refuses to set {self._backend}/{name}: {shown(answer)}. The socket needs `level admin`."
            )
        if (server := self._look(name)) is None:
            raise WorldError(f"the server {name} left {self._backend} while it was changed")
        return server

    def _look(self, name: str) -> Server | None:
        with refusing():
            return self._servers().get(name)

    def _servers(self) -> Mapping[str, Server]:
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
            if found.keys() != numbers.keys():
                # Half an answer is none: who is missing from it would be taken for unknown.
                raise ValueError("they differ")
        except (KeyError, ValueError) as error:
            raise WorldError(f"the lists of servers of HAProxy at {self._address} do not fit: {error!r}") from error
        return found

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
        address=numbers["addr"],
        status=" ".join(filter(None, (numbers["status"], numbers["check_status"], numbers["check_code"]))),
    )


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
