"""The operations as the server calls them, on the store in memory: what a caller gave is read against its shape, and so
is what comes back. Stands in for the engine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.store.memory import MemoryStore
from api.operations import OPERATIONS
from api.site import Site
from api.wire.model import errors_of
from api.wire.shapes import read_input, shape_output
from api.wire.values import Limits
from domain.applications import Application
from domain.configs import PREDEFINED, MinimumHealthyHosts, MinimumHealthyHostsType
from domain.deployments import (
    CreateDeployment,
    Deployment,
    DeploymentStatus,
    Phase,
    Progress,
    TargetRecord,
    WaitType,
)
from domain.errors import ApplicationDoesNotExist, CallerError, DeploymentGroupDoesNotExist
from domain.fleet import Target
from domain.groups import group_name
from domain.limits import Limits as Times
from domain.limits import Quotas
from domain.moves import Change
from domain.ports import Store
from domain.revisions import RevisionLocation
from workflows import admission, waits
from workflows.events import events_for

NOW = 1_790_000_000.0
ACCOUNT = "111122223333"
ROLE = "arn:aws:iam::111122223333:role/deployer"
USER = "arn:aws:iam::111122223333:user/host-1"
SESSION = "arn:aws:sts::111122223333:assumed-role/hosts/host-1"
S3 = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "shop/1.zip", "bundleType": "zip"}}
GITHUB = {"revisionType": "GitHub", "gitHubLocation": {"repository": "me/shop", "commitId": "a" * 40}}
COMMON = frozenset({"ValidationException", "SerializationException"})
"""Errors that any operation may answer beside those that it models."""
LONG = "a" * 101


def dump(store: Store) -> str:
    """All that the store holds, as text."""
    return repr(parts_of(store, vars(store)))


def parts_of(store: object, value: Any) -> Any:
    """The content of a part of the store, without locks and iterators."""
    if isinstance(value, Mapping):
        return {str(name): parts_of(store, each) for name, each in value.items()}
    if type(value).__module__.startswith("adapters."):
        return {name: parts_of(store, getattr(value, name)) for name in sorted(_names(value))}
    return None if "Lock" in type(value).__name__ or "iterator" in type(value).__name__ else value


def _names(value: object) -> Iterable[str]:
    return getattr(type(value), "__slots__", ()) or vars(value)


@dataclass
class Api:
    """An installation with an empty store; the clock goes on by a second with every reading."""

    store: Store = field(default_factory=MemoryStore)
    quotas: Quotas = field(default_factory=Quotas)
    missing: Callable[[Iterable[str]], list[str]] = lambda _names: []
    github_tokens: tuple[str, ...] = ()
    asked: list[CreateDeployment] = field(default_factory=list)
    """What the engine was asked to deploy."""

    def __post_init__(self) -> None:
        clock, ids, deployments = itertools.count(), itertools.count(1), itertools.count(1)
        self.now: Callable[[], float] = lambda: NOW + next(clock)
        self._deployment_ids = (f"d-{number:09d}" for number in deployments)
        self.site = Site(
            store=self.store,
            create_deployment=self._create,
            stop_deployment=self._stop,
            continue_deployment=self._continue,
            missing_auto_scaling_groups=lambda names: self.missing(names),
            now=lambda: self.now(),
            new_uuid=lambda: f"00000000-0000-4000-8000-{next(ids):012d}",
            new_suffix=lambda: f"suffix{next(ids):04d}",
            token_key=b"a key",
            account_id=ACCOUNT,
            quotas=self.quotas,
            github_tokens=self.github_tokens,
        )

    def _continue(self, deployment_id: str, wait: WaitType) -> None:
        self.store.change(deployment_id, lambda present: waits.continued(present, wait))

    def allow(self, **quotas: int) -> None:
        """Change quotas."""
        self.quotas = self.quotas.model_copy(update=quotas)
        self.site = replace(self.site, quotas=self.quotas)

    def __call__(self, operation: str, /, **given: Any) -> Any:
        """The answer of an operation, as it would be encoded."""
        read = read_input(operation, given, Limits())
        return shape_output(operation, OPERATIONS[operation](self.site, read)) or {}

    def refusal(self, operation: str, /, **given: Any) -> CallerError:
        """How an operation refuses; it must model that error and change nothing."""
        before = dump(self.store)
        with pytest.raises(CallerError) as caught:
            self(operation, **given)
        assert caught.value.code in errors_of(operation) | COMMON, f"{operation} does not model {caught.value.code}"
        assert caught.value.message
        assert dump(self.store) == before, f"{operation} was refused and changed something"
        return caught.value

    def code(self, operation: str, /, **given: Any) -> str:
        """The name of the error with which an operation refuses, without its ending."""
        return self.refusal(operation, **given).code.removesuffix("Exception")

    def pages(self, operation: str, member: str, /, between: Callable[[], object] = lambda: None, **given: Any) -> Any:
        """The pages of a list; `between` is done after each."""
        spelling = "NextToken" if operation == "ListTagsForResource" else "nextToken"
        token: dict[str, Any] = {}
        while True:
            answer = self(operation, **given, **token)
            yield answer[member]
            if spelling not in answer:
                return
            token = {spelling: answer[spelling]}
            between()

    # --- what there is ---

    def application(self, name: str = "shop", **more: Any) -> str:
        """An application; its name."""
        self("CreateApplication", applicationName=name, **more)
        return name

    def group(self, name: str = "web", *, application: str = "shop", **more: Any) -> dict[str, str]:
        """A group, of an application that is made if need be; what names it in a call."""
        if self.store.applications.named(application) is None:
            self.application(application)
        named = {"applicationName": application, "deploymentGroupName": name}
        self("CreateDeploymentGroup", **{**named, "serviceRoleArn": ROLE, **more})
        return named

    def zones(self, name: str = "zones") -> str:
        """A configuration that goes zone by zone; its name."""
        minimum = {"type": "FLEET_PERCENT", "value": 50}
        self("CreateDeploymentConfig", deploymentConfigName=name, minimumHealthyHosts=minimum, zonalConfig={})
        return name

    def instance(self, name: str = "host-1", **more: Any) -> str:
        """A registered on-premises instance; its name."""
        arns = more or {"iamUserArn": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
        self("RegisterOnPremisesInstance", instanceName=name, **arns)
        return name

    def deployment(
        self, *, targets: int = 0, at: float | None = None, application: str = "shop", group: str = "web"
    ) -> str:
        """A deployment that has started with so many targets, or with none has not; its id."""
        deployment_id = self._admit(application, group, self.now() if at is None else at)
        if targets:
            self._start(deployment_id, targets)
        return deployment_id

    def ended(self, deployment_id: str, status: DeploymentStatus = DeploymentStatus.SUCCEEDED) -> str:
        """Have a deployment end."""
        self.store.change(
            deployment_id, lambda d: Change(d.model_copy(update={"status": status, "complete_time": NOW}))
        )
        return deployment_id

    def _admit(self, application: str, group: str, at: float) -> str:
        of, found = self._found(application, group)
        made = Deployment(
            deployment_id=next(self._deployment_ids),
            application_id=of.application_id,
            application_name=application,
            deployment_group_name=group,
            deployment_group_id=found,
            deployment_config_name="CodeDeployDefault.OneAtATime",
            minimum_healthy_hosts=MinimumHealthyHosts(type=MinimumHealthyHostsType.HOST_COUNT, value=0),
            revision=RevisionLocation.model_validate(S3),
            create_time=at,
        )
        return self.store.admit(made, token=None, queue=True).deployment_id

    def _found(self, application: str, group: str) -> tuple[Application, str]:
        of = self.store.applications.named(application)
        if of is None:
            raise ApplicationDoesNotExist
        found = self.store.groups.named(group_name(of.application_id, group))
        if found is None:
            raise DeploymentGroupDoesNotExist
        return of, found.deployment_group_id

    def _start(self, deployment_id: str, targets: int) -> None:
        events = events_for(restart=False)
        phase = Phase(first=0, count=targets, lanes=1, events=events)
        self.store.lay_out(deployment_id, [a_target(index) for index in range(targets)])
        self.store.open_phase(deployment_id, 0, Progress(total=targets, lanes=1), check_at=NOW)
        started = {"status": DeploymentStatus.IN_PROGRESS, "phases": (phase,), "total": targets, "start_time": NOW}
        self.store.change(deployment_id, lambda d: Change(d.model_copy(update=started)))

    # --- the engine's part ---

    def _create(self, request: CreateDeployment) -> str:
        self.asked.append(request)
        application = self.store.applications.named(request.application_name or "")
        name = group_name(application.application_id, request.deployment_group_name or "") if application else ""
        group = self.store.groups.named(name)
        wanted = request.deployment_config_name or (group.deployment_config_name if group else "")
        made = admission.admit(
            request,
            application=application,
            group=group,
            config=PREDEFINED.get(wanted) or self.store.configs.get(wanted),
            deployment_id=next(self._deployment_ids),
            now=self.now(),
            limits=Times(),
        )
        return self.store.admit(made, token=None, queue=False, most=self.site.quotas.running_deployments).deployment_id

    def _stop(self, deployment_id: str, rollback: bool | None) -> Deployment:
        changed = self.store.change(
            deployment_id, lambda present: admission.stop(present, now=self.now(), rollback=rollback)
        )
        present = changed.deployment if changed else self.store.deployment(deployment_id)
        if present is None or (changed is None and present.status.final):
            raise admission.not_stoppable(deployment_id, present)
        return present


def a_target(index: int) -> TargetRecord:
    """A record that waits: every third is an on-premises instance."""
    if index % 3:
        name = f"i-{index:017x}"
        arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{name}"
    else:
        name = f"host_{index}"
        arn = f"arn:aws:codedeploy:us-east-1:{ACCOUNT}:instance/{name}_suffix{index:04d}"
    return TargetRecord(target=Target(target_id=name, arn=arn, queue=f"host.{name}"), index=index)


def without(value: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A copy without some members."""
    return {name: each for name, each in value.items() if name not in names}
