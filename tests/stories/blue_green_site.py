"""An installation for blue/green deployments without AWS, driven through boto3: green hosts come from a pool of spare
machines by a program, the balancer is moved by hand, every machine has its agent."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.revisions.pack import pack_directory
from domain.bundles import BundleType
from domain.fleet import Instance, TargetKind
from tests.services import wait_until
from tests.site import CHECKOUT, Site, write_revision
from tests.stories.api_process import api_site, boto, is_ready, make_key
from tests.stories.hand_balancer import HandBalancer, hand_balancer

BEFORE_TRAFFIC = ("BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
INTO_TRAFFIC = ("BeforeAllowTraffic", "AfterAllowTraffic")
OUT_OF_TRAFFIC = ("BeforeBlockTraffic", "AfterBlockTraffic")
CONTROL_PLANE = ("control", "watch", "api")
ROLE = "arn:aws:iam::111122223333:role/deployer"
BALANCER = "edge"

_PROGRAM = """#!/bin/sh
echo "$1" >>"$SPARE_POOL/calls"
while [ -e "$SPARE_POOL/hold-$1" ]; do sleep 0.05; done
exec "$PYTHON" "$EXAMPLE" "$1"
"""
_HOOK = """echo "$LIFECYCLE_EVENT $DEPLOYMENT_ID" >>"$SLIPWAY_ROOT/ran"
while [ -e "{hold}/$LIFECYCLE_EVENT" ]; do sleep 0.05; done"""
_NO_ROOM = """echo '{"hosts": [{"id": "half-made"}]}'; echo 'no room in the rack' >&2; exit 3"""


@dataclass
class BlueGreenSite:
    """The installation, its client and its balancer. `folder` holds what tests write: bundles, the pool, and in `hold`
    a file for each lifecycle event whose scripts are to wait."""

    site: Site
    url: str
    client: Any
    balancer: HandBalancer
    folder: Path

    def crash(self) -> None:
        """kill -9 for control, watch and API; then they are started again."""
        for name in CONTROL_PLANE:
            self.site.kill(name)
        for name in CONTROL_PLANE:
            self.site.start(name)
        wait_until(lambda: is_ready(self.url), "the API")

    def version(self, name: str, **hooks: str) -> dict[str, Any]:
        """A revision whose scripts leave a mark each time they run; `hooks` are what some do beside that."""
        mark = _HOOK.format(hold=self.folder / "hold")
        every = (*BEFORE_TRAFFIC, *INTO_TRAFFIC, *OUT_OF_TRAFFIC)
        scripts = {event: f"{mark}\n{hooks.get(event, '')}" for event in every}
        pack_directory(write_revision(self.folder / name, scripts), self.folder / f"{name}.tgz", BundleType.TGZ)
        url = f"{self.balancer.url}/{name}.tgz"
        return {"revisionType": "S3", "s3Location": {"bucket": "slipway-http", "key": url, "bundleType": "tgz"}}

    def hold(self, event: str) -> Path:
        """Have the scripts of an event wait until the file is gone."""
        held = self.folder / "hold" / event
        held.touch()
        return held

    def hold_program(self, name: str) -> Path:
        """Have the program that makes or removes machines wait until the file is gone."""
        held = self.pool / f"hold-{name}"
        held.touch()
        return held

    @property
    def pool(self) -> Path:
        """Where the pool of spare machines is kept."""
        return self.folder / "pool"

    def calls(self, name: str) -> int:
        """How often the program was run to make or to remove machines."""
        calls = self.pool / "calls"
        return calls.read_text().split().count(name) if calls.exists() else 0

    def taken(self) -> dict[str, str]:
        """Machines that are not spare, and the deployment each was made for."""
        book = self.pool / "taken.json"
        return dict(json.loads(book.read_text())) if book.exists() else {}

    def hooks(self, host: str, deployment_id: str) -> list[str]:
        """The scripts that a deployment ran on a machine, in order."""
        ran = self.site.root(host) / "ran"
        lines = [line.split() for line in ran.read_text().splitlines()] if ran.exists() else []
        return [event for event, of in lines if of == deployment_id]

    def told(self, deployment_id: str) -> Counter[str]:
        """What the outside was told of a deployment: happenings by type, each once however often it was said."""
        history = self.site.world.store.history(limit=10_000)
        ids = {told.event_id: told.type.value for _, told in history if told.deployment_id == deployment_id}
        return Counter(ids.values())

    def errors(self) -> list[str]:
        """What went wrong in the control plane, unseen elsewhere."""
        logs = [(self.site.home / f"{name}.log").read_text(errors="replace") for name in CONTROL_PLANE]
        return [line for log in logs for line in log.splitlines() if " ERROR " in line]

    def add_group(
        self,
        name: str,
        *,
        ready: Mapping[str, Any],
        ending: Mapping[str, Any],
        hosts: Mapping[str, Any] | None = None,
        balancer: str = BALANCER,
    ) -> None:
        """A blue/green group. Without a selection of `hosts`, green ones are made by the environment of its name."""
        provisioning = "DISCOVER_EXISTING" if hosts else "COPY_AUTO_SCALING_GROUP"
        self.client.create_deployment_group(
            applicationName="app",
            deploymentGroupName=name,
            serviceRoleArn=ROLE,
            deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
            blueGreenDeploymentConfiguration={
                "greenFleetProvisioningOption": {"action": provisioning},
                "deploymentReadyOption": ready,
                "terminateBlueInstancesOnDeploymentSuccess": ending,
            },
            loadBalancerInfo={"targetGroupInfoList": [{"name": balancer}]},
            **(hosts or {"autoScalingGroups": [name]}),
        )

    def put_in(self, environment: str, *hosts: str) -> None:
        """Hosts of an environment that are in traffic, where nothing is deployed: they have no agent."""
        for host in hosts:
            arn = f"arn:aws:codedeploy:us-east-1:000000000000:instance/{host}"
            made = Instance(instance_id=host, kind=TargetKind.ON_PREMISES, arn=arn, auto_scaling_groups=(environment,))
            self.site.world.store.instances.add(host, made)
            self.balancer.serving.add(host)

    def members(self, environment: str) -> set[str]:
        """The registered hosts of an environment."""
        names = self.site.world.store.instances.names(limit=1000)
        found = self.site.world.store.instances.many(names)
        return {host.instance_id for host in found if host and environment in host.auto_scaling_groups}

    def deploy(self, group: str, revision: dict[str, Any], **members: Any) -> str:
        """The id of a new deployment."""
        # Machines are used again, by other groups.
        ours = {"applicationName": "app", "deploymentGroupName": group, "fileExistsBehavior": "OVERWRITE"}
        made = self.client.create_deployment(**ours, revision=revision, **members)
        return str(made["deploymentId"])

    def info(self, deployment_id: str) -> dict[str, Any]:
        """`deploymentInfo`."""
        found: dict[str, Any] = self.client.get_deployment(deploymentId=deployment_id)["deploymentInfo"]
        return found

    def until(self, deployment_id: str, status: str, *, limit: float = 40.0) -> dict[str, Any]:
        """`deploymentInfo` once the deployment has a status; fails at once if it ends in another."""

        def there() -> dict[str, Any] | None:
            info = self.info(deployment_id)
            if "completeTime" in info:
                assert info["status"] == status, info.get("errorInformation")
            return info if info["status"] == status else None

        return wait_until(there, f"{status} of {deployment_id}", limit=limit)

    def targets(self, deployment_id: str) -> dict[str, tuple[str, str]]:
        """The label and the status of each target."""
        ids = self.client.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        if not ids:
            return {}
        found = self.client.batch_get_deployment_targets(deploymentId=deployment_id, targetIds=ids)
        each = [target["instanceTarget"] for target in found["deploymentTargets"]]
        return {target["targetId"]: (target["instanceLabel"], target["status"]) for target in each}


@contextmanager
def blue_green_site(folder: Path, machines: tuple[str, ...], environments: tuple[str, ...]) -> Iterator[BlueGreenSite]:
    """The installation, with agents on all machines of the pool, and nothing deployed. `environments` are names for
    that pool; the one called `broken` can make nothing."""
    with ExitStack() as stack:
        balancer = stack.enter_context(hand_balancer(folder))
        settings = balancer.settings(BALANCER) | _environments(folder, machines, environments)
        site, url = stack.enter_context(api_site(limits=None, **settings))
        for process in ("control", "watch"):
            site.start(process)
        for machine in machines:
            site.agent(machine)
        client = stack.enter_context(boto(url, make_key(site)))
        client.create_application(applicationName="app")
        (folder / "hold").mkdir()
        wait_until(lambda: all(site.world.store.seen(machines)), "the agents' hello")
        yield BlueGreenSite(site, url, client, balancer, folder)


def _environments(folder: Path, machines: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    pool = folder / "pool"
    pool.mkdir()
    (pool / "machines.json").write_text(json.dumps([{"id": name} for name in machines]))
    program = folder / "spare-pool"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    variables = {
        "SPARE_POOL": str(pool),
        "PYTHON": sys.executable,
        "EXAMPLE": str(CHECKOUT / "examples" / "environments" / "spare_pool.py"),
    }
    ours = {
        "provision": [str(program), "make"],
        "retire": [str(program), "remove"],
        "environment": variables,
        "first_count": 2,
    }
    broken = {"provision": ["/bin/sh", "-c", _NO_ROOM], "retire": ["/bin/sh", "-c", f"cat >>{folder}/removed"]}
    made = {**dict.fromkeys(names, ours), "broken": broken}
    return {"SLIPWAY_ENVIRONMENTS": json.dumps(made)}
