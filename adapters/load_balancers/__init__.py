"""Load balancers in front of hosts, by the word that the settings use for each kind. AWS's need no setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adapters.load_balancers.choosing import Checked
from adapters.load_balancers.haproxy import HaproxyBalancer
from adapters.load_balancers.nginx import NginxBalancer
from adapters.load_balancers.webhook import WebhookBalancer

LOAD_BALANCERS: Mapping[str, Callable[..., Checked]] = {
    "haproxy": HaproxyBalancer,
    "nginx": NginxBalancer,
    "webhook": WebhookBalancer,
}
