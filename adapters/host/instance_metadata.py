"""Who this machine is to EC2: asks the instance metadata service by its version 2, with a token. Version 1, which any
request forged through this machine could ask, is never used.

Source: Amazon EC2 user guide, "Use IMDSv2".
"""

from __future__ import annotations

import re

import httpx

from domain.errors import HostError

TRIES = 3
SECONDS = 2.0
"""An answer must come within this time; the service is on this machine or not at all."""
TOKEN_SECONDS = "60"  # noqa: S105  (how long a token lives)
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")


class NoInstanceMetadata(HostError):
    """The instance metadata service does not say which instance this is."""


def fetch_instance_id(endpoint: str) -> str:
    """The id of the EC2 instance this runs on; raises NoInstanceMetadata."""
    trouble = ""
    for _ in range(TRIES):
        try:
            # No proxy: it would answer for the machine it runs on.
            with httpx.Client(base_url=endpoint, timeout=SECONDS, trust_env=False) as client:
                answer = _asked(client)
        except httpx.HTTPError as error:
            trouble = str(error) or type(error).__name__
        else:
            if _INSTANCE_ID.fullmatch(answer):
                return answer
            trouble = f"{answer[:40]!r} is no instance id"
    raise NoInstanceMetadata(
        f"the instance metadata service at {endpoint} does not say which EC2 instance this is ({trouble}). "
        "On an instance, turn the service on, with a hop limit of 2 for containers; elsewhere give --id NAME."
    )


def _asked(client: httpx.Client) -> str:
    token = client.put("/latest/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": TOKEN_SECONDS})
    token.raise_for_status()
    found = client.get("/latest/meta-data/instance-id", headers={"X-aws-ec2-metadata-token": token.text})
    return found.raise_for_status().text.strip()
