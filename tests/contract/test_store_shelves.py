"""Named documents: what every store promises of its shelves."""

from __future__ import annotations

import threading

from domain.access import AccessKey, Policy
from domain.environments import EnvironmentRecord, EnvironmentState
from domain.fleet import Instance, TargetKind
from domain.ports import Store


def a_key(name: str, at: float = 1.0) -> AccessKey:
    return AccessKey(access_key_id=name, nonce="n", policy=Policy.READ_ONLY, create_time=at)


def test_a_name_is_given_once(store: Store) -> None:
    assert store.access_keys.add("a", a_key("a"))
    assert not store.access_keys.add("a", a_key("a", at=2.0))
    assert store.access_keys.get("a") == a_key("a")


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.access_keys.get("a") is None
    assert store.access_keys.many([]) == []
    assert store.access_keys.many(["a"]) == [None]
    assert store.access_keys.change("a", lambda found: found) is None
    assert store.access_keys.remove("a") is None
    assert store.access_keys.names() == []


def test_many_keeps_the_order_of_the_names(store: Store) -> None:
    for name in ("a", "b"):
        store.access_keys.add(name, a_key(name))
    assert store.access_keys.many(["b", "x", "a"]) == [a_key("b"), None, a_key("a")]


def test_a_removed_name_is_free_again(store: Store) -> None:
    store.access_keys.add("a", a_key("a"))
    assert store.access_keys.remove("a") == a_key("a")
    assert store.access_keys.names() == []
    assert store.access_keys.add("a", a_key("a", at=2.0))


def test_names_are_in_order_page_by_page(store: Store) -> None:
    for name in ("b/2", "a/1", "b/1", "c", "b/é"):
        store.revisions.names()
        store.access_keys.add(name, a_key(name))
    assert store.access_keys.names() == ["a/1", "b/1", "b/2", "b/é", "c"]
    assert store.access_keys.names(prefix="b/") == ["b/1", "b/2", "b/é"]
    assert store.access_keys.names(prefix="b/", after="b/1", limit=1) == ["b/2"]
    assert store.access_keys.names(after="b/2") == ["b/é", "c"]
    assert store.access_keys.names(prefix="b/", after="c") == []
    assert store.access_keys.names(prefix="b/", after="a") == ["b/1", "b/2", "b/é"]
    assert store.access_keys.names(limit=0) == []
    assert (store.access_keys.count(), store.access_keys.count(prefix="b/"), store.access_keys.count(prefix="z")) == (
        5,
        3,
        0,
    )


def test_names_that_look_like_keys_do_not_meet(store: Store) -> None:
    names = ["a", "a:b", "a%3Ab", "a/b", "a b", 'x/{"k":"v"}', "names:application", "ü", ":", "%"]
    for name in names:
        assert store.access_keys.add(name, a_key(name))
    assert store.access_keys.names() == sorted(names)
    assert store.access_keys.many(names) == [a_key(name) for name in names]


def test_kinds_do_not_mix(store: Store) -> None:
    store.access_keys.add("a", a_key("a"))
    store.instances.add("a", Instance(instance_id="a", kind=TargetKind.ON_PREMISES, arn="arn"))
    assert store.configs.get("a") is None
    assert store.instances.names() == ["a"]
    store.instances.remove("a")
    assert store.access_keys.get("a") == a_key("a")


def test_no_edit_is_lost(store: Store) -> None:
    store.access_keys.add("a", a_key("a", at=0.0))

    def edit_often() -> None:
        for _ in range(25):
            store.access_keys.change("a", lambda a: a.model_copy(update={"create_time": a.create_time + 1}))

    threads = [threading.Thread(target=edit_often) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.access_keys.get("a") == a_key("a", at=150.0)


def test_one_of_many_gets_a_name(store: Store) -> None:
    won: list[int] = []

    def add(number: int) -> None:
        if store.access_keys.add("a", a_key("a", at=float(number))):
            won.append(number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.access_keys.get("a") == a_key("a", at=float(won[0]))
    assert len(won) == 1


def test_a_document_shares_nothing_with_what_was_given(store: Store) -> None:
    tags = {"role": "web"}
    store.instances.add("a", Instance(instance_id="a", kind=TargetKind.EC2, arn="arn", tags=tags))
    tags["role"] = "db"
    found = store.instances.get("a")
    assert found is not None
    assert found.tags == {"role": "web"}


def test_what_was_made_for_a_deployment_is_kept_whole(store: Store) -> None:
    host = Instance(instance_id="a", kind=TargetKind.ON_PREMISES, arn="arn", tags={"role": "web"}, address="10.0.0.7")
    made = EnvironmentRecord(
        state=EnvironmentState.MADE, hosts=(host,), hooks=({"HeartbeatTimeout": 600, "Name": "h"},)
    )
    assert store.environments.add("d-1", EnvironmentRecord())
    assert store.environments.change("d-1", lambda _: made) == made == store.environments.get("d-1")
    assert store.instances.names() == []
