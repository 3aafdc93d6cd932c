"""A real `slipway api` of an installation, and real clients of it: boto3 and the aws command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from tests.services import free_port
from tests.site import Site, wait_until


@dataclass(frozen=True)
class Key:
    """An access key and its secret, as `slipway keys create` showed them."""

    access_key_id: str
    secret: str


def make_key(site: Site, *arguments: str) -> Key:
    """A new access key, made as a person would."""
    made = json.loads(site.slipway("keys", "create", "--json", *arguments).stdout)
    return Key(made["accessKeyId"], made["secretAccessKey"])


@contextmanager
def api_site(*, limits: Mapping[str, float] | None = None, **environment: str) -> Iterator[tuple[Site, str]]:
    """An installation whose API is up, and its URL; `environment` are settings of its own."""
    with Site(limits=limits, **api_settings(), **environment) as site:
        yield site, start_api(site)


def api_settings() -> dict[str, str]:
    """What an installation needs whose API is to be started: a key, and a port that is free."""
    return {"SLIPWAY_API__KEY": "the installation's key", "SLIPWAY_API__PORT": str(free_port())}


def start_api(site: Site) -> str:
    """Start the API of an installation; its URL, once it is up."""
    site.start("api")
    url = f"http://127.0.0.1:{site.settings.api.port}"
    wait_until(lambda: is_ready(url), "the API")
    return url


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def boto(url: str, key: Key) -> Iterator[Any]:
    """boto3's client for CodeDeploy."""
    made: Any = boto3.session.Session().client(
        "codedeploy",
        region_name="eu-north-1",
        endpoint_url=url,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret,
        config=Config(retries={"total_max_attempts": 1}),
    )
    with closing(made):
        yield made


def ended(client: Any, deployment_id: str) -> dict[str, Any]:
    """A deployment as boto3 tells of it, once it has ended."""

    def end() -> dict[str, Any] | None:
        info: dict[str, Any] = client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return info if info["status"] in {"Succeeded", "Failed", "Stopped"} else None

    return wait_until(end, f"the end of {deployment_id}", limit=60)


def targets(client: Any, deployment_id: str) -> dict[str, dict[str, Any]]:
    """The targets of a deployment by their ids, as boto3 tells of them."""
    ids = client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
    found = client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=ids)["deploymentTargets"]
    return {each["instanceTarget"]["targetId"]: each["instanceTarget"] for each in found}


def events(target: dict[str, Any]) -> dict[str, str]:
    """The statuses of a target's lifecycle events, in their order."""
    return {each["lifecycleEventName"]: each["status"] for each in target["lifecycleEvents"]}


def aws_version_2() -> str | None:
    """A command line of the second version, as distributions have it."""
    for folder in os.environ["PATH"].split(os.pathsep):
        program = Path(folder) / "aws"
        if program.is_file() and _version(program).startswith("aws-cli/2."):
            return str(program)
    return None


def _version(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout


def aws(site: Site, url: str, key: Key, *arguments: str) -> Any:
    """What `aws deploy …` prints."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(site.home),
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ENDPOINT_URL_CODEDEPLOY": url,
    }
    command = [sys.executable, "-m", "awscli", "deploy", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None
