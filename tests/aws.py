"""AWS for tests: moto's server on a loopback port, and what a test puts into it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from adapters.aws import Aws, AwsAccess

INSTANCE_ID = "i-0123456789abcdef0"
REGION = "us-east-1"
KEYS = {"access_key_id": "testing", "secret_access_key": "testing-secret"}


@cache
def _client(url: str, service: str) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing-secret",
    )


@cache
def _access(url: str) -> Aws:
    return Aws(AwsAccess(region=REGION, endpoint_url=url, **KEYS))


@cache
def _image(url: str) -> str:
    """An image to launch; the server takes seconds to list its own."""
    images: Sequence[Mapping[str, str]] = _client(url, "ec2").describe_images(Owners=["amazon"])["Images"]
    return images[0]["ImageId"]


@dataclass(frozen=True)
class FakeAws:
    """A server that speaks like AWS, and a grip on what is in it."""

    url: str

    @property
    def access(self) -> Aws:
        """Our own way to it."""
        return _access(self.url)

    @property
    def environment(self) -> Mapping[str, str]:
        """The settings that lead a process to it."""
        keys = {f"SLIPWAY_AWS__{name.upper()}": value for name, value in KEYS.items()}
        return {"SLIPWAY_AWS__ENABLED": "true", "SLIPWAY_AWS__ENDPOINT_URL": self.url, **keys}

    def client(self, service: str) -> Any:
        """A client as a test's owner of the account would use it."""
        return _client(self.url, service)

    def run(self, count: int = 1, **tags: str) -> list[str]:
        """Launch instances with tags; their ids. In a tag's name `__` stands for a colon."""
        named = [{"Key": key.replace("__", ":"), "Value": value} for key, value in tags.items()]
        made = self.client("ec2").run_instances(
            ImageId=self._image(),
            MinCount=count,
            MaxCount=count,
            TagSpecifications=[{"ResourceType": "instance", "Tags": named}] if named else [],
        )
        return [instance["InstanceId"] for instance in made["Instances"]]

    def auto_scaling_group(self, name: str, size: int) -> list[str]:
        """An Auto Scaling group of so many instances; their ids."""
        scaling = self.client("autoscaling")
        scaling.create_launch_configuration(
            LaunchConfigurationName=f"{name}-launch", ImageId=self._image(), InstanceType="t3.micro"
        )
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchConfigurationName=f"{name}-launch",
            MinSize=0,
            MaxSize=10,
            DesiredCapacity=size,
            AvailabilityZones=[f"{REGION}b"],
        )
        made = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
        return [member["InstanceId"] for member in made["Instances"]]

    def _image(self) -> str:
        return _image(self.url)


@contextlib.contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """A server of this process, empty, on a free loopback port. One at a time, for all of a process share what they
    hold."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with contextlib.closing(HTTPConnection(host, port, timeout=60)) as link:
            link.request("POST", "/moto-api/reset")
            assert link.getresponse().status == 200
        yield FakeAws(f"http://{host}:{port}")
    finally:
        server.stop()


class _Metadata(BaseHTTPRequestHandler):
    """As many answers of 503 as it was told, then those of an instance."""

    asked: list[str]
    failures: int
    answer: str

    def do_PUT(self) -> None:
        self.asked.append(f"PUT {self.path} {self.headers['X-aws-ec2-metadata-token-ttl-seconds']}")
        failed = len(self.asked) <= self.failures
        self._say(503 if failed else 200, "" if failed else "the-token")

    def do_GET(self) -> None:
        token = self.headers["X-aws-ec2-metadata-token"]
        self.asked.append(f"GET {self.path} {token}")
        self._say(200 if token == "the-token" else 401, self.answer)

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def metadata_service(*, failures: int = 0, answer: str = INSTANCE_ID) -> Iterator[tuple[str, list[str]]]:
    """The instance metadata service of an instance; its address, and what it was asked so far."""
    asked: list[str] = []
    kind = type("Told", (_Metadata,), {"asked": asked, "failures": failures, "answer": answer})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()
