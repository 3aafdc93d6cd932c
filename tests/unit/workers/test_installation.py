"""What an embedded installation gives its processes."""

from __future__ import annotations

from config.settings import Settings
from workers.installation import for_hosts, services_of


def test_hosts_are_given_no_key_of_the_control_plane() -> None:
    environment = {
        "PATH": "/bin",
        "SLIPWAY_HOME": ".slipway",
        "SLIPWAY_S3__SECRET_ACCESS_KEY": "hush",
        "slipway_github__tokens": "hush",
        "SLIPWAY_AWS__SECRET_ACCESS_KEY": "hush",
        "SLIPWAY_LOAD_BALANCERS": '{"web": {"kind": "webhook", "secret": "hush"}}',
        "SLIPWAY_PUBLISHERS__WEBHOOKS": '{"chat": {"secret": "hush"}}',
        "SLIPWAY_ENVIRONMENTS": '{"vms": {"environment": {"TOKEN": "hush"}}}',
    }
    assert for_hosts(environment) == {"PATH": "/bin", "SLIPWAY_HOME": ".slipway"}


def test_hosts_at_load_balancers_have_a_worker_of_their_own_where_there_are_any() -> None:
    plain = services_of(Settings(), flower=False)
    assert plain == {name: (name,) for name in ("control", "watch", "trigger", "bundles", "api")}
    balancers = {"web": {"kind": "haproxy", "address": "/run/haproxy.sock", "backend": "web"}}
    behind = services_of(Settings.model_validate({"load_balancers": balancers}), flower=True)
    assert behind["control"] == ("control", "--queue", "control")
    assert behind["traffic"] == ("control", "--queue", "traffic")
    assert behind["flower"] == ("flower",)
