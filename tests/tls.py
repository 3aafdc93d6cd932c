"""A Redis on a TCP port with TLS, a password or both, and the certificates it needs, for tests of transports."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.services import background, free_port, wait_until
from workers.embedded import find_server


def has_tls() -> str | None:
    """The server's program if it speaks TLS and certificates can be made here, else None."""
    server = find_server()
    told = subprocess.run(
        [server, "--port", "0", "--tls-port", "1", "--tls-cert-file", "/nowhere"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    speaks = "Bad directive" not in told.stdout + told.stderr
    return server if speaks and shutil.which("openssl") else None


def make_authority(folder: Path) -> Path:
    """A certificate authority in a folder: its certificate, `ca.pem`."""
    folder.mkdir(parents=True, exist_ok=True)
    _openssl(
        folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=Slipway test authority", "-keyout", "ca.key", "-out", "ca.pem",
    )  # fmt: skip
    return folder / "ca.pem"


def make_certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 by the folder's authority: `server.pem` and `server.key`."""
    _openssl(
        folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr",
    )  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl(
        folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", "names", "-out", "server.pem",
    )  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=30)


@contextlib.contextmanager
def redis_on_port(folder: Path, *, password: str = "", tls: bool = False) -> Iterator[int]:
    """A server on a free loopback port until the block ends; the port. With `tls` the folder holds its certificate."""
    port = free_port()
    options = ["--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    options += ["--requirepass", password] if password else []
    options += ["--port", "0", "--tls-port", str(port)] if tls else ["--port", str(port)]
    if tls:
        options += ["--tls-cert-file", str(folder / "server.pem"), "--tls-key-file", str(folder / "server.key")]
        options += ["--tls-ca-cert-file", str(folder / "ca.pem"), "--tls-auth-clients", "no"]
    log = folder / "redis.log"
    with background([find_server(), *options], log):
        wait_until(lambda: "Ready to accept connections" in log.read_text(), "a Redis on a port")
        yield port
