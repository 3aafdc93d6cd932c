"""Environments by programs: real small ones that work, fail, lie, hang and are killed."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import textwrap
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.environments.command import Programs
from adapters.environments.errands import Errands, Lease
from adapters.environments.program import Program, run_program
from adapters.store.memory import MemoryStore
from adapters.store.redis import RedisStore
from domain.environments import EnvironmentRecord, EnvironmentState, GreenOrder, Provisioned
from domain.errors import CannotBegin, CannotProvision, WorldError
from domain.fleet import ADDRESS_TAG, ZONE_TAG
from domain.ports import Environment, Store
from tests.environment_sites import a_host, a_retirement, an_order, by_programs
from tests.services import background, wait_until

ROOT = Path(__file__).resolve().parents[3]
ONE = '{"hosts": [{"id": "g-1"}]}'
REMOVE = 'cat >>"$HERE/removed"'


@dataclass
class Place:
    """A folder of programs, and an environment that they make."""

    folder: Path
    store: Store = field(default_factory=MemoryStore)
    order: GreenOrder = field(default_factory=lambda: an_order("blue"))
    lease_seconds: float = 5.0

    def program(self, name: str, text: str, *, seconds: float = 20.0, **environment: str) -> Program:
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o700)
        return Program([str(file)], seconds, {"HERE": str(self.folder), **environment})

    def environment(
        self, make: str, remove: str = REMOVE, *, store: Store | None = None, **options: Any
    ) -> Environment:
        programs = Programs(self.program("make", make, **options), self.program("remove", remove, **options))
        return by_programs(store or self.store, programs, lease_seconds=self.lease_seconds).named("blue")

    def made(self, make: str, remove: str = REMOVE, **options: Any) -> Provisioned:
        return made(self.environment(make, remove, **options), self.order)

    def refusal(self, make: str, remove: str = REMOVE, **options: Any) -> str:
        with pytest.raises(CannotProvision) as refused:
            self.made(make, remove, **options)
        return refused.value.message

    @property
    def removed(self) -> list[dict[str, Any]]:
        """What the program that removes hosts was given, call by call."""
        file = self.folder / "removed"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def groups(self) -> dict[str, tuple[str, ...]]:
        """The registered hosts with their groups."""
        found = [self.store.instances.get(name) for name in self.store.instances.names()]
        return {each.instance_id: each.auto_scaling_groups for each in found if each and not each.deregister_time}


def made(environment: Environment, order: GreenOrder) -> Provisioned:
    return wait_until(lambda: environment.provision(order), "an environment", limit=20)


def say(answer: str) -> str:
    return f"cat >>\"$HERE/asked\"; cat <<'END'\n{answer}\nEND"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_program_is_told_what_is_wanted_and_its_hosts_are_registered(place: Place) -> None:
    tags = {"role": "web", ADDRESS_TAG: "10.0.0.1:80"}
    for name in ("b-1", "b-2"):
        place.store.instances.add(name, a_host(name, "blue", tags=tags, zone="z1"))
    answer = {"id": "g-1", "address": "10.0.0.7:8080", "zone": "rack-2", "agent": "agent-7", "tags": {"role": "web"}}
    (host,) = place.made(say(json.dumps({"hosts": [answer]}))).hosts
    blue = [{"id": name, "address": "10.0.0.1:80", "zone": "z1", "tags": {"role": "web"}} for name in ("b-1", "b-2")]
    assert json.loads((place.folder / "asked").read_text()) == {
        "deploymentId": place.order.deployment_id,
        "environment": "blue",
        "application": "shop",
        "group": "web",
        "count": 2,
        "blue": blue,
    }
    assert host == place.store.instances.get("g-1")
    assert (host.address, host.zone, host.queue) == ("10.0.0.7", "rack-2", "host.agent-7")
    assert host.tags == {"role": "web", ADDRESS_TAG: "10.0.0.7:8080", ZONE_TAG: "rack-2"}
    assert place.groups()["g-1"] == (f"blue/{place.order.deployment_id}",)


def test_where_there_is_no_blue_the_settings_say_how_many(place: Place) -> None:
    place.made(say(ONE))
    assert json.loads((place.folder / "asked").read_text())["count"] == 1


def test_the_caller_is_never_kept_waiting(place: Place) -> None:
    environment = place.environment(f'while [ ! -e "$HERE/go" ]; do sleep 0.05; done; {say(ONE)}')
    assert environment.provision(place.order) is None
    assert environment.provision(place.order) is None
    (place.folder / "go").touch()
    assert len(made(environment, place.order).hosts) == 1
    assert len((place.folder / "asked").read_text().splitlines()) == 1


def test_one_of_two_processes_runs_it_and_both_tell_of_it(place: Place) -> None:
    assert isinstance(place.store, MemoryStore)
    make = f"sleep 0.3; {say(ONE)}"
    pair = [place.environment(make, store=store) for store in (place.store, place.store.peer())]
    found: list[Provisioned] = []
    threads = [threading.Thread(target=lambda one=one: found.append(made(one, place.order))) for one in pair]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert len((place.folder / "asked").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        ("echo no capacity >&2; exit 3", r"ended with exit code 3; it said: no capacity"),
        ("kill -9 $$", "was ended by SIGKILL"),
        ("exec sleep 60", "did not end within 0.3 seconds and was ended"),
        ("exec cat /dev/zero", "wrote more than 1048576 bytes and was ended"),
        ("printf '\\033[31mred\\n' >&2; exit 1", r"it said:  ?\[31mred"),
        ("echo $TOKEN >&2; exit 1", r"it said: \*\*\*"),
        (say("not json"), "printed no .*hosts"),
        (say('{"hosts": {"id": "a"}}'), r"printed no .*\(hosts\)"),
        (say('{"hosts": [{"id": 7}]}'), r"printed no .*\(hosts.0.id\)"),
        (say("[" * 100_000), "printed no"),
        ("printf '\\377\\376'", "printed no"),
        ("true", "printed no"),
        (say('{"hosts": []}'), "printed 0 hosts where 1 to 1 were asked for"),
        (say('{"hosts": [{"id": "a"}, {"id": "b"}]}'), "printed 2 hosts where 1 to 1"),
        (say('{"hosts": [{"id": "a"}, {"id": "a"}]}'), "two hosts with the same id"),
        (say('{"hosts": [{"id": "i-0123"}]}'), "begins with i-"),
        (say('{"hosts": [{"id": "a b"}]}'), "an id that is not"),
        (say('{"hosts": [{"id": "../a"}]}'), "an id that is not"),
        (say('{"hosts": [{"id": "a", "address": "http://a"}]}'), "an address that is not"),
        (say('{"hosts": [{"id": "a", "address": "a:99999"}]}'), "an address that is not"),
        (say('{"hosts": [{"id": "a", "agent": "a:b"}]}'), "a zone or an agent"),
        (say('{"hosts": [{"id": "a", "tags": {"": "x"}}]}'), "a tag whose key"),
        (say('{"hosts": [{"id": "a", "tags": {"x": 1}}]}'), "printed no"),
        (say('{"hosts": [{"id": "a", "tags": {"\\u001b[31m": 1}}]}'), r"printed no .*\(hosts\.0\.tags\.\[31m\)"),
        (say('{"hosts": [{"id": "theirs"}]}'), "the id theirs, which another registered host has"),
    ],
)
def test_what_a_program_can_do_wrong(place: Place, make: str, told: str) -> None:
    place.store.instances.add("theirs", a_host("theirs", ""))
    limit = 0.3 if "sleep 60" in make else 20.0
    message = place.refusal(make, seconds=limit, TOKEN="a-secret")
    assert re.search(told, message), message
    assert message.isprintable()
    assert len(message) < 3000
    assert "a-secret" not in message
    (removal,) = place.removed
    assert removal["abandoned"] == place.order.deployment_id
    assert "theirs" not in {host["id"] for host in removal["hosts"]}
    assert place.groups() == {"theirs": ()}
    with pytest.raises(CannotProvision, match="The environment blue cannot be made"):
        place.environment("exit 9").provision(place.order)


def test_a_program_that_is_not_there_is_named(place: Place) -> None:
    assert "ended with exit code 127" in place.refusal("exec /nowhere/to/be/found")


def test_what_was_made_by_a_program_that_failed_is_removed(place: Place) -> None:
    place.refusal(say('{"hosts": [{"id": "g-1", "address": "a:1"}, {"id": "g-1"}, {"id": "g 2"}]}') + "\nexit 1")
    assert place.removed[0]["hosts"] == [{"id": "g-1", "tags": {}}]


def test_half_of_a_registration_is_taken_back(place: Place) -> None:
    for name in ("b-1", "b-2"):
        place.store.instances.add(name, a_host(name, "blue"))
    place.store.instances.add("theirs", a_host("theirs", ""))
    place.refusal(say('{"hosts": [{"id": "g-1"}, {"id": "theirs"}]}'))
    assert place.removed[0]["hosts"] == [{"id": "g-1", "tags": {}}]
    assert place.groups() == {"b-1": ("blue",), "b-2": ("blue",), "theirs": ()}


def test_that_the_cleaning_up_failed_too_is_said(place: Place) -> None:
    message = place.refusal("exit 3", "echo stuck >&2; exit 4")
    assert "may be there still, for the program that removes it ended with exit code 4; it said: stuck" in message


def test_the_name_of_a_host_that_left_may_be_taken_again(place: Place) -> None:
    place.store.instances.add("g-1", a_host("g-1", "", deregister_time=1.0))
    place.made(say(ONE))
    assert place.groups() == {"g-1": (f"blue/{place.order.deployment_id}",)}


def test_everything_a_program_started_ends_with_it_at_the_limit(place: Place) -> None:
    place.refusal('sleep 60 & echo $! >"$HERE/child"; wait', seconds=0.5)
    assert not alive(int((place.folder / "child").read_text()))


def test_what_a_program_leaves_running_is_let_run(place: Place) -> None:
    place.made(f'sleep 60 >/dev/null 2>&1 & echo $! >"$HERE/child"; {say(ONE)}')
    child = int((place.folder / "child").read_text())
    assert alive(child)
    os.kill(child, signal.SIGKILL)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nothing_secret_is_in_the_process_list(place: Place) -> None:
    make = f'cat /proc/$$/cmdline /proc/$PPID/cmdline >"$HERE/seen"; {say(ONE)}'
    place.made(make, TOKEN="a-secret")
    assert "a-secret" not in (place.folder / "seen").read_text()
    assert "a-secret" not in repr(place.program("make", make, TOKEN="a-secret"))


def test_a_program_sees_nothing_of_our_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_STORE__URL", "redis://:a-secret@h")
    place.made(f'env >"$HERE/seen"; {say(ONE)}')
    seen = {line.partition("=")[0] for line in (place.folder / "seen").read_text().splitlines()}
    assert {"PATH", "HOME", "LANG", "HERE"} <= seen
    assert not {name for name in seen if "SLIPWAY" in name and "MARK" not in name and "HOOK" not in name}


HOLDER = """
    import sys, time
    from pathlib import Path
    from adapters.store.redis import RedisStore
    from tests.unit.adapters.test_environment_command import Place, STUCK
    from tests.environment_sites import an_order
    store = RedisStore(sys.argv[1], prefix=sys.argv[2])
    place = Place(Path(sys.argv[3]), store, an_order("blue", "d-held"), lease_seconds=2.0)
    environment = place.environment(STUCK)
    environment.provision(place.order)
    time.sleep(60)
"""
STUCK = f"""if [ -e "$HERE/ran" ]; then {say(ONE)}
exit 0; fi
sleep 60 & echo $$ $! >"$HERE/new"; mv "$HERE/new" "$HERE/ran"; wait"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_another_process_takes_over_when_the_holder_dies(redis_url: str, tmp_path: Path, how: signal.Signals) -> None:
    prefix = f"held-{how.name.lower()}"
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), redis_url, prefix, str(tmp_path)]
    store = RedisStore(redis_url, prefix=prefix)
    try:
        with background(command, tmp_path / "log", environment={"PYTHONPATH": str(ROOT)}) as holder:
            ran = tmp_path / "ran"
            wait_until(ran.exists, "the program of the holder")
            place = Place(tmp_path, store, an_order("blue", "d-held"), lease_seconds=2.0)
            environment = place.environment(STUCK)
            assert environment.provision(place.order) is None
            holder.send_signal(how)
            pids = [int(pid) for pid in ran.read_text().split()]
            wait_until(lambda: not any(map(alive, pids)), "the end of the program", limit=10)
            assert [host.instance_id for host in made(environment, place.order).hosts] == ["g-1"]
    finally:
        store.close()


def test_a_lease_that_was_lost_ends_the_program_and_nothing_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True])
    monkeypatch.setattr(place.store, "claim", lambda _name, _seconds: next(answers, False))
    place.lease_seconds = 0.5
    environment = place.environment('echo $$ >"$HERE/new"; mv "$HERE/new" "$HERE/pid"; exec sleep 60')
    assert environment.provision(place.order) is None
    errand = f"errand-{place.order.deployment_id}"
    wait_until(lambda: errand not in {each.name for each in threading.enumerate()}, "the end of it", limit=20)
    assert not alive(int((place.folder / "pid").read_text()))
    assert place.store.environments.get(place.order.deployment_id) == EnvironmentRecord()
    assert place.removed == []


def test_a_store_that_is_away_for_a_moment_loses_no_lease() -> None:
    told: list[float] = []

    def claim(_name: str, _seconds: float) -> bool:
        told.append(0.0)
        if 2 <= len(told) <= 3:
            raise WorldError
        return True

    seen: list[Lease] = []
    errands = Errands(claim, lease_seconds=0.5)

    def work(lease: Lease) -> None:
        seen.append(lease)
        wait_until(lambda: len(told) > 5, "more claims", limit=10)

    errands.start("d-1", work, wanted=lambda: True)
    wait_until(lambda: seen and not errands._running, "the end", limit=10)
    assert not seen[0].stop.is_set()


def test_what_breaks_off_is_begun_again(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    environment = place.environment(say(ONE))
    records = place.store.environments
    honest, broken = records.change, iter([True])

    def change(name: str, edit: Callable[[EnvironmentRecord], EnvironmentRecord]) -> EnvironmentRecord | None:
        if next(broken, False):
            raise WorldError("the store is away")
        return honest(name, edit)

    records.change = change  # type: ignore[method-assign]
    assert len(made(environment, place.order).hosts) == 1
    assert len((place.folder / "asked").read_text().splitlines()) == 2
    assert "broke off" in caplog.text


@pytest.fixture
def green(place: Place) -> Environment:
    """An environment of two blue hosts whose green one is made."""
    for name in ("b-1", "b-2"):
        place.store.instances.add(name, a_host(name, "blue"))
    environment = place.environment(say(ONE), f"{REMOVE}; test ! -e $HERE/stuck || {{ echo stuck >&2; exit 5; }}")
    made(environment, place.order)
    return environment


def retire(place: Place, environment: Environment, *hosts: str, terminate: bool = True) -> None:
    retirement = a_retirement(place.order, hosts or ("b-1", "b-2"), terminate=terminate)
    wait_until(lambda: environment.retire(retirement), "the end of blue", limit=20)


def test_blue_is_removed_and_green_becomes_the_environment(place: Place, green: Environment) -> None:
    retire(place, green)
    (removal,) = place.removed
    assert removal == {
        "environment": "blue",
        "application": "shop",
        "group": "web",
        "hosts": [{"id": "b-1", "tags": {}}, {"id": "b-2", "tags": {}}],
    }
    assert place.groups() == {"g-1": ("blue",)}
    retire(place, green)
    assert len(place.removed) == 1


def test_blue_that_is_kept_alive_is_a_member_no_more(place: Place, green: Environment) -> None:
    retire(place, green, terminate=False)
    assert place.removed == []
    assert place.groups() == {"b-1": (), "b-2": (), "g-1": ("blue",)}


def test_greens_own_hosts_are_never_removed_with_blue(place: Place, green: Environment) -> None:
    retire(place, green, "b-1", "g-1")
    assert [host["id"] for host in place.removed[0]["hosts"]] == ["b-1"]
    assert place.groups() == {"b-2": ("blue",), "g-1": ("blue",)}


def test_a_removal_that_fails_is_said_and_green_stands(place: Place, green: Environment) -> None:
    (place.folder / "stuck").touch()
    for _ in range(2):
        with pytest.raises(CannotBegin, match=r"ended with exit code 5; it said: stuck. See to b-1, b-2"):
            retire(place, green)
    assert len(place.removed) == 1
    assert place.groups() == {"b-1": (), "b-2": (), "g-1": ("blue",)}


def test_hosts_that_were_never_of_the_environment_are_named(place: Place, green: Environment) -> None:
    place.store.instances.add("mine", a_host("mine", ""))
    with pytest.raises(CannotBegin, match="mine: no hosts of the environment blue; end them yourself"):
        retire(place, green, "b-1", "b-2", "mine")
    assert place.groups() == {"g-1": ("blue",), "mine": ()}


def test_what_is_abandoned_is_removed_by_name(place: Place, green: Environment) -> None:
    wait_until(lambda: green.abandon(place.order), "the end of green", limit=20)
    (removal,) = place.removed
    assert (removal["abandoned"], removal["hosts"]) == (place.order.deployment_id, [{"id": "g-1", "tags": {}}])
    assert place.groups() == {"b-1": ("blue",), "b-2": ("blue",)}
    with pytest.raises(CannotProvision, match="given up"):
        green.provision(place.order)


def test_green_in_blues_place_is_not_abandoned(place: Place, green: Environment) -> None:
    retire(place, green)
    assert green.abandon(place.order)
    assert place.groups() == {"g-1": ("blue",)}


def test_blue_gives_way_to_nothing_that_was_given_up(place: Place, green: Environment) -> None:
    wait_until(lambda: green.abandon(place.order), "the end of green", limit=20)
    with pytest.raises(CannotBegin, match="so blue stays"):
        retire(place, green)
    assert place.groups() == {"b-1": ("blue",), "b-2": ("blue",)}


def test_what_cannot_be_removed_is_logged_and_forgotten(
    place: Place, green: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    (place.folder / "stuck").touch()
    wait_until(lambda: green.abandon(place.order), "the end of green", limit=20)
    assert "may be there still" in caplog.text


def test_a_program_that_nobody_waits_for_any_more_is_ended(place: Place) -> None:
    assert isinstance(place.store, MemoryStore)
    place.lease_seconds = 1.0
    make = 'echo $$ >"$HERE/new"; mv "$HERE/new" "$HERE/pid"; exec sleep 60'
    here, there = (place.environment(make, store=store) for store in (place.store, place.store.peer()))
    here.provision(place.order)
    wait_until((place.folder / "pid").exists, "the program")
    wait_until(lambda: there.abandon(place.order), "the end of green", limit=20)
    assert not alive(int((place.folder / "pid").read_text()))
    assert [each["hosts"] for each in place.removed] == [[]]
    record = place.store.environments.get(place.order.deployment_id)
    assert record is not None
    assert record.state is EnvironmentState.ABANDONED


def test_a_program_that_cannot_be_started_is_no_bug_of_ours() -> None:
    bad = Program(["a\0b"], 1.0)
    assert run_program(bad, b"", stop=threading.Event()).problem.startswith("cannot be started")
