"""Where the embedded installation of a home directory can be reached: written by `slipway up`, read by every command
that was given no addresses of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pydantic import Field

from domain.values import Value

FILE = "endpoint.json"
AWS_FOLDER = "aws"


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
    _write_private(home / FILE, endpoint.model_dump_json())


def remove_endpoint(home: Path) -> None:
    """Say that nothing runs here any more."""
    (home / FILE).unlink(missing_ok=True)


def write_aws_files(home: Path, api_url: str, access_key_id: str, secret: str, *, region: str) -> None:
    """Keep a key where AWS's own tools read one: `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`."""
    folder = home / AWS_FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_private(
        folder / "config",
        f"[default]\nregion = {region}\nservices = slipway\n\n[services slipway]\ncodedeploy =\n"
        f"  endpoint_url = {api_url}\n",
    )
    _write_private(
        folder / "credentials",
        f"[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret}\n",
    )


def aws_variables(home: Path) -> dict[str, str]:
    """The variables with which AWS's own tools speak to this installation."""
    folder = home.resolve() / AWS_FOLDER
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
    }


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    fresh.replace(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
