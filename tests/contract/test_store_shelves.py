"""Named documents: what every store promises of its shelves."""

from __future__ import annotations

import threading

from domain.applications import Application
from domain.fleet import Instance, TargetKind
from domain.groups import DeploymentGroup, TagFilter
from domain.ports import Store


def an_application(name: str, at: float = 1.0) -> Application:
    return Application(application_id=f"id-{name}", application_name=name, create_time=at)


def test_a_document_comes_back_as_it_was(store: Store) -> None:
    group = DeploymentGroup(
        application_name="shop",
        deployment_group_id="g",
        deployment_group_name="web",
        ec2_tag_set=((TagFilter(key="Name", value="ü*"),), ()),
        create_time=1_760_000_000.123457,
    )
    assert store.groups.add(group.key, group)
    assert store.groups.get(group.key) == group


def test_a_name_is_given_once(store: Store) -> None:
    assert store.applications.add("a", an_application("a"))
    assert not store.applications.add("a", an_application("a", at=2.0))
    assert store.applications.get("a") == an_application("a")


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.applications.get("a") is None
    assert store.applications.many([]) == []
    assert store.applications.many(["a"]) == [None]
    assert store.applications.change("a", lambda found: found) is None
    assert store.applications.remove("a") is None
    assert store.applications.names() == []


def test_many_keeps_the_order_of_the_names(store: Store) -> None:
    for name in ("a", "b"):
        store.applications.add(name, an_application(name))
    assert store.applications.many(["b", "x", "a"]) == [an_application("b"), None, an_application("a")]


def test_a_removed_name_is_free_again(store: Store) -> None:
    store.applications.add("a", an_application("a"))
    assert store.applications.remove("a") == an_application("a")
    assert store.applications.names() == []
    assert store.applications.add("a", an_application("a", at=2.0))


def test_names_are_in_order_page_by_page(store: Store) -> None:
    for name in ("b/2", "a/1", "b/1", "c", "b/é"):
        store.revisions.names()
        store.applications.add(name, an_application(name))
    assert store.applications.names() == ["a/1", "b/1", "b/2", "b/é", "c"]
    assert store.applications.names(prefix="b/") == ["b/1", "b/2", "b/é"]
    assert store.applications.names(prefix="b/", after="b/1", limit=1) == ["b/2"]
    assert store.applications.names(after="b/2") == ["b/é", "c"]
    assert store.applications.names(prefix="b/", after="c") == []
    assert store.applications.names(prefix="b/", after="a") == ["b/1", "b/2", "b/é"]
    assert store.applications.names(limit=0) == []


def test_names_that_look_like_keys_do_not_meet(store: Store) -> None:
    names = ["a", "a:b", "a%3Ab", "a/b", "a b", 'x/{"k":"v"}', "names:application", "ü", ":", "%"]
    for name in names:
        assert store.applications.add(name, an_application(name))
    assert store.applications.names() == sorted(names)
    assert store.applications.many(names) == [an_application(name) for name in names]


def test_kinds_do_not_mix(store: Store) -> None:
    store.applications.add("a", an_application("a"))
    store.instances.add("a", Instance(instance_id="a", kind=TargetKind.ON_PREMISES, arn="arn"))
    assert store.groups.get("a") is None
    assert store.instances.names() == ["a"]
    store.instances.remove("a")
    assert store.applications.get("a") == an_application("a")


def test_no_edit_is_lost(store: Store) -> None:
    store.applications.add("a", an_application("a", at=0.0))

    def edit_often() -> None:
        for _ in range(25):
            store.applications.change("a", lambda a: a.model_copy(update={"create_time": a.create_time + 1}))

    threads = [threading.Thread(target=edit_often) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.applications.get("a") == an_application("a", at=150.0)


def test_one_of_many_gets_a_name(store: Store) -> None:
    won: list[int] = []

    def add(number: int) -> None:
        if store.applications.add("a", an_application("a", at=float(number))):
            won.append(number)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.applications.get("a") == an_application("a", at=float(won[0]))
    assert len(won) == 1


def test_a_document_shares_nothing_with_what_was_given(store: Store) -> None:
    tags = {"role": "web"}
    store.instances.add("a", Instance(instance_id="a", kind=TargetKind.EC2, arn="arn", tags=tags))
    tags["role"] = "db"
    found = store.instances.get("a")
    assert found is not None
    assert found.tags == {"role": "web"}
