"""What alarms mean for a deployment: which it watches, when it ends, how long it bears with one that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alarms import AlarmReading, AlarmRecord, AlarmState
from domain.api_errors import AlarmsLimitExceeded, InvalidAlarmConfig
from domain.deployments import Deployment, DeploymentErrorCode, DeploymentStatus, Phase, PhaseKind
from domain.group_options import AlarmConfiguration
from domain.limits import Limits, Quotas
from tests.unit.workflows.engine_values import NOW, STOP, a_deployment
from workflows import alarms
from workflows.alarms import Look

LIMITS = Limits(alarm_seconds=10, alarm_patience_seconds=60)
OK = AlarmReading(kind="memory", state=AlarmState.OK)
NO_DATA = AlarmReading(kind="memory", state=AlarmState.INSUFFICIENT_DATA)
ACTIVE = AlarmReading(kind="memory", state=AlarmState.ALARM, detail="0.27 is above 0.05")
AWAY = AlarmReading(kind="memory", detail="prometheus does not answer")
GONE = AlarmReading(kind="memory", detail="There is no such alarm.", lasting=True)


def failing(in_a_row: int) -> AlarmReading:
    return ACTIVE.model_copy(update={"in_a_row": in_a_row, "detail": ""})


def config(*names: str, **more: Any) -> AlarmConfiguration:
    return AlarmConfiguration.model_validate({"enabled": True, "alarms": [{"name": name} for name in names], **more})


def watching(*names: str, status: DeploymentStatus = DeploymentStatus.IN_PROGRESS, **more: Any) -> Deployment:
    return a_deployment(status=status, alarm_configuration=config(*(names or ("a",)), **more))


def look(deployment: Deployment, readings: Mapping[str, AlarmReading], *, at: float = 0.0) -> Look:
    return alarms.look(deployment, readings, now=NOW + at, limits=LIMITS)


def after(deployment: Deployment, found: Look) -> Deployment:
    change = alarms.noted(deployment, deployment.alarm_record, found)
    return change.deployment if change else deployment


def run(deployment: Deployment, *readings: AlarmReading, every: float = 10.0) -> list[bool]:
    """Whether each look in turn ends the deployment."""
    ends = []
    for at, reading in enumerate(readings):
        found = look(deployment, {"a": reading}, at=at * every)
        ends.append(found.why is not None)
        deployment = after(deployment, found)
    return ends


GROUPS = config("groups")
OWN = config("own")


@pytest.mark.parametrize(
    ("override", "groups", "creator", "expected"),
    [
        (None, None, "user", None),
        (None, GROUPS, "user", GROUPS),
        (OWN, GROUPS, "user", OWN),
        (OWN, None, "user", OWN),
        (OWN.model_copy(update={"enabled": False}), GROUPS, "user", None),
        (AlarmConfiguration(), GROUPS, "user", None),
        (None, GROUPS.model_copy(update={"enabled": None}), "user", None),
        (None, GROUPS.model_copy(update={"alarms": ()}), "user", None),
        (None, GROUPS, "codeDeployRollback", None),
        (OWN, GROUPS, "codeDeployRollback", None),
        (None, GROUPS, "CodeDeployAutoUpdate", GROUPS),
    ],
)
def test_which_alarms_a_deployment_watches(
    override: AlarmConfiguration | None,
    groups: AlarmConfiguration | None,
    creator: str,
    expected: AlarmConfiguration | None,
) -> None:
    assert alarms.watched(override, groups, creator=creator) == expected


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (None, None),
        (config("a", "x" * 255, "ä b"), None),
        (AlarmConfiguration(enabled=False), None),
        (config(), InvalidAlarmConfig),
        (config("a", "a"), InvalidAlarmConfig),
        (config(""), InvalidAlarmConfig),
        (config("x" * 256), InvalidAlarmConfig),
        (config("a", "b", "c", "d"), AlarmsLimitExceeded),
    ],
)
def test_which_configurations_can_be(given: AlarmConfiguration | None, error: type[Exception] | None) -> None:
    if error is None:
        alarms.check_alarms(given, Quotas(alarms_per_group=3))
        return
    with pytest.raises(error):
        alarms.check_alarms(given, Quotas(alarms_per_group=3))


@pytest.mark.parametrize("status", list(DeploymentStatus))
def test_alarms_are_looked_at_while_a_deployment_is_under_way(status: DeploymentStatus) -> None:
    expected = status in {DeploymentStatus.IN_PROGRESS, DeploymentStatus.READY, DeploymentStatus.BAKING}
    assert alarms.is_watching(watching(status=status)) is expected
    assert not alarms.is_watching(a_deployment(status=status))


@pytest.mark.parametrize("kind", list(PhaseKind))
def test_in_every_phase_but_those_with_no_way_back(kind: PhaseKind) -> None:
    deployment = watching().model_copy(update={"phases": (Phase(kind=kind),), "phase": 0})
    assert alarms.is_watching(deployment) is (kind not in {PhaseKind.RETIRE, PhaseKind.ABANDON})
    assert not alarms.is_watching(deployment.model_copy(update={"stopping": STOP}))


def test_an_active_alarm_ends_it_and_is_named_in_angle_brackets() -> None:
    found = look(watching("a", "b", "c d", "e"), {"a": OK, "b": ACTIVE, "c d": ACTIVE, "e": AWAY})
    assert found.why is not None
    assert found.why.code is DeploymentErrorCode.ALARM_ACTIVE
    assert found.why.message.endswith("Activated alarms: <b> <c d>")
    assert found.messages[0] == "The alarm b is active: 0.27 is above 0.05"


def test_what_no_terminal_should_see_is_written_out() -> None:
    found = look(watching("a\x1b[2J"), {"a\x1b[2J": ACTIVE})
    assert found.why is not None
    assert "<a\\x1b[2J>" in found.why.message
    assert (found.why.message + found.messages[0]).isprintable()


@pytest.mark.parametrize("reading", [OK, NO_DATA])
@pytest.mark.parametrize("ignored", [True, False])
def test_what_is_no_alarm_lets_it_go_on_and_leaves_nothing_to_write(reading: AlarmReading, ignored: bool) -> None:
    deployment = watching(ignore_poll_alarm_failure=ignored)
    found = look(deployment, {"a": reading})
    assert found == Look(AlarmRecord())
    assert alarms.noted(deployment, None, found) is None


def test_several_looks_in_a_row_make_some_alarms_active() -> None:
    bad = failing(3)
    assert run(watching(), bad, bad, bad) == [False, False, True]
    assert run(watching(), bad, bad, OK, bad, bad, bad) == [False] * 5 + [True]
    assert run(watching(), bad, bad, AWAY, bad) == [False, False, False, True]


def test_looks_that_come_together_are_one() -> None:
    assert run(watching(), *[failing(2)] * 5, every=1) == [False] * 5
    assert run(watching(), *[failing(2)] * 6, every=1)[5]


@pytest.mark.parametrize("reading", [AWAY, GONE])
def test_an_alarm_that_cannot_be_read_is_borne_with_for_a_while(reading: AlarmReading) -> None:
    assert run(watching(), *[reading] * 7) == [False] * 6 + [True]
    assert run(watching(), *[reading] * 6, OK, *[reading] * 6) == [False] * 13
    assert run(watching(), reading, every=1000) == [False]


def test_its_end_says_why_and_names_no_active_alarm() -> None:
    deployment = watching("a", "b")
    deployment = after(deployment, look(deployment, {"a": AWAY, "b": OK}))
    why = look(deployment, {"a": AWAY, "b": OK}, at=60).why
    assert why is not None
    assert why.code is DeploymentErrorCode.ALARM_ACTIVE
    assert "'a': prometheus does not answer." in why.message
    assert "ignorePollAlarmFailure" in why.message
    assert "<" not in why.message


def test_where_that_is_ignored_it_goes_on_and_people_are_told_once() -> None:
    deployment = watching(ignore_poll_alarm_failure=True)
    assert run(deployment, *[AWAY] * 20) == [False] * 20
    for at in range(0, 200, 10):
        deployment = after(deployment, look(deployment, {"a": AWAY}, at=at))
    (told,) = deployment.status_messages
    assert "prometheus does not answer" in told


@pytest.mark.parametrize("ignored", [True, False])
def test_an_active_alarm_counts_whatever_the_others_say(ignored: bool) -> None:
    found = look(watching("a", "b", ignore_poll_alarm_failure=ignored), {"a": GONE, "b": ACTIVE})
    assert found.why is not None
    assert "<b>" in found.why.message


CREATED = DeploymentStatus.CREATED


@pytest.mark.parametrize(
    ("reading", "ignored", "ends", "waits"),
    [
        (OK, False, False, False),
        (NO_DATA, False, False, False),
        (ACTIVE, True, True, False),
        (AWAY, False, False, True),
        (AWAY, True, False, False),
        (GONE, False, True, False),
        (GONE, True, False, False),
        (failing(2), False, False, True),
        (failing(2), True, False, True),
    ],
)
def test_before_it_begins(reading: AlarmReading, ignored: bool, ends: bool, waits: bool) -> None:
    """It waits for what is not known yet, and does not wait for what will not change."""
    found = look(watching(status=CREATED, ignore_poll_alarm_failure=ignored), {"a": reading})
    assert (found.why is not None, bool(found.unsettled)) == (ends, waits or (ends and bool(found.unsettled)))


def test_a_look_is_not_noted_over_another() -> None:
    deployment = watching()
    found = look(deployment, {"a": AWAY})
    noted = after(deployment, found)
    assert noted.alarm_record is not None
    assert alarms.noted(noted, None, found) is None
    assert alarms.noted(deployment.model_copy(update={"status": DeploymentStatus.STOPPED}), None, found) is None
    assert after(noted, look(noted, {"a": OK})).alarm_record is None


def test_before_it_begins_it_says_why_it_waits_until_that_is_known() -> None:
    reading = alarms.being_read(watching(status=CREATED))
    assert reading is not None
    assert alarms.awaited(reading.deployment) == "they are being read."
    assert alarms.being_read(reading.deployment) is None
    away = after(reading.deployment, look(reading.deployment, {"a": AWAY}))
    assert alarms.awaited(away) == "'a': prometheus does not answer."
    assert alarms.being_read(away) is None
    assert alarms.awaited(away.model_copy(update={"status": DeploymentStatus.STOPPED})) == ""
    assert alarms.awaited(away.model_copy(update={"status": DeploymentStatus.IN_PROGRESS})) == ""
    assert after(away, look(away, {"a": OK})).alarms_awaited == ""
    assert after(reading.deployment, look(reading.deployment, {"a": OK})).alarms_awaited == ""


@pytest.mark.parametrize("status", [DeploymentStatus.IN_PROGRESS, DeploymentStatus.STOPPED])
def test_one_under_way_or_over_waits_for_no_alarm(status: DeploymentStatus) -> None:
    deployment = watching(status=status)
    assert alarms.being_read(deployment) is None
    assert after(deployment, look(deployment, {"a": AWAY})).alarms_awaited == ""


READINGS = st.sampled_from([OK, NO_DATA, failing(2), failing(5), AWAY, GONE])


@given(st.lists(st.tuples(READINGS, st.floats(0.1, 30)), max_size=30), st.booleans())
def test_one_bad_look_never_ends_a_deployment_under_way(steps: list[tuple[AlarmReading, float]], ignored: bool) -> None:
    """Whatever is read, in whatever rhythm: it ends only after as many failures in a row as the alarm needs, or after
    as long a time without a good look as patience lasts; and never for what is ignored."""
    deployment, at, bad_looks, unread_since = watching(ignore_poll_alarm_failure=ignored), 0.0, 0, None
    for reading, pause in steps:
        at += pause
        unread_since = (at if unread_since is None else unread_since) if reading.state is None else None
        if reading.state is AlarmState.ALARM:
            bad_looks += 1
        elif reading.state is not None:
            bad_looks = 0
        found = look(deployment, {"a": reading}, at=at)
        if found.why is not None:
            enough = reading.state is AlarmState.ALARM and bad_looks >= reading.in_a_row
            long = unread_since is not None and at - unread_since > LIMITS.alarm_patience_seconds - 0.001
            assert enough or (long and not ignored)
            return
        deployment = after(deployment, found)
