"""Revisions from S3 and GitHub, deployed by real processes: control signs, the host fetches and holds no credential."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from domain.configs import ALL_AT_ONCE
from domain.deployments import CreateDeployment, Deployment, DeploymentErrorCode, DeploymentStatus
from domain.lifecycle import Event
from domain.revisions import RevisionLocation
from tasks.admitting import create_deployment
from tests.revision_places import (
    ACCESS_KEY,
    BUCKET,
    OWNER,
    SECRET_KEY,
    TOKEN,
    GitHub,
    github_server,
    moto_server,
    s3_client,
    zipped,
)
from tests.services import free_port
from tests.site import Site, wait_until, write_revision
from tests.unit.adapters.bundle_making import file, tar_bytes

HOST = "web-1"
COMMIT = "c0ffee" * 6 + "c0ff"
AWS = Path(sys.executable).with_name("aws")


class Cloud:
    """S3, GitHub, and an installation whose processes hold only what each needs."""

    def __init__(self, site: Site, s3_url: str, github: GitHub) -> None:
        self.site, self.s3_url, self.github = site, s3_url, github
        self.s3 = s3_client(s3_url)
        self.agent_pid = 0
        self.api_url = f"http://127.0.0.1:{free_port()}"

    def deploy(self, revision: dict[str, Any]) -> Deployment:
        request = CreateDeployment(
            application_name="app",
            deployment_group_name="web",
            revision=RevisionLocation.model_validate(revision),
            file_exists_behavior="OVERWRITE",
        )
        return self.site.ended(create_deployment(self.site.world, request), limit=40)

    def deploy_object(self, key: str, **more: str) -> Deployment:
        where = {"bucket": BUCKET, "key": key, "bundleType": "zip", **more}
        return self.deploy({"revisionType": "S3", "s3Location": where})

    def installed(self) -> str:
        return (self.site.root(HOST) / "app/version.txt").read_text()

    def why(self, deployment: Deployment, event: Event = Event.DOWNLOAD_BUNDLE) -> str:
        record = self.site.world.store.target(deployment.deployment_id, HOST)
        assert record is not None
        diagnostics = record.events[event].diagnostics
        assert diagnostics is not None
        return diagnostics.message

    def aws(self, *arguments: str) -> str:
        """Run the aws command line as a pipeline would, against S3 and our API."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": "AKIDPIPELINE",
            "AWS_SECRET_ACCESS_KEY": "pipeline",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.s3_url,
            "AWS_ENDPOINT_URL_CODEDEPLOY": self.api_url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = subprocess.run(
            [str(AWS), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"aws {arguments}: {done.stdout}{done.stderr}"
        return done.stdout


def _variables(s3_url: str) -> dict[str, str]:
    return {
        "SLIPWAY_S3__ENDPOINT_URL": s3_url,
        "SLIPWAY_S3__REGION": "us-east-1",
        "SLIPWAY_S3__ACCESS_KEY_ID": ACCESS_KEY,
        "SLIPWAY_S3__SECRET_ACCESS_KEY": SECRET_KEY,
        "SLIPWAY_S3__ADDRESSING": "path",
    }


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    port = str(free_port())
    with (
        moto_server() as s3_url,
        github_server() as (github, github_url),
        Site(SLIPWAY_BUNDLES__BASE_URL=f"http://127.0.0.1:{port}") as site,
    ):
        cloud = Cloud(site, s3_url, github)
        site.start("control", **_variables(s3_url))
        site.start("watch", **_variables(s3_url))
        pulling = {"API_URL": github_url, "TOKENS": f'{{"main": "{TOKEN}"}}', "OWNERS": f'{{"{OWNER}": "main"}}'}
        site.start("bundles", SLIPWAY_BUNDLES__PORT=port, **{f"SLIPWAY_GITHUB__{k}": v for k, v in pulling.items()})
        api_port = cloud.api_url.rpartition(":")[2]
        site.start("api", SLIPWAY_API__PORT=api_port, SLIPWAY_API__AUTHENTICATE="false", SLIPWAY_API__KEY="k")
        cloud.agent_pid = site.agent(HOST).pid
        site.register([HOST])
        site.group("web", config=ALL_AT_ONCE)
        wait_until(lambda: all(site.world.store.seen([HOST])), "the hello of the agent")
        for taken in (port, api_port):
            wait_until(partial(_listens, int(taken)), f"a server on port {taken}")
        yield cloud


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_deployment_from_s3(cloud: Cloud, tmp_path: Path) -> None:
    revision = write_revision(tmp_path / "v1", {"ValidateService": 'echo "$BUNDLE_ETAG" >"$SLIPWAY_ROOT/etag"'})
    put = cloud.s3.put_object(Bucket=BUCKET, Key="app.zip", Body=zipped(revision))
    ended = cloud.deploy_object("app.zip", eTag=put["ETag"])
    assert ended.status is DeploymentStatus.SUCCEEDED
    assert cloud.installed() == "v1"
    assert (cloud.site.root(HOST) / "etag").read_text().strip() == put["ETag"]


def test_an_object_that_was_overwritten(cloud: Cloud, tmp_path: Path) -> None:
    first = cloud.s3.put_object(Bucket=BUCKET, Key="over.zip", Body=zipped(write_revision(tmp_path / "o1", {})))
    cloud.s3.put_object(Bucket=BUCKET, Key="over.zip", Body=zipped(write_revision(tmp_path / "o2", {})))
    other = cloud.deploy_object("over.zip", eTag=first["ETag"])
    assert other.status is DeploymentStatus.FAILED
    assert other.error_information is not None
    assert other.error_information.code is DeploymentErrorCode.INVALID_REVISION
    assert "was overwritten" in other.error_information.message
    assert other.start_time is None
    version = cloud.deploy_object("over.zip", eTag=first["ETag"], version=first["VersionId"])
    assert version.status is DeploymentStatus.SUCCEEDED
    assert cloud.installed() == "o1"


def test_an_object_that_is_not_there(cloud: Cloud) -> None:
    ended = cloud.deploy_object("none.zip")
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.REVISION_MISSING
    assert "no object none.zip in the S3 bucket releases" in ended.error_information.message


def test_a_bundle_that_the_store_does_not_hold(cloud: Cloud) -> None:
    """As one that was removed: the earlier release goes on running."""
    sha256 = "0" * 64
    where = {"sha256": sha256, "bundleType": "zip"}
    ended = cloud.deploy({"revisionType": "Bundle", "bundleLocation": where})
    assert ended.error_information is not None
    assert ended.error_information.code is DeploymentErrorCode.REVISION_MISSING
    assert ended.error_information.message == f"There is no bundle {sha256} in the bundle store; push it again."
    assert ended.start_time is None


def github(commit: str, folder: str) -> dict[str, Any]:
    return {"revisionType": "GitHub", "gitHubLocation": {"repository": f"{OWNER}/mono//{folder}", "commitId": commit}}


def test_a_private_repository_whose_token_no_host_sees(cloud: Cloud) -> None:
    spec = b"version: 0.0\nos: linux\nfiles:\n  - source: version.txt\n    destination: /app\n"
    top = "me-mono-c0ffee/services/web"
    members = [file(f"{top}/appspec.yml", spec), file(f"{top}/version.txt", b"mono"), file("me-mono-c0ffee/README")]
    cloud.github.archives[COMMIT] = gzip.compress(tar_bytes(members))
    ended = cloud.deploy(github(COMMIT, "services/web"))
    assert ended.status is DeploymentStatus.SUCCEEDED, ended
    assert cloud.installed() == "mono"
    assert not (cloud.site.root(HOST) / "app/README").exists()
    held = Path(f"/proc/{cloud.agent_pid}/environ").read_bytes()
    held += b"".join(path.read_bytes() for path in cloud.site.home.rglob("*.log"))
    held += b"".join(path.read_bytes() for path in cloud.site.state(HOST).rglob("*") if path.is_file())
    assert b"/revisions/github/me/mono/" in held, "the order is in the agent's journal"
    for secret in (TOKEN, SECRET_KEY, ACCESS_KEY):
        assert secret.encode() not in held.replace(f"X-Amz-Credential={ACCESS_KEY}".encode(), b"")


def test_a_commit_that_is_not_there_is_said_by_the_host(cloud: Cloud) -> None:
    ended = cloud.deploy(github("d" * 40, "web"))
    assert ended.status is DeploymentStatus.FAILED
    assert "GitHub shows no commit me/mono@dddd" in cloud.why(ended)


def test_an_unchanged_pipeline_pushes_and_deploys(cloud: Cloud, tmp_path: Path) -> None:
    """`aws deploy push` uploads to S3 and registers; `create-deployment` names what it printed."""
    source = write_revision(tmp_path / "pushed", {})
    cloud.aws(
        "deploy", "push", "--application-name", "app", "--s3-location", f"s3://{BUCKET}/p.zip", "--source", str(source)
    )
    tag = cloud.s3.head_object(Bucket=BUCKET, Key="p.zip")["ETag"].strip('"')
    _deployed_by_aws(cloud, f"bucket={BUCKET},key=p.zip,bundleType=zip,eTag={tag}")
    assert cloud.installed() == "pushed"


def test_an_unchanged_client_names_our_own_store(cloud: Cloud, tmp_path: Path) -> None:
    content = zipped(write_revision(tmp_path / "own", {}))
    (tmp_path / "own.zip").write_bytes(content)
    cloud.site.slipway("push", str(tmp_path / "own.zip"))
    key = f"{hashlib.sha256(content).hexdigest()}.zip"
    listed = _deployed_by_aws(cloud, f"bucket=slipway-bundles,key={key},bundleType=zip")
    assert cloud.installed() == "own"
    assert listed.split() == ["slipway-bundles", "zip", key]


def _deployed_by_aws(cloud: Cloud, s3_location: str) -> str:
    """Deploy by the aws command line; what it tells of the revision afterwards."""
    deployment_id = cloud.aws(
        *("deploy", "create-deployment", "--application-name", "app", "--deployment-group-name", "web"),
        *("--s3-location", s3_location, "--file-exists-behavior", "OVERWRITE"),
        *("--query", "deploymentId", "--output", "text"),
    ).strip()
    assert cloud.site.ended(deployment_id, limit=40).status is DeploymentStatus.SUCCEEDED
    shown = ("deploy", "get-deployment", "--deployment-id", deployment_id, "--output", "text")
    return cloud.aws(*shown, "--query", "deploymentInfo.revision.s3Location")


def test_sources_of_the_command_line(cloud: Cloud, tmp_path: Path) -> None:
    cloud.s3.put_object(Bucket=BUCKET, Key="cli.zip", Body=zipped(write_revision(tmp_path / "cli", {})))
    deploy = ("--group", "app/web", "--file-exists-behavior", "OVERWRITE", "--watch")
    cloud.site.slipway("deploy", f"s3://{BUCKET}/cli.zip", *deploy)
    assert cloud.installed() == "cli"
    content = zipped(write_revision(tmp_path / "url", {}))
    cloud.s3.put_object(Bucket=BUCKET, Key="url.zip", Body=content, ACL="public-read")
    cloud.site.slipway("deploy", f"{cloud.s3_url}/{BUCKET}/url.zip", *deploy)
    assert cloud.installed() == "url"
    wrong = cloud.site.slipway("deploy", "s3://releases/cli", *deploy, check=False)
    assert wrong.returncode == 2
    assert "names no revision" in wrong.stderr
    nowhere = cloud.site.slipway("deploy", "no-such-place", *deploy, check=False)
    assert nowhere.returncode == 2
    assert "github:owner/name@commit" in nowhere.stderr
