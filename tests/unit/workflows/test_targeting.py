"""Which hosts a deployment goes to, and in which order."""

from __future__ import annotations

import fnmatch
import re
from itertools import permutations
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.deployments import Deployment, TargetStatus
from domain.fleet import HostRecord, Instance, InstanceHealth, RevisionHealth, TargetKind
from domain.groups import DeploymentGroup, LastDeployment, Selection, TagFilter, TargetInstances
from tests.unit.workflows.engine_values import a_deployment, a_group, a_revision
from workflows.decide import remembered
from workflows.names import agent_of
from workflows.targeting import (
    choose,
    filter_groups,
    green_selection,
    in_pick_order,
    matches,
    revision_health,
    selecting,
    taken_over,
)


def one(text: str) -> TagFilter:
    """`key=value`, `key=` for KEY_ONLY, `=value` for VALUE_ONLY."""
    key, _, value = text.partition("=")
    if key and value:
        return TagFilter.model_validate({"key": key, "value": value})
    kind = "KEY_ONLY" if key else "VALUE_ONLY"
    return TagFilter.model_validate({"key": key or None, "value": value or None, "type": kind})


def group_of(text: str) -> tuple[TagFilter, ...]:
    return tuple(one(part) for part in text.split())


TAGS = {"role": "web", "stage": "GRP-1a", "empty": ""}


@pytest.mark.parametrize(
    ("groups", "fits"),
    [
        pytest.param(["role=web"], True, id="key and value"),
        pytest.param(["role=db"], False, id="another value"),
        pytest.param(["Role=web"], False, id="keys are case sensitive"),
        pytest.param(["role=Web"], False, id="values are case sensitive"),
        pytest.param(["role="], True, id="key only"),
        pytest.param(["owner="], False, id="a key that is not there"),
        pytest.param(["=web"], True, id="value only"),
        pytest.param(["=role"], False, id="a key is no value"),
        pytest.param(["role=db role=web"], True, id="any of a group"),
        pytest.param(["role=web", "stage=GRP-1a"], True, id="all groups"),
        pytest.param(["role=web", "stage=GRP-2a"], False, id="not all groups"),
        pytest.param(["role=db owner=", "stage=GRP-1a role=web"], False, id="one group matches nothing"),
        pytest.param(["stage=GRP-*a"], True, id="the documented wildcard"),
        pytest.param(["stage=*"], True, id="anything"),
        pytest.param(["empty=*"], True, id="anything, nothing included"),
        pytest.param(["stage=GRP-1a*"], True, id="a wildcard for nothing"),
        pytest.param(["stage=*1*"], True, id="in the middle"),
        pytest.param(["stage=*b"], False, id="another end"),
        pytest.param(["stage=GRP-1a*a"], False, id="one letter cannot be both"),
        pytest.param(["stage=G?P-1a"], False, id="a question mark is itself"),
        pytest.param(["stage=GRP.1a"], False, id="a dot is itself"),
        pytest.param(["stage=[G]RP-1a"], False, id="brackets are themselves"),
        pytest.param(["r*=web"], False, id="keys have no wildcard"),
        pytest.param([], False, id="no filters match nothing"),
    ],
)
def test_tags_match(groups: list[str], fits: bool) -> None:
    assert matches(TAGS, [group_of(text) for text in groups]) is fits


def test_a_value_filter_without_value_matches_an_empty_one_only() -> None:
    bare = TagFilter.model_validate({"key": "empty"})
    assert matches(TAGS, [(bare,)])
    assert not matches({"empty": "x"}, [(bare,)])


@example("*b*a*", "ab")
@example("a*b*a", "aba")
@example("ab*ba", "aba")
@given(st.text("ab*", max_size=12), st.text("ab", max_size=12))
def test_wildcards_are_those_of_a_shell(pattern: str, value: str) -> None:
    condition = TagFilter(key="k", value=pattern)
    assert matches({"k": value}, [(condition,)]) is fnmatch.fnmatchcase(value, pattern)


@given(st.text(max_size=8), st.text(max_size=4))
def test_nothing_but_the_star_is_special(value: str, end: str) -> None:
    literal = TagFilter(key="k", value=re.sub(r"\*", "", value))
    plain = literal.value or ""
    assert matches({"k": plain}, [(literal,)])
    assert matches({"k": plain + end}, [(literal,)]) is (not end)


def test_a_hostile_pattern_takes_no_time() -> None:
    """With a backtracking matcher this would run for ages."""
    condition = TagFilter(key="k", value="*a" * 128 + "*b")
    assert not matches({"k": "a" * 256}, [(condition,)])


def test_both_ways_to_write_filters_are_one() -> None:
    filters = group_of("role=web role=db")
    assert filter_groups(filters, ()) == filter_groups((), (filters,)) == (filters,)
    assert filter_groups((), ((), filters, ())) == (filters,)


def host(name: str, kind: TargetKind = TargetKind.ON_PREMISES, **more: Any) -> Instance:
    values = {"instance_id": name, "kind": kind, "arn": f"arn:{name}", "tags": {"role": "web"}, **more}
    return Instance.model_validate(values)


def test_a_group_is_the_union_of_its_selections_each_host_once() -> None:
    fleet = [
        host("web-2"),
        host("web-1"),
        host("web-1"),
        host("i-1", TargetKind.EC2),
        host("i-2", TargetKind.EC2, tags={"role": "db"}),
        host("web-3", tags={"role": "db"}),
        host("web-4", deregister_time=1.0),
    ]
    both = a_group(ec2_tag_filters=group_of("role=web"), on_premises_tag_set=(group_of("role=web"),))
    assert [instance.instance_id for instance in choose(fleet, both)] == ["i-1", "web-1", "web-2"]
    cloud = a_group(ec2_tag_set=(group_of("role="),))
    assert [instance.instance_id for instance in choose(fleet, cloud)] == ["i-1", "i-2"]
    assert choose(fleet, a_group()) == []


def test_members_of_an_environment_are_of_the_group_wherever_they_live() -> None:
    fleet = [
        host("web-1", auto_scaling_groups=("blue",), tags={}),
        host("web-2", auto_scaling_groups=("blue/d-1",), tags={}),
        host("web-3", auto_scaling_groups=("blue",), deregister_time=1.0),
        host("i-1", TargetKind.EC2, auto_scaling_groups=("blue",), tags={}),
    ]
    group = a_group(auto_scaling_groups=("blue",))
    assert [instance.instance_id for instance in choose(fleet, group)] == ["i-1", "web-1"]
    both = a_group(auto_scaling_groups=("blue",), on_premises_tag_set=(group_of("role=web"),))
    assert [instance.instance_id for instance in choose([*fleet, host("web-4")], both)] == ["i-1", "web-1", "web-4"]


GREEN = (group_of("color=green"),)
EITHER_FLEET = [
    *(host(f"i-{color}", TargetKind.EC2, tags={"color": color}) for color in ("blue", "green")),
    *(host(f"rack-{color}", tags={"color": color}) for color in ("blue", "green")),
    *(host(f"i-asg-{color}", TargetKind.EC2, tags={}, auto_scaling_groups=(color,)) for color in ("blue", "green")),
]


@pytest.mark.parametrize(
    ("wanted", "selected", "chosen"),
    [
        pytest.param(
            {"tag_filters": GREEN[0]},
            {"ec2_tag_filters": GREEN[0], "on_premises_instance_tag_filters": GREEN[0]},
            ["i-green", "rack-green"],
            id="tags",
        ),
        pytest.param(
            {"ec2_tag_set": GREEN},
            {"ec2_tag_set": GREEN, "on_premises_tag_set": GREEN},
            ["i-green", "rack-green"],
            id="groups of tags",
        ),
        pytest.param(
            {"auto_scaling_groups": ("green",)}, {"auto_scaling_groups": ("green",)}, ["i-asg-green"], id="membership"
        ),
        pytest.param(
            {"tag_filters": GREEN[0], "auto_scaling_groups": ("green",)},
            {
                "ec2_tag_filters": GREEN[0],
                "on_premises_instance_tag_filters": GREEN[0],
                "auto_scaling_groups": ("green",),
            },
            ["i-asg-green", "i-green", "rack-green"],
            id="tags and membership",
        ),
    ],
)
@pytest.mark.parametrize("plain", [True, False], ids=["beside tags", "beside groups of tags"])
def test_green_is_what_the_request_names_and_nothing_of_the_groups_own(
    wanted: dict[str, Any], selected: dict[str, Any], chosen: list[str], plain: bool
) -> None:
    """In each of the five ways of selecting; what a way was not given for must be empty, not left as blue has it."""
    selection = green_selection(TargetInstances(**wanted))
    nothing: dict[str, Any] = dict.fromkeys(Selection.model_fields, ())
    assert selection == Selection(**(nothing | selected))
    blue = group_of("color=blue")
    tags = (
        {"ec2_tag_filters": blue, "on_premises_instance_tag_filters": blue}
        if plain
        else {"ec2_tag_set": (blue,), "on_premises_tag_set": (blue,)}
    )
    group = a_group(**tags, auto_scaling_groups=("blue",))
    assert [each.instance_id for each in choose(EITHER_FLEET, group)] == ["i-asg-blue", "i-blue", "rack-blue"]
    assert [each.instance_id for each in choose(EITHER_FLEET, selecting(group, selection))] == chosen


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ({TargetKind.EC2}, {"ec2_tag_filters", "ec2_tag_set"}),
        ({TargetKind.ON_PREMISES}, {"on_premises_instance_tag_filters", "on_premises_tag_set"}),
        (
            set(TargetKind),
            {"ec2_tag_filters", "ec2_tag_set", "on_premises_instance_tag_filters", "on_premises_tag_set"},
        ),
    ],
    ids=["EC2", "on-premises", "both"],
)
def test_the_group_takes_over_tags_of_the_kinds_of_hosts_that_were_found(
    kinds: set[TargetKind], left: set[str]
) -> None:
    every = TargetInstances(tag_filters=GREEN[0], ec2_tag_set=GREEN, auto_scaling_groups=("green",))
    kept = taken_over(green_selection(every), [host(kind.value, kind) for kind in kinds])
    assert {name for name in Selection.model_fields if getattr(kept, name)} == {*left, "auto_scaling_groups"}


NAMES = st.sampled_from(["i-1", "i-2", "web-1", "web-2"])
GROUPS = st.lists(st.sampled_from(["blue", "green"]), unique=True).map(tuple)
HOSTS = st.builds(
    lambda name, role, groups: host(
        name,
        TargetKind.EC2 if name.startswith("i-") else TargetKind.ON_PREMISES,
        tags={"role": role},
        auto_scaling_groups=groups if name.startswith("i-") else (),
    ),
    NAMES,
    st.sampled_from(["web", "db"]),
    GROUPS,
)
FILTERS = st.sampled_from([(), group_of("role=web"), group_of("role=")])


@given(st.lists(HOSTS, max_size=8), FILTERS, FILTERS, GROUPS)
def test_the_union_has_no_host_twice_and_none_that_nothing_selects(
    fleet: list[Instance], cloud: tuple[TagFilter, ...], premises: tuple[TagFilter, ...], members: tuple[str, ...]
) -> None:
    group = a_group(ec2_tag_filters=cloud, on_premises_instance_tag_filters=premises, auto_scaling_groups=members)
    chosen = choose(fleet, group)
    names = [instance.instance_id for instance in chosen]
    assert len(names) == len(set(names))
    selected = {
        each.instance_id
        for each in fleet
        if set(each.auto_scaling_groups) & set(members)
        or matches(each.tags, filter_groups(cloud if each.kind is TargetKind.EC2 else premises, ()))
    }
    assert set(names) == selected


V0, V1, V2 = a_revision("v0"), a_revision("v1"), a_revision("v2")


def a_group_at(revision: str | None, by: str | None) -> DeploymentGroup:
    last = LastDeployment(deployment_id=by, status="Succeeded", create_time=0.0) if by else None
    return a_group(target_revision=a_revision(revision) if revision else None, last_successful_deployment=last)


def healthy(name: str | None, *, lost_by: str | None = None) -> HostRecord:
    identity = a_revision(name).identity if name else None
    return HostRecord(health=InstanceHealth.HEALTHY, revision=identity, deployment_id="d-x", lost_by=lost_by)


@pytest.mark.parametrize(
    ("record", "group", "health"),
    [
        pytest.param(HostRecord(), a_group_at(None, None), "Unknown", id="nothing known of either"),
        pytest.param(HostRecord(), a_group_at("v1", "d-1"), "Unknown", id="never installed"),
        pytest.param(healthy("v1"), a_group_at("v1", "d-1"), "Current", id="current"),
        pytest.param(healthy("v0"), a_group_at("v1", "d-1"), "Old", id="old"),
        pytest.param(healthy("v1"), a_group_at(None, None), "Old", id="the group never succeeded as a whole"),
        pytest.param(
            healthy("v1", lost_by="d-2"), a_group_at("v1", "d-1"), "Current", id="failed, and so did the whole"
        ),
        pytest.param(
            healthy("v1", lost_by="d-2"), a_group_at("v2", "d-2"), "Unknown", id="failed, the whole succeeded"
        ),
        pytest.param(
            healthy("v1", lost_by="d-2"), a_group_at("v1", "d-2"), "Unknown", id="failed at the same revision again"
        ),
        pytest.param(healthy("v1", lost_by="d-2"), a_group_at("v3", "d-3"), "Unknown", id="lost for good"),
    ],
)
def test_revision_health(record: HostRecord, group: DeploymentGroup, health: str) -> None:
    assert revision_health(record, group) is RevisionHealth(health)


def deployment_of(revision: str, number: int, before: str | None) -> Deployment:
    previous = a_revision(before) if before else None
    return a_deployment(deployment_id=f"d-{number}", revision=a_revision(revision), previous_revision=previous)


@pytest.mark.parametrize(
    ("story", "health"),
    [
        # What each deployment brought to this host and to the group as a whole.
        pytest.param("v1 ok ok", "Current", id="deployed"),
        pytest.param("v1 ok failed", "Old", id="only the host succeeded"),
        pytest.param("v1 ok ok, v2 failed failed", "Current", id="a failed deployment changes no revision"),
        pytest.param("v1 ok ok, v2 failed ok", "Unknown", id="Current becomes Unknown"),
        pytest.param("v1 ok ok, v2 failed ok, v3 failed ok", "Unknown", id="Unknown stays"),
        pytest.param("v1 ok ok, v2 failed ok, v3 failed failed", "Unknown", id="Unknown stays through failures"),
        pytest.param("v1 ok ok, v2 failed failed, v3 failed ok", "Unknown", id="lost at the second failure"),
        pytest.param("v1 ok ok, v2 skipped ok", "Old", id="not touched"),
        pytest.param("v1 ok ok, v2 skipped ok, v3 failed ok", "Old", id="Old stays"),
        pytest.param("v1 ok ok, v2 failed ok, v2 ok ok", "Current", id="a success mends"),
    ],
)
def test_revision_health_over_several_deployments(story: str, health: str) -> None:
    record, group = HostRecord(), a_group_at(None, None)
    statuses = {"ok": TargetStatus.SUCCEEDED, "failed": TargetStatus.FAILED, "skipped": TargetStatus.SKIPPED}
    revision: str | None = None
    for number, part in enumerate(story.split(", ")):
        version, here, whole = part.split()
        record = remembered(record, deployment_of(version, number, revision), statuses[here])
        if whole == "ok":
            revision, group = version, a_group_at(version, f"d-{number}")
    assert revision_health(record, group) is RevisionHealth(health)


ORDERED = {
    "a-unhealthy": HostRecord(revision=V1.identity),
    "z-unhealthy": HostRecord(),
    "b-unknown": healthy(None),
    "c-old": healthy("v0"),
    "y-old": healthy("v0"),
    "a-current": healthy("v1"),
}


def picked(names: tuple[str, ...], **more: Any) -> list[str]:
    group, deployment = a_group_at("v1", "d-1"), a_deployment(**more)
    targets = in_pick_order([host(name) for name in names], [ORDERED[name] for name in names], group, deployment)
    return [target.target_id for target in targets]


def test_the_unhealthy_come_first_then_unknown_old_current_ties_by_name() -> None:
    for names in list(permutations(ORDERED))[::37]:
        assert picked(names) == list(ORDERED)


def test_hosts_that_have_the_revision_are_left_out_when_asked() -> None:
    """Never one that is Unhealthy: the last deployment to it failed, whatever it had before."""
    names = tuple(ORDERED)
    assert picked(names, revision=V1, update_outdated_instances_only=True) == list(ORDERED)[:-1]
    assert picked(names, revision=V2, update_outdated_instances_only=True) == list(ORDERED)
    assert picked(names, revision=V1) == list(ORDERED)


def test_a_target_knows_its_queue() -> None:
    group, deployment = a_group(), a_deployment()
    fleet = [host("a", zone="z1"), host("b", queue="host.shared")]
    own, shared = in_pick_order(fleet, [HostRecord(), HostRecord()], group, deployment)
    assert (own.queue, own.zone, own.arn) == ("host.a", "z1", "arn:a")
    assert shared.queue == "host.shared"


def test_an_ec2_instance_may_name_its_agent_by_a_tag() -> None:
    tags = {"slipway:agent": "web-9"}
    fleet = [host("i-1", TargetKind.EC2, tags=tags), host("i-2", TargetKind.EC2), host("web-1", tags=tags)]
    targets = in_pick_order(fleet, [HostRecord()] * 3, a_group(), a_deployment())
    assert [(target.target_id, target.queue) for target in targets] == [
        ("i-1", "host.web-9"),
        ("i-2", "host.i-2"),
        ("web-1", "host.web-1"),
    ]
    assert [agent_of(target.queue) for target in targets] == ["web-9", "i-2", "web-1"]


def test_quotes_around_an_etag_make_no_other_revision() -> None:
    def at(e_tag: str | None) -> str:
        s3 = V1.s3_location
        assert s3 is not None
        return V1.model_copy(update={"s3_location": s3.model_copy(update={"e_tag": e_tag})}).identity

    assert at('"abc"') == at("abc")
    assert len({at("abc"), at("abd"), at(None)}) == 3
