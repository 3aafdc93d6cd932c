"""Serves the sample site on a port that the kernel picks, and writes the port down for the other scripts."""

from __future__ import annotations

import functools
import http.server
import pathlib
import signal
import sys


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of each request."""

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


def main() -> None:
    """Serve until told to stop."""
    here = pathlib.Path(__file__).parent
    handler = functools.partial(Quiet, directory=str(here / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        (here / "port").write_text(str(server.server_address[1]))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            server.serve_forever()
        finally:
            # Whoever stops the server waits for this file to go.
            (here / "pid").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
