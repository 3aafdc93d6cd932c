"""What an embedded installation gives its processes."""

from __future__ import annotations

from workers.installation import for_hosts


def test_hosts_are_given_no_key_of_the_control_plane() -> None:
    environment = {
        "PATH": "/bin",
        "SLIPWAY_HOME": ".slipway",
        "SLIPWAY_S3__SECRET_ACCESS_KEY": "hush",
        "slipway_github__tokens": "hush",
        "SLIPWAY_AWS__SECRET_ACCESS_KEY": "hush",
    }
    assert for_hosts(environment) == {"PATH": "/bin", "SLIPWAY_HOME": ".slipway"}
