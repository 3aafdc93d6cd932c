"""A load balancer behind a webhook that this process serves: hosts go in and out when the test says so. The same server
gives out the files of a folder, so that bundles have a URL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "a-secret-of-the-webhook"


class HandBalancer:
    """Steps of the actions in `held` are not done yet; hosts in `stuck` are never let out of traffic."""

    def __init__(self) -> None:
        self.url = ""
        self.serving: set[str] = set()
        self.held: set[str] = set()
        self.stuck: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def settings(self, *names: str) -> dict[str, str]:
        """The variable that has these names lead here."""
        entry = {"kind": "webhook", "url": f"{self.url}/balancer", "secret": SECRET}
        return {"SLIPWAY_LOAD_BALANCERS": json.dumps(dict.fromkeys(names, entry))}

    def answer(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take one step with a host."""
        action, host = asked["action"], asked["target"]["id"]
        with self._lock:
            self.asked.append((action, host))
            if action == "block" and host in self.stuck:
                return 409, {"detail": f"{host} is pinned"}
            if action in self.held:
                return 200, {"done": False, "detail": "held by hand"}
            (self.serving.add if action == "allow" else self.serving.discard)(host)
            return 200, {"done": True, "detail": f"{action} was done by hand"}

    def steps(self, action: str, host: str) -> int:
        """How often a step was asked for."""
        with self._lock:
            return self.asked.count((action, host))


@contextmanager
def hand_balancer(folder: Path) -> Iterator[HandBalancer]:
    """A balancer that is served, with no host in traffic, and the files of `folder` beside it."""
    balancer = HandBalancer()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, balancer, directory=str(folder))) as server:
        server.daemon_threads = True
        balancer.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield balancer
        finally:
            server.shutdown()
            thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, balancer: HandBalancer, *connection: Any, directory: str) -> None:
        self._balancer = balancer
        super().__init__(*connection, directory=directory)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, told = self._balancer.answer(asked)
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            # Whoever asked was killed.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""
