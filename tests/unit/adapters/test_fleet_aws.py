"""Hosts as AWS has them: found page by page, each once, or not at all with the reason."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.aws import Aws, AwsAccess
from adapters.fleet import ec2
from adapters.fleet.auto_scaling import memberships_of, missing_of
from adapters.fleet.ec2 import Ec2Fleet, narrowing
from adapters.fleet.registered import RegisteredFleet
from adapters.fleet.united import UnitedFleet
from adapters.store.memory import MemoryStore
from domain.errors import AutoScalingGroupMissing, CannotBegin, MissingCredentials, MissingRights, WorldError
from domain.fleet import Instance, TargetKind
from domain.groups import DeploymentGroup, TagFilter
from tests.aws import REGION, FakeAws, fake_aws
from tests.unit.workflows.engine_values import a_group
from workflows.targeting import choose, filter_groups, matches


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    with fake_aws() as server:
        yield server


def tagged(**tags: str) -> DeploymentGroup:
    return a_group(ec2_tag_filters=tuple({"key": key, "value": value} for key, value in tags.items()))


def chosen(aws: FakeAws, group: DeploymentGroup) -> dict[str, Instance]:
    found = choose(Ec2Fleet(aws.access).instances(group), group)
    return {instance.instance_id: instance for instance in found}


def test_instances_are_found_by_tags_with_their_arn_and_zone(aws: FakeAws) -> None:
    (web,) = aws.run(role="arn", Name="web one")
    aws.run(role="other")
    found = chosen(aws, tagged(role="arn"))[web]
    assert found.arn == f"arn:aws:ec2:{REGION}:123456789012:instance/{web}"
    assert found.kind is TargetKind.EC2
    assert found.zone is not None
    assert found.zone.startswith(REGION)
    assert found.tags == {"role": "arn", "Name": "web one"}


def test_a_stopped_instance_counts_and_a_terminated_one_does_not(aws: FakeAws) -> None:
    up, stopped, gone = aws.run(3, role="states")
    aws.client("ec2").stop_instances(InstanceIds=[stopped])
    aws.client("ec2").terminate_instances(InstanceIds=[gone])
    assert set(chosen(aws, tagged(role="states"))) == {up, stopped}


def test_every_page_is_read(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ec2, "PAGE", 5)
    assert set(chosen(aws, tagged(role="pages"))) == set()
    made = aws.run(12, role="pages")
    assert set(chosen(aws, tagged(role="pages"))) == set(made)


def test_members_of_an_auto_scaling_group_join_those_with_tags_each_once(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ec2, "IDS", 1)
    members = aws.auto_scaling_group("union", 3)
    aws.client("ec2").create_tags(Resources=members[:1], Tags=[{"Key": "role", "Value": "union"}])
    others = aws.run(role="union")
    group = a_group(ec2_tag_filters=({"key": "role", "value": "union"},), auto_scaling_groups=("union",))
    listed = [instance.instance_id for instance in Ec2Fleet(aws.access).instances(group)]
    assert len(listed) == len(set(listed))
    found = chosen(aws, group)
    assert set(found) == {*members, *others}
    assert {found[name].auto_scaling_groups for name in members} == {("union",)}
    assert {found[name].zone for name in members} == {f"{REGION}b"}


def test_members_that_come_and_go_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    states = ["Pending", "Pending:Wait", "InService", "Standby", "Terminating:Wait", "Terminating:Proceed"]
    members = [{"InstanceId": state, "LifecycleState": state} for state in states]
    page = {"AutoScalingGroups": [{"AutoScalingGroupName": "fleet", "Instances": members}]}
    monkeypatch.setattr(Aws, "pages", lambda *_, **__: [page])
    found = memberships_of(Aws(AwsAccess(region=REGION)), ["fleet"])
    assert {name for name, each in found.items() if each.groups} == set(states[:4])
    assert {name for name, each in found.items() if each.launching} == set(states[:2])
    assert {name for name, each in found.items() if each.leaving} == set(states[4:])


def test_an_auto_scaling_group_that_is_gone_ends_the_deployment(aws: FakeAws) -> None:
    with pytest.raises(AutoScalingGroupMissing, match="no Auto Scaling group gone;"):
        Ec2Fleet(aws.access).instances(a_group(auto_scaling_groups=("gone",)))


def test_the_groups_that_are_not_there_are_named(aws: FakeAws) -> None:
    aws.auto_scaling_group("here", 0)
    assert missing_of(aws.access, ["here", "not-here"]) == ["not-here"]
    assert missing_of(aws.access, []) == ()


def test_a_group_that_wants_nothing_of_aws_asks_nothing() -> None:
    nowhere = Aws(AwsAccess(region=REGION, endpoint_url="http://127.0.0.1:1"))
    assert Ec2Fleet(nowhere).instances(a_group()) == []


def test_both_fleets_are_one(aws: FakeAws) -> None:
    store = MemoryStore()
    premises = Instance(instance_id="web-1", kind=TargetKind.ON_PREMISES, arn="arn:1", tags={"role": "both"})
    store.instances.add("web-1", premises)
    (cloud,) = aws.run(role="both")
    fleet = UnitedFleet(RegisteredFleet(store.instances, environments=["vms"]), Ec2Fleet(aws.access))
    filters = ({"key": "role", "value": "both"},)
    group = a_group(ec2_tag_filters=filters, on_premises_instance_tag_filters=filters)
    assert [instance.instance_id for instance in choose(fleet.instances(group), group)] == sorted(["web-1", cloud])
    assert fleet.kinds == frozenset(TargetKind)
    assert fleet.environments == {"vms"}


class _Refusing(BaseHTTPRequestHandler):
    """Answers every call with one error."""

    status, code = 400, ""

    def do_POST(self) -> None:
        body = (
            f"<Response><Errors><Error><Code>{self.code}</Code><Message>You may not.</Message></Error></Errors>"
            "<RequestID>1</RequestID></Response>"
        ).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's log is no place for requests."""


@pytest.mark.parametrize(
    ("code", "status", "error", "deployment_code"),
    [
        ("UnauthorizedOperation", 403, MissingRights, "IAM_ROLE_PERMISSIONS"),
        ("AuthFailure", 401, MissingRights, "IAM_ROLE_PERMISSIONS"),
        ("OptInRequired", 401, CannotBegin, "NO_EC2_SUBSCRIPTION"),
        ("RequestLimitExceeded", 503, WorldError, None),
        ("InternalError", 500, WorldError, None),
    ],
)
def test_whose_fault_it_is(code: str, status: int, error: type[Exception], deployment_code: str | None) -> None:
    handler = type("Handler", (_Refusing,), {"status": status, "code": code})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        refused = Aws(AwsAccess(REGION, url, access_key_id="key", secret_access_key="hidden-secret"))
        with pytest.raises(error, match="ec2:DescribeInstances") as raised:
            Ec2Fleet(refused).instances(tagged(role="web"))
        server.shutdown()
        thread.join()
    assert getattr(raised.value, "code", None) == deployment_code
    assert "hidden-secret" not in f"{raised.value}{refused._access!r}"


def test_an_aws_that_is_away_is_the_worlds_fault() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        away = Aws(AwsAccess(REGION, url, access_key_id="key", secret_access_key="secret"))
        with pytest.raises(WorldError, match="does not answer ec2:DescribeInstances"):
            Ec2Fleet(away).instances(tagged(role="web"))


def test_no_credentials_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    bare = Aws(AwsAccess(REGION, "http://127.0.0.1:1"))
    with pytest.raises(MissingCredentials, match="Give the control plane a role or credentials"):
        Ec2Fleet(bare).instances(tagged(role="web"))


KEYS = st.sampled_from(["role", "stage", "a*b", None])
FILTERS = st.builds(
    TagFilter, key=KEYS, value=st.just("v"), type=st.sampled_from(["KEY_ONLY", "VALUE_ONLY", "KEY_AND_VALUE"])
)
ALTERNATIVES = st.lists(FILTERS, max_size=2).map(tuple)


@given(ALTERNATIVES, st.lists(ALTERNATIVES, max_size=2), st.dictionaries(KEYS.map(str), st.just("v")))
def test_narrowing_leaves_out_no_host_of_the_group(
    one: tuple[TagFilter, ...], groups: list[tuple[TagFilter, ...]], tags: dict[str, str]
) -> None:
    group = a_group(ec2_tag_filters=one, ec2_tag_set=tuple(groups))
    narrowed = narrowing(group)
    if matches(tags, filter_groups(one, groups)) and narrowed:
        values = narrowed[0]["Values"]
        assert isinstance(values, list)
        assert set(values) & tags.keys()


def test_names_of_environments_are_not_asked_of_aws() -> None:
    nowhere = Aws(AwsAccess(region=REGION, endpoint_url="http://127.0.0.1:1"))
    assert Ec2Fleet(nowhere, environments={"ours"}).instances(a_group(auto_scaling_groups=("ours",))) == []


def test_members_of_environments_are_among_the_registered() -> None:
    store = MemoryStore()
    host = Instance(instance_id="web-1", kind=TargetKind.ON_PREMISES, arn="arn:1", auto_scaling_groups=("ours",))
    store.instances.add("web-1", host)
    group = a_group(auto_scaling_groups=("ours",))
    assert RegisteredFleet(store.instances).instances(group) == ()
    fleet = RegisteredFleet(store.instances, environments={"ours"})
    assert choose(fleet.instances(group), group) == [host]
    assert fleet.instances(a_group(auto_scaling_groups=("others",))) == ()


def test_an_instance_has_the_address_by_which_others_reach_it(aws: FakeAws) -> None:
    (web,) = aws.run(role="address")
    told = aws.client("ec2").describe_instances(InstanceIds=[web])["Reservations"][0]["Instances"][0]
    assert chosen(aws, tagged(role="address"))[web].address == told["PrivateIpAddress"]
