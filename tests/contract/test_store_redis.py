"""What only the Redis store must show: races within a move, crashes of the server, the room it takes, its errors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from adapters.store import connection
from adapters.store.redis import RedisStore
from domain.applications import Application
from domain.deployments import Deployment, DeploymentStatus, Progress, TargetStatus
from domain.errors import WorldError
from domain.fleet import Instance, TargetKind
from domain.lifecycle import Event
from domain.moves import Change, Heard, LaneView, Move, Step
from domain.ports import Store
from tests.contract.redis_server import RedisServer, find_oldest_redis, find_redis, serving
from tests.contract.store_values import (
    EVENTS,
    NOW,
    a_deployment,
    a_happening,
    a_target,
    conclusion,
    finished,
    lines,
    onward,
    outcome,
    rolling,
    started,
    take_one,
    taking,
    to_status,
)
from tests.services import require


@pytest.fixture
def crashing(redis_binary: str) -> Iterator[RedisServer]:
    """A server of the test's own whose answers are on disk before they are given."""
    with serving(redis_binary, durable=True) as server:
        yield server


@pytest.fixture
def redis_store(crashing: RedisServer) -> Iterator[RedisStore]:
    store = RedisStore(crashing.url)
    yield store
    store.close()


def elsewhere(act: Callable[[], object]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def test_a_record_that_changed_while_choosing_is_looked_at_again(redis_store: RedisStore) -> None:
    rolling(redis_store, total=1, lanes=1)
    taken = take_one(redis_store)
    seen: list[tuple[Event, ...]] = []

    def choose(view: LaneView) -> Move:
        assert view.current is not None
        seen.append(tuple(view.current.events))
        if len(seen) == 1:
            elsewhere(lambda: redis_store.record([Heard(started(taken, Event.INSTALL))]))
        return Step(conclusion(view), None)

    assert redis_store.advance("d-1", 0, 0, choose) is not None
    assert seen == [(), (Event.INSTALL,)]


def test_a_deployment_that_changed_while_choosing_is_looked_at_again(redis_store: RedisStore) -> None:
    rolling(redis_store, total=2, lanes=1)
    seen: list[str | None] = []

    def choose(view: LaneView) -> Move:
        seen.append(view.deployment.description)
        if len(seen) == 1:
            elsewhere(lambda: redis_store.change("d-1", lambda d: Change(d.model_copy(update={"description": "stop"}))))
        return Step(None, None if view.deployment.description else taking(view))

    redis_store.advance("d-1", 0, 0, choose)
    assert seen == [None, "stop"]
    assert redis_store.target("d-1", a_target(0).target.target_id) == a_target(0)


def test_a_lane_overtaken_while_choosing_is_looked_at_again(redis_store: RedisStore) -> None:
    rolling(redis_store, total=3, lanes=2)
    taken: list[str] = []

    def choose(view: LaneView) -> Move:
        if not taken:
            elsewhere(lambda: taken.append(take_one(redis_store, lane=1).target.target_id))
        return onward(0)(view)

    made = redis_store.advance("d-1", 0, 0, choose)
    assert made is not None
    assert isinstance(made[1], Step)
    assert made[1].take is not None
    assert [made[1].take.target_id, *taken] == [a_target(1).target.target_id, a_target(0).target.target_id]


def test_a_host_another_wrote_of_while_choosing_is_looked_at_again(
    crashing: RedisServer, redis_store: RedisStore
) -> None:
    rolling(redis_store, total=1, lanes=1)
    host = take_one(redis_store).target.target_id
    seen: list[str | None] = []

    def choose(view: LaneView) -> Move:
        seen.append(view.known.revision)
        if len(seen) == 1:
            with redis.Redis.from_url(crashing.url) as raw:
                raw.set(f"slipway:host:g-1:{host}", '{"revision":"r-0"}')
        return Step(conclusion(view), None)

    redis_store.advance("d-1", 0, 0, choose)
    assert seen == [None, "r-0"]


def sent_again_late(store: RedisStore, meanwhile: Callable[[], object]) -> None:
    """The answer to the store's next script is lost; before the script is sent again, others do something."""
    run = store._connection.run

    def run_twice(name: str, given: Mapping[str, object]) -> Any:
        store._connection.run = run  # type: ignore[method-assign]
        run(name, given)
        meanwhile()
        return run(name, given)

    store._connection.run = run_twice  # type: ignore[method-assign]


def test_a_write_sent_again_after_many_others_is_known(crashing: RedisServer, redis_store: RedisStore) -> None:
    other = RedisStore(crashing.url)
    redis_store.applications.add(Application(application_id="1", application_name="a", create_time=0.0))
    redis_store.instances.add("i", Instance(instance_id="i", kind=TargetKind.ON_PREMISES, arn="0"))
    redis_store.admit(a_deployment(at=0.0), token=None, queue=False)

    def renamed(application: Application) -> Application:
        return application.model_copy(update={"application_name": application.application_name + "a"})

    def grown(instance: Instance) -> Instance:
        return instance.model_copy(update={"arn": instance.arn + "0"})

    def described(deployment: Deployment) -> Change:
        return Change(
            deployment.model_copy(update={"description": (deployment.description or "") + "0"}), (a_happening(),)
        )

    def often(write: Callable[[RedisStore], object]) -> None:
        sent_again_late(redis_store, lambda: [write(other) for _ in range(99)])
        write(redis_store)

    often(lambda store: store.applications.change("1", renamed))
    often(lambda store: store.instances.change("i", grown))
    often(lambda store: store.change("d-1", described))
    often(lambda store: store.tell([a_happening()]))
    other.close()

    application, instance = redis_store.applications.get("1"), redis_store.instances.get("i")
    deployment = redis_store.deployment("d-1")
    assert application
    assert instance
    assert deployment
    assert application.application_name == "a" * 101
    assert instance.arn == "0" * 101
    assert deployment.description == "0" * 100
    assert len(redis_store.happened(after=0, limit=1000)) == 200


def test_shards_without_lanes_are_forgotten(crashing: RedisServer, redis_store: RedisStore) -> None:
    rolling(redis_store, total=300, lanes=300)
    with redis.Redis.from_url(crashing.url) as raw:
        assert raw.zcard("slipway:due") == 2
        for lane in range(256, 300):
            redis_store.advance("d-1", 0, lane, lambda _: Step(None, None))
        assert raw.zcard("slipway:due") == 1
        redis_store.change("d-1", to_status(DeploymentStatus.STOPPED))
        assert raw.keys("slipway:due*") == []


def test_what_was_answered_survives_crashes(crashing: RedisServer) -> None:
    total, lanes, crashes = 120, 4, 3
    store = RedisStore(crashing.url)
    rolling(store, total=total, lanes=lanes)
    answered: list[str] = []
    crash = threading.Semaphore(0)

    def walk(lane: int) -> None:
        for step in range(total + 1):
            made = store.advance("d-1", 0, lane, onward(step))
            assert made is not None
            move = made[1]
            assert isinstance(move, Step)
            if move.take is None:
                return
            answered.append(move.take.target_id)
            if len(answered) % (total // (crashes + 1)) == 0:
                crash.release()

    def crash_often() -> None:
        for _ in range(crashes):
            assert crash.acquire(timeout=30)
            crashing.kill()
            crashing.start()

    with ThreadPoolExecutor(lanes + 1) as pool:
        jobs = [pool.submit(crash_often), *(pool.submit(walk, lane) for lane in range(lanes))]
        for job in jobs:
            job.result()
    records = store.targets("d-1", count=total)
    assert sorted(answered) == [record.target.target_id for record in records]
    assert {record.status for record in records} == {TargetStatus.SUCCEEDED}
    assert store.progress("d-1", 0) == Progress(
        version=total + lanes, total=total, taken=total, succeeded=total, lanes=lanes, retired=lanes
    )
    store.close()


def test_a_restart_keeps_everything(crashing: RedisServer, redis_store: RedisStore) -> None:
    rolling(redis_store, total=2, lanes=1)
    taken = take_one(redis_store)
    redis_store.record([Heard(started(taken, Event.INSTALL)), Heard(lines(taken, 0, ["a"]))])
    redis_store.change("d-1", to_status(DeploymentStatus.IN_PROGRESS, a_happening()))

    def everything() -> list[object]:
        return [
            redis_store.deployment("d-1"),
            redis_store.targets("d-1"),
            redis_store.progress("d-1", 0),
            redis_store.lane("d-1", 0, 0),
            redis_store.due(NOW + 99),
            redis_store.history(),
            redis_store.log("d-1", taken.target.target_id, "Install"),
            redis_store.active(),
            redis_store.running("g-1"),
        ]

    before = everything()
    crashing.kill()
    crashing.start()
    assert everything() == before


def test_a_server_that_is_away_is_the_worlds_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRIES", 1)
    store = RedisStore(f"unix://user:hush@{tmp_path}/none.sock?db=0&password=hush")
    for ask in (store.ping, lambda: store.deployment("d-1"), lambda: store.claim("x", 1), store.history):
        with pytest.raises(WorldError, match="does not answer") as told:
            ask()
        assert "hush" not in str(told.value)
        assert "none.sock" in str(told.value)
    store.close()


@pytest.fixture(params=[find_redis, find_oldest_redis], ids=["ours", "oldest"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with serving(require(request.param(), "redis-server or valkey-server")) as server:
        yield server


def test_a_server_that_is_a_replica_for_a_while_is_waited_for(server: RedisServer) -> None:
    store = RedisStore(server.url)
    store.applications.add(Application(application_id="1", application_name="a", create_time=1.0))
    with redis.Redis.from_url(server.url) as raw:
        raw.replicaof("127.0.0.1", "1")
        back = threading.Timer(0.5, raw.replicaof, ("NO", "ONE"))
        back.start()
        assert store.applications.add(Application(application_id="2", application_name="b", create_time=1.0))
        back.join()
    assert store.applications.names() == ["a", "b"]
    store.close()


@pytest.mark.parametrize(("retries", "patience"), [(3, 60.0), (10**6, 0.5)])
def test_a_server_that_swallows_everything_is_given_up_in_time(
    monkeypatch: pytest.MonkeyPatch, retries: int, patience: float
) -> None:
    """Long before the mark of a write that it may have carried out is forgotten."""
    monkeypatch.setattr(connection, "SECONDS", 0.05)
    monkeypatch.setattr(connection, "RETRIES", retries)
    monkeypatch.setattr(connection, "PATIENCE", patience)
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        store = RedisStore(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        with pytest.raises(WorldError, match="does not answer"):
            store.tell([a_happening()])
        store.close()
        listener.setblocking(False)
        calls = 0
        with suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
                calls += 1
    assert calls == retries + 1 if retries == 3 else 1 < calls < 20


def test_what_the_server_refuses_is_the_worlds_fault(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, prefix="refused")
    with redis.Redis.from_url(redis_server.url) as raw:
        raw.set("refused:deployment:d-1", "not a hash")
    with pytest.raises(WorldError, match="refuses"):
        store.deployment("d-1")
    store.close()


@pytest.mark.parametrize("spelling", ["unix://{}?db=3", "redis+socket://{}?virtual_host=3"])
def test_the_spellings_of_a_url(redis_server: RedisServer, spelling: str) -> None:
    store = RedisStore(spelling.format(redis_server.socket), prefix="spelled")
    store.applications.remove("1")
    assert store.applications.add(Application(application_id="1", application_name="a", create_time=1.0))
    store.close()
    with redis.Redis.from_url(f"unix://{redis_server.socket}?db=3") as raw:
        assert raw.exists("spelled:application:1")


def test_prefixes_keep_stores_apart(redis_server: RedisServer) -> None:
    one, other = RedisStore(redis_server.url, prefix="p"), RedisStore(redis_server.url, prefix="p2")
    one.admit(a_deployment("d-1"), token=None, queue=False)
    assert other.active() == []
    other.admit(a_deployment("d-1"), token=None, queue=False)
    assert (one.active(), other.active()) == (["d-1"], ["d-1"])
    one.close()
    other.close()


def run_through(store: Store, total: int, lanes: int) -> None:
    rolling(store, total=total, lanes=lanes)
    for lane in range(lanes):
        while not store.lane("d-1", 0, lane).retired:
            step = store.lane("d-1", 0, lane).step
            made = store.advance("d-1", 0, lane, onward(step))
            assert made is not None
            if isinstance(made[1], Step) and made[1].take:
                record = store.target("d-1", made[1].take.target_id)
                assert record is not None
                told = [report for e in EVENTS for report in (started(record, e), finished(record, outcome(e)))]
                store.record([Heard(report, NOW + 60) for report in told])


@pytest.mark.parametrize("lanes_per_target", [1, 10])
def test_the_room_of_a_target_is_small_and_flat(redis_server: RedisServer, lanes_per_target: int) -> None:
    room: dict[int, float] = {}
    for total in (100, 600):
        prefix = f"room{total}x{lanes_per_target}"
        store = RedisStore(redis_server.url, prefix=prefix)
        run_through(store, total, total // lanes_per_target)
        store.change("d-1", to_status(DeploymentStatus.SUCCEEDED))
        with redis.Redis.from_url(redis_server.url) as raw:
            keys = list(raw.scan_iter(match=f"{prefix}:*", count=1000))
            room[total] = sum(raw.memory_usage(key, samples=0) or 0 for key in keys) / total
            largest = max(size_of(raw, key) for key in keys)
        store.close()
        assert largest <= 256
    assert room[600] < 1500
    assert room[600] < room[100] * 1.05


def size_of(raw: redis.Redis, key: bytes) -> int:
    """How many things a key holds."""
    counts = {"hash": raw.hlen, "zset": raw.zcard, "list": raw.llen, "stream": raw.xlen}
    kind = raw.type(key)
    count = counts.get(kind.decode() if isinstance(kind, bytes) else kind)
    return count(key) if count else 1
