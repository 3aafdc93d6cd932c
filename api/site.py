"""What the API's operations work with: the store, the ways into the engine, and what this installation is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from domain.deployments import CreateDeployment, Deployment, WaitType
from domain.limits import Quotas
from domain.ports import Store
from domain.scaling import ScalingHook


@dataclass(frozen=True, slots=True)
class Site:
    """One installation as its API sees it."""

    store: Store
    create_deployment: Callable[[CreateDeployment], str]
    """The one way a deployment comes to be; its id."""
    stop_deployment: Callable[[str, bool | None], Deployment]
    """Asks a deployment to stop, and says whether it is to be rolled back (None: its configuration does); as it then
    stands."""
    continue_deployment: Callable[[str, WaitType], None]
    """Ends a wait of a blue/green deployment."""
    missing_auto_scaling_groups: Callable[[Sequence[str]], Sequence[str]]
    """Those of the names that no Auto Scaling group has; none where that cannot be told."""
    now: Callable[[], float]
    new_uuid: Callable[[], str]
    new_suffix: Callable[[], str]
    """Ten letters or digits for the ARN of an on-premises instance."""
    token_key: bytes
    """Signs paging tokens."""
    region: str = "us-east-1"
    account_id: str = "000000000000"
    quotas: Quotas = field(default_factory=Quotas)
    github_tokens: Sequence[str] = ()
    """Names of the GitHub tokens that the settings hold."""
    observe: Callable[[str, str, float], None] = lambda _operation, _code, _seconds: None
    """Counts a call: its operation, the code of its error or nothing, and the seconds it took. Costs no round trip."""
    metrics: Callable[[], bytes] = lambda: b""
    """What GET /metrics answers, in Prometheus' text format."""
    put_hook: Callable[[ScalingHook], None] | None = None
    """Installs a lifecycle hook; None where deployment groups get none. Raises CannotBegin, HookRefused among them."""
    delete_hook: Callable[[ScalingHook], bool] = lambda _hook: False
    """Removes a lifecycle hook; whether it is gone."""
    environments: frozenset[str] = frozenset()
    """Names among groups' Auto Scaling groups that are environments of the settings."""
