"""What is told of deployments and instances: kinds, ids and reasons."""

from __future__ import annotations

from itertools import product

import pytest

from domain.deployments import (
    DeploymentErrorCode,
    DeploymentStatus,
    ErrorInformation,
    EventRecord,
    Overview,
    Progress,
    TargetStatus,
)
from domain.group_options import TriggerConfig
from domain.happenings import TERMINAL, TRIGGER_EVENTS, EventTold, Happening, HappeningType, Topic
from domain.lifecycle import Event
from domain.reports import EventStatus
from tests.unit.workflows.engine_values import NOW, a_deployment, a_group, a_target, an_outcome, outcomes_of
from workflows import decide
from workflows.telling import deployment_happening, instance_happening, triggers_stored

WHY = ErrorInformation(code=DeploymentErrorCode.HEALTH_CONSTRAINTS, message="too many")
LOST = a_deployment(status=DeploymentStatus.FAILED, error_information=WHY, creator="codeDeployRollback")


def test_a_deployment_is_told_with_its_names_and_its_reason() -> None:
    told = deployment_happening(LOST, HappeningType.DEPLOYMENT_FAILURE, at=NOW)
    assert told == Happening(
        event_id="d-AAAAAAAAA:end",
        type=HappeningType.DEPLOYMENT_FAILURE,
        at=NOW,
        application_name="shop",
        deployment_group_name="web",
        deployment_group_id="g-1",
        deployment_id="d-AAAAAAAAA",
        status="Failed",
        error_code="HEALTH_CONSTRAINTS",
        error_message="too many",
        creator="codeDeployRollback",
        create_time=NOW - 20,
    )


def test_a_deployment_ends_once_for_whoever_listens() -> None:
    kinds = [kind for kind in HappeningType if kind.value.startswith("Deployment")]
    ids = {kind: deployment_happening(LOST, kind, at=NOW).event_id for kind in kinds}
    assert {ids[kind] for kind in TERMINAL} == {"d-AAAAAAAAA:end"}
    assert len(set(ids.values())) == len(kinds) - len(TERMINAL) + 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (TargetStatus.IN_PROGRESS, HappeningType.INSTANCE_START),
        (TargetStatus.SUCCEEDED, HappeningType.INSTANCE_SUCCESS),
        (TargetStatus.READY, HappeningType.INSTANCE_READY),
        (TargetStatus.FAILED, HappeningType.INSTANCE_FAILURE),
        (TargetStatus.SKIPPED, HappeningType.INSTANCE_SKIPPED),
        (TargetStatus.UNKNOWN, HappeningType.INSTANCE_FAILURE),
    ],
)
def test_what_kind_of_happening_a_status_is(status: TargetStatus, kind: HappeningType) -> None:
    told = instance_happening(a_deployment(), a_target(), status, (), at=NOW)
    assert (told.type, told.status, told.at) == (kind, status, NOW)
    assert (told.instance_id, told.instance_arn) == ("web-1", a_target().arn)


def test_a_host_on_which_nothing_was_done_is_told_to_nobody_as_a_failure() -> None:
    """One that is no more, or that a stop left as it was: no trigger hears of it, none of AWS's events says it."""
    everything = a_trigger("all", *(kind.value for kind in TRIGGER_EVENTS))
    deployment = a_deployment(trigger_configurations=(everything,))
    told = instance_happening(deployment, a_target(), TargetStatus.SKIPPED, outcomes_of("-------"), at=NOW)
    assert (told.topics, told.failed_event, told.error_code) == ((), None, None)
    assert told.type not in TRIGGER_EVENTS
    assert {each.status for each in told.lifecycle_events} == {EventStatus.SKIPPED}


@pytest.mark.parametrize(
    ("letters", "event", "code"),
    [
        ("sssssss", None, None),
        ("Fssssss", None, None),
        ("ssf----", Event.BEFORE_INSTALL, "ScriptFailed"),
        ("Fsf----", Event.BEFORE_INSTALL, "ScriptFailed"),
        ("sss----", None, None),
    ],
)
def test_an_instance_that_failed_names_the_event_and_the_reason(
    letters: str, event: Event | None, code: str | None
) -> None:
    """A forgiven failure is not the reason, and being cut off has none."""
    told = instance_happening(a_deployment(), a_target(), TargetStatus.FAILED, outcomes_of(letters), at=NOW)
    assert (told.failed_event, told.error_code) == (event, code)
    assert (told.error_message is None) is (code is None)


def test_a_failure_without_a_diagnosis_is_told_without() -> None:
    bare = an_outcome(Event.INSTALL, EventStatus.FAILED, diagnostics=None)
    told = instance_happening(a_deployment(), a_target(), TargetStatus.FAILED, (bare,), at=NOW)
    assert (told.failed_event, told.error_code, told.error_message) == ("Install", None, None)


def test_ids_say_which_deployment_which_host_and_what_and_never_when() -> None:
    told = [
        instance_happening(a_deployment(deployment_id=name), a_target(host), status, (), at=at)
        for name, host, status in product(
            ("d-1", "d-2"), ("web-1", "web-2"), (TargetStatus.IN_PROGRESS, TargetStatus.FAILED)
        )
        for at in (NOW, NOW + 1)
    ]
    assert len({happening.event_id for happening in told}) == len(told) // 2


def a_trigger(name: str, *events: str) -> TriggerConfig:
    return TriggerConfig(
        trigger_name=name, trigger_target_arn=f"arn:aws:sns:eu-central-1:1:{name}", trigger_events=events
    )


TRIGGERS = (a_trigger("ends", "DeploymentSuccess", "DeploymentFailure"), a_trigger("back", "DeploymentRollback"))


@pytest.mark.parametrize(
    ("creator", "kind", "names"),
    [
        ("user", HappeningType.DEPLOYMENT_START, []),
        ("user", HappeningType.DEPLOYMENT_SUCCESS, ["ends"]),
        ("codeDeployRollback", HappeningType.DEPLOYMENT_START, ["back"]),
        ("codeDeployRollback", HappeningType.DEPLOYMENT_ROLLBACK, ["back"]),
        ("codeDeployRollback", HappeningType.DEPLOYMENT_SUCCESS, ["ends", "back"]),
        ("codeDeployRollback", HappeningType.DEPLOYMENT_QUEUED, []),
    ],
)
def test_topics_of_triggers_that_subscribed_hear_of_it_once(
    creator: str, kind: HappeningType, names: list[str]
) -> None:
    """Every change of a rollback is one for whoever subscribed to rollbacks."""
    deployment = a_deployment(creator=creator, trigger_configurations=TRIGGERS)
    told = deployment_happening(deployment, kind, at=NOW).topics
    assert told == tuple(Topic(trigger=name, arn=f"arn:aws:sns:eu-central-1:1:{name}") for name in names)


def test_an_instance_of_a_rollback_is_no_rollback() -> None:
    deployment = a_deployment(creator="codeDeployRollback", trigger_configurations=TRIGGERS)
    assert instance_happening(deployment, a_target(), TargetStatus.SUCCEEDED, (), at=NOW).topics == ()


def test_an_instance_that_is_done_is_told_with_its_events_those_of_earlier_phases_too() -> None:
    earlier = {Event.INSTALL: EventRecord(status=EventStatus.SUCCEEDED, start_time=1.0, end_time=2.0)}
    outcomes = (an_outcome(Event.ALLOW_TRAFFIC), an_outcome(Event.BEFORE_ALLOW_TRAFFIC, EventStatus.SKIPPED))
    told = instance_happening(a_deployment(), a_target(), TargetStatus.FAILED, outcomes, at=NOW, earlier=earlier)
    assert told.lifecycle_events == (
        EventTold(event=Event.INSTALL, status=EventStatus.SUCCEEDED, start_time=1.0, end_time=2.0),
        EventTold(event=Event.BEFORE_ALLOW_TRAFFIC, status=EventStatus.SKIPPED),
        EventTold(event=Event.ALLOW_TRAFFIC, status=EventStatus.SUCCEEDED, start_time=NOW - 5, end_time=NOW - 4),
    )
    begun = instance_happening(a_deployment(), a_target(), TargetStatus.IN_PROGRESS, (), at=NOW, earlier=earlier)
    assert begun.lifecycle_events == ()


def test_the_end_counts_all_targets() -> None:
    progress = Progress(total=3, taken=2, succeeded=1, failed=1, lanes=1, retired=1)
    change = decide.conclude_phase(a_deployment(), progress, now=NOW)
    assert change is not None
    (told,) = change.happenings
    assert told.overview == Overview(succeeded=1, failed=1, skipped=1)
    assert (told.create_time, told.complete_time) == (NOW - 20, NOW)
    spoiled = decide.spoiled(decide.go_on(a_deployment(), now=NOW, result=Progress(total=3, taken=3, succeeded=3)), WHY)
    assert spoiled.happenings[0].overview == Overview(succeeded=3)
    assert spoiled.happenings[0].type is HappeningType.DEPLOYMENT_FAILURE


def stored(*triggers: TriggerConfig, before: tuple[TriggerConfig, ...] | None = None) -> Happening | None:
    old = None if before is None else a_group(trigger_configurations=before)
    new = a_group(trigger_configurations=triggers)
    return triggers_stored(new, old, application_name="shop", event_id="test:1", at=NOW)


def test_topics_hear_of_triggers_that_are_new_or_changed() -> None:
    first, second = TRIGGERS
    fresh = stored(first, second)
    assert fresh is not None
    assert [topic.trigger for topic in fresh.topics] == ["ends", "back"]
    changed = stored(first, second, before=(first, a_trigger("back", "InstanceStart")))
    assert changed is not None
    assert [topic.trigger for topic in changed.topics] == ["back"]
    assert stored(first, before=(first, second)) is stored() is None
