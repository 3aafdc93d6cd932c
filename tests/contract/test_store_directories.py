"""Documents that keep their identity under another name: what every store promises of its directories."""

from __future__ import annotations

import threading

import pytest

from domain.applications import Application
from domain.errors import NameTaken
from domain.groups import DeploymentGroup, TagFilter, group_name
from domain.ports import Store


def an_application(name: str, *, identity: str | None = None, at: float = 1.0) -> Application:
    return Application(application_id=identity or f"id-{name}", application_name=name, create_time=at)


def test_a_document_comes_back_as_it_was(store: Store) -> None:
    group = DeploymentGroup(
        application_id="a-1",
        deployment_group_id="g",
        deployment_group_name="web",
        ec2_tag_set=((TagFilter(key="Name", value="ü*"),), ()),
        create_time=1_760_000_000.123457,
    )
    assert store.groups.add(group)
    assert store.groups.get("g") == group
    assert store.groups.named(group_name("a-1", "web")) == group


def test_a_name_is_given_once(store: Store) -> None:
    assert store.applications.add(an_application("a"))
    assert not store.applications.add(an_application("a", identity="other"))
    assert store.applications.get("other") is None
    assert store.applications.named("a") == an_application("a")


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.applications.get("a") is None
    assert store.applications.named("a") is None
    assert store.applications.many([]) == []
    assert store.applications.many(["a"]) == [None]
    assert store.applications.change("a", lambda found: found) is None
    assert store.applications.remove("a") is None
    assert store.applications.names() == []
    assert store.applications.count() == 0


def test_another_name_is_another_way_to_the_same(store: Store) -> None:
    store.applications.add(an_application("old", identity="1"))
    changed = store.applications.change("1", lambda a: a.model_copy(update={"application_name": "new"}))
    assert changed == an_application("new", identity="1")
    assert store.applications.get("1") == store.applications.named("new") == changed
    assert store.applications.named("old") is None
    assert store.applications.names() == ["new"]
    assert store.applications.add(an_application("old", identity="2"))
    assert store.applications.many(["2", "x", "1"]) == [an_application("old", identity="2"), None, changed]


def test_many_are_found_by_the_names_that_they_have_now(store: Store) -> None:
    for number in range(250):
        store.applications.add(an_application(f"a{number:03d}"))
    store.applications.change("id-a000", lambda a: a.model_copy(update={"application_name": "new"}))
    store.applications.remove("id-a001")
    names = [f"a{number:03d}" for number in reversed(range(250))] + ["new", "new"]
    found = store.applications.many_named(names)
    expected = [None if name in {"a000", "a001"} else an_application(name) for name in names[:-2]]
    assert found == [*expected, *[an_application("new", identity="id-a000")] * 2]
    assert store.applications.many_named([]) == []


def test_a_name_that_another_has_is_refused_and_changes_nothing(store: Store) -> None:
    store.applications.add(an_application("a", identity="1"))
    store.applications.add(an_application("b", identity="2"))
    with pytest.raises(NameTaken):
        store.applications.change("1", lambda a: a.model_copy(update={"application_name": "b"}))
    assert store.applications.named("a") == an_application("a", identity="1")
    assert store.applications.named("b") == an_application("b", identity="2")
    assert store.applications.names() == ["a", "b"]


def test_an_identity_is_not_for_editing(store: Store) -> None:
    store.applications.add(an_application("a", identity="1"))
    with pytest.raises(ValueError, match="identity"):
        store.applications.change("1", lambda a: a.model_copy(update={"application_id": "2"}))
    assert store.applications.get("1") == an_application("a", identity="1")


def test_the_same_name_again_is_no_other_name(store: Store) -> None:
    store.applications.add(an_application("a", identity="1"))
    store.applications.change("1", lambda a: a.model_copy(update={"create_time": 2.0}))
    assert store.applications.named("a") == an_application("a", identity="1", at=2.0)
    assert store.applications.names() == ["a"]


def test_a_removed_name_is_free_again(store: Store) -> None:
    store.applications.add(an_application("a", identity="1"))
    store.applications.change("1", lambda a: a.model_copy(update={"application_name": "b"}))
    assert store.applications.remove("1") == an_application("b", identity="1")
    assert store.applications.named("b") is None
    assert store.applications.names() == []
    assert store.applications.add(an_application("b", identity="2"))


def test_names_are_in_order_page_by_page(store: Store) -> None:
    for name in ("b/2", "a/1", "b/1", "c", "b/é"):
        store.applications.add(an_application(name))
    assert store.applications.names() == ["a/1", "b/1", "b/2", "b/é", "c"]
    assert store.applications.names(prefix="b/", after="b/1", limit=1) == ["b/2"]
    assert store.applications.names(prefix="b/", after="a") == ["b/1", "b/2", "b/é"]
    assert store.applications.names(prefix="b/", after="c") == []
    assert (store.applications.count(), store.applications.count(prefix="b/")) == (5, 3)


def test_one_of_many_gets_a_name(store: Store) -> None:
    for number in range(6):
        store.applications.add(an_application(f"a{number}", identity=str(number)))
    won: list[int] = []

    def take(number: int) -> None:
        try:
            store.applications.change(str(number), lambda a: a.model_copy(update={"application_name": "wanted"}))
        except NameTaken:
            return
        won.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    found = store.applications.named("wanted")
    assert found is not None
    assert found.application_id == str(won[0])
    assert len(store.applications.names()) == 6
