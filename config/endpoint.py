"""Where the embedded installation of a home directory can be reached: written by `slipway up`, read by every command
that was given no addresses of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import Field

from domain.values import Value

FILE = "endpoint.json"


class Endpoint(Value):
    """The addresses of a running embedded installation; the key and token are secrets, so the file is private."""

    broker_url: str = Field(repr=False)
    store_url: str = Field(repr=False)
    bundles_url: str
    bundles_key: str = Field(repr=False)
    bundles_token: str = Field(repr=False)
    api_url: str = ""
    api_key: str = Field("", repr=False)
    flower_url: str = ""
    pid: int = Field(gt=0)


def read_endpoint(home: Path) -> Endpoint | None:
    """The endpoint of the home directory, or None if nothing runs there."""
    try:
        endpoint = Endpoint.model_validate(json.loads((home / FILE).read_text()))
    except (FileNotFoundError, ValueError):
        return None
    return endpoint if _alive(endpoint.pid) else None


def write_endpoint(home: Path, endpoint: Endpoint) -> None:
    """Say that an installation runs here."""
    home.mkdir(parents=True, exist_ok=True)
    fresh = home / f".{FILE}.{endpoint.pid}"
    fresh.touch(mode=0o600)
    fresh.write_text(endpoint.model_dump_json())
    fresh.replace(home / FILE)


def remove_endpoint(home: Path) -> None:
    """Say that nothing runs here any more."""
    (home / FILE).unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
