"""Installing real bundles below a root: what ends up on disk, and what the next revision makes of it."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from adapters.host import spreading
from domain.appspec import ObjectType, Permission
from domain.errors import InstallError
from tasks import installing
from tests.unit.adapters.installing_site import Site, seen


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def inodes(site: Site) -> dict[str, int]:
    return {str(path.relative_to(site.root)): path.lstat().st_ino for path in site.root.rglob("*")}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_tree_arrives_as_it_is(site: Site) -> None:
    bundle = site.bundle("one", {"bin/run": "x" * 70_000, "empty": "", "none": None, "lib": "-> bin", "gone": "-> no"})
    (bundle / "bin/run").chmod(0o754)
    (bundle / "none").chmod(0o2710)
    (bundle / "bin").chmod(0o500)
    summary = site.install(bundle)
    app = site.root / "srv/app"
    assert seen(app) == seen(bundle)
    assert (app / "lib").is_symlink()
    assert summary.model_dump() == {
        "copied": 2,
        "linked": 2,
        "unchanged": 0,
        "retained": 0,
        "removed": 0,
        "directories": 4,
        "bytes": 70_000,
        "kept": 0,
        "restored": 0,
        "left": (),
        "rescued": (),
    }


def test_a_single_file_goes_into_its_destination(site: Site) -> None:
    site.with_files(("conf/app.ini", "/etc"), ("/conf/app.ini/", "/opt/x/"))
    site.install(site.bundle("one", {"conf/app.ini": "[a]"}))
    assert (site.root / "etc/app.ini").read_text() == (site.root / "opt/x/app.ini").read_text() == "[a]"


@pytest.mark.parametrize("source", ["/", "", ".", "./", "sub/.."])
def test_all_spellings_of_the_bundle_itself(site: Site, source: str) -> None:
    site.with_files((source, ""))
    site.install(site.bundle("one", {"a": "1", "sub/b": "2", ".hidden": "3"}))
    assert sorted(site.seen()) == [".hidden", "a", "sub", "sub/b"]


def test_nothing_changed_means_nothing_done(site: Site) -> None:
    tree = {"bin/run": "same", "lib": "-> bin", "d/e/f": "deep"}
    site.install(site.bundle("one", tree))
    before = inodes(site)
    bundle = site.bundle("two", tree)
    os.utime(bundle / "bin/run", (5, 5))
    summary = site.install(bundle)
    assert (summary.copied, summary.linked, summary.unchanged, summary.removed, summary.bytes) == (0, 0, 3, 0, 0)
    assert inodes(site) == before


def test_same_size_and_time_is_not_taken_for_the_same(site: Site) -> None:
    site.install(site.bundle("one", {"version": "1.0.1"}))
    summary = site.install(site.bundle("two", {"version": "1.0.2"}))
    assert summary.copied == 1
    assert (site.root / "srv/app/version").read_text() == "1.0.2"


def test_edits_of_our_files_are_taken_back(site: Site) -> None:
    tree = {"text": "ours", "mode": "m", "link": "-> text", "gone": "g"}
    site.install(site.bundle("one", tree))
    app = site.root / "srv/app"
    (app / "text").write_text("edit")
    (app / "mode").chmod(0o600)
    (app / "link").unlink()
    (app / "link").symlink_to("mode")
    (app / "gone").unlink()
    bundle = site.bundle("two", tree)
    assert site.install(bundle).unchanged == 0
    assert seen(app) == seen(bundle)


def test_an_edit_of_an_installed_file_leaves_the_bundle_alone(site: Site) -> None:
    bundle = site.bundle("one", {"a": "revision"})
    site.install(bundle)
    with (site.root / "srv/app/a").open("r+") as installed:
        installed.write("EDITED")
    assert (bundle / "a").read_text() == "revision"


def test_what_the_new_revision_lacks_goes_bottom_up(site: Site) -> None:
    odd = {"d/e/trailing ": "1", "d/line\nbreak": "2", "d/bytes\udcff": "3", "link": "-> /etc/passwd", "kept/a": "4"}
    site.install(site.bundle("one", odd))
    (site.root / "srv/app/kept/users").write_text("a user's")
    summary = site.install(site.bundle("two", {"b": "5"}))
    assert summary.removed == 7
    assert sorted(seen(site.root / "srv/app")) == ["b", "kept", "kept/users"]


def test_disallow_names_conflicts_and_touches_nothing(site: Site) -> None:
    site.install(site.bundle("one", {"old": "1"}))
    (site.root / "srv/app/new").write_text("a user's")
    before = site.seen()
    with pytest.raises(
        InstallError, match=r"1 of the revision's files exist already .*: /srv/app/new\. Set file_exists"
    ):
        site.install(site.bundle("two", {"new": "2"}))
    assert site.seen() == before


def test_retain_keeps_and_does_not_adopt(site: Site) -> None:
    (site.root / "srv/app").mkdir(parents=True)
    (site.root / "srv/app/theirs").write_text("a user's")
    summary = site.install(site.bundle("one", {"theirs": "1", "ours": "2"}), "RETAIN")
    assert (summary.retained, summary.copied) == (1, 1)
    site.install(site.bundle("two", {}))
    assert (site.root / "srv/app/theirs").read_text() == "a user's"
    assert not (site.root / "srv/app/ours").exists()


def test_overwrite_adopts_and_undo_gives_back(site: Site) -> None:
    outside = site.root / "precious"
    outside.write_text("do not touch")
    (site.root / "srv/app").mkdir(parents=True)
    (site.root / "srv/app/a").symlink_to("../../precious")
    site.install(site.bundle("one", {"a": "new"}), "OVERWRITE")
    assert not (site.root / "srv/app/a").is_symlink()
    assert outside.read_text() == "do not touch"
    assert site.undo() == ()
    assert (site.root / "srv/app/a").is_symlink()
    site.install(site.bundle("two", {"a": "new"}), "OVERWRITE")
    site.install(site.bundle("three", {}))
    assert not os.path.lexists(site.root / "srv/app/a")


def test_a_user_directory_is_followed_and_survives(site: Site) -> None:
    (site.root / "data").mkdir(parents=True)
    (site.root / "srv").symlink_to("data")
    site.install(site.bundle("one", {"a": "1"}))
    assert (site.root / "data/app/a").read_text() == "1"
    assert json.loads((site.state / "cleanup").read_text().splitlines()[-1]) == ["file", "/data/app/a"]
    site.install(site.bundle("two", {}))
    assert sorted(site.seen()) == ["data", "data/app", "srv"]


def test_a_link_of_ours_becomes_a_directory(site: Site) -> None:
    site.install(site.bundle("one", {"lib-1/a": "1", "lib": "-> lib-1"}))
    site.install(site.bundle("two", {"lib/a": "2"}))
    assert not (site.root / "srv/app/lib").is_symlink()
    assert sorted(seen(site.root / "srv/app")) == ["lib", "lib/a"]


def test_permissions_are_set_and_a_new_revision_starts_afresh(site: Site) -> None:
    site.with_permissions(
        Permission(object="/srv/app", types=frozenset({ObjectType.FILE}), mode=0o640),
        Permission(object="/srv", types=frozenset({ObjectType.DIRECTORY}), mode=0o710),
    )
    tree = {"d/a": "1", "b": "2", "l": "-> /etc/hostname"}
    site.install(site.bundle("one", tree))
    app = site.root / "srv/app"
    assert [mode_of(app / name) for name in ("d/a", "b", "d", ".")] == [0o640, 0o640, 0o710, 0o710]
    assert site.install(site.bundle("two", tree)).unchanged == 3
    site.with_permissions()
    bundle = site.bundle("three", tree)
    assert site.install(bundle).copied == 2
    assert seen(app) == seen(bundle)
    assert mode_of(app) == 0o755
    assert site.undo() == ()
    assert [mode_of(app / name) for name in ("d/a", "b", "d", ".")] == [0o640, 0o640, 0o710, 0o710]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_set_id_bits_survive_a_new_owner(site: Site) -> None:
    site.with_permissions(Permission(object="/srv/app", owner="nobody", mode=0o4755))
    site.install(site.bundle("one", {"run": "1"}))
    status = (site.root / "srv/app/run").stat()
    assert (status.st_uid != 0, stat.S_IMODE(status.st_mode)) == (True, 0o4755)
    assert site.install(site.bundle("two", {"run": "1"})).unchanged == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_keeps_the_owners_of_the_bundle(site: Site) -> None:
    bundle = site.bundle("one", {"d/a": "1"})
    for name in ("d", "d/a"):
        os.chown(bundle / name, 12345, 54321)
    site.install(bundle)
    for name in ("d", "d/a"):
        status = (site.root / "srv/app" / name).stat()
        assert (status.st_uid, status.st_gid) == (12345, 54321)


def test_a_plan_can_be_had_without_doing_it(site: Site) -> None:
    site.install(site.bundle("one", {"a": "1", "b": "2"}))
    before = site.seen()
    bundle = site.bundle("two", {"a": "1", "c": "3"})
    plan = installing.plan_only(bundle, site.spec, disk=site.disk, state=site.state, root=site.root)
    steps = installing.plan_as_json(plan)["instructions"]
    assert [(step["type"], step.get("file") or step.get("destination")) for step in steps] == [
        ("remove", "/srv/app/b"),
        ("copy", "/srv/app/c"),
    ]
    assert site.seen() == before
    site.install(bundle)
    assert json.loads((site.state / "install.json").read_text())["instructions"] == steps


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Makes Install use threads however quick the disk is; holds the names of those that open files."""
    names, real = set[str](), os.open

    def opening(*given: Any) -> int:
        names.add(threading.current_thread().name)
        return real(*given)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(spreading, "SLOW", 0.0)
    monkeypatch.setattr(spreading, "THREADS", 3)
    return names


def test_many_files_go_over_several_threads(site: Site, threads: set[str]) -> None:
    tree = {f"d{number % 7}/{number}": str(number) for number in range(1500)}
    bundle = site.bundle("one", tree)
    summary = site.install(bundle)
    assert (summary.copied, summary.bytes) == (1500, sum(map(len, tree.values())))
    assert seen(site.root / "srv/app") == seen(bundle)
    again = site.bundle("two", {**tree, "d0/0": "changed"})
    assert site.install(again).copied == 1
    assert len(threads) > 1


@pytest.mark.usefixtures("threads")
def test_an_unreadable_file_among_many_undoes_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = site.bundle("one", {f"{number}": str(number) for number in range(1100)})
    real = os.open

    def failing(path: str, flags: int, *given: int) -> int:
        if str(path).endswith("one/999"):
            raise OSError(errno.EIO, "Input/output error", path)
        return real(path, flags, *given)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(InstallError, match=r"Install stopped at step \d+ of 1102 \(copy /srv/app/999\): Input/output"):
        site.install(bundle)
    assert site.seen() == {}


@pytest.mark.parametrize("broken", [errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, 0])
def test_a_filesystem_that_cannot_copy_by_itself(site: Site, monkeypatch: pytest.MonkeyPatch, broken: int) -> None:
    def refusing(*_: Any) -> int:
        if broken:
            raise OSError(broken, os.strerror(broken))
        return 0

    monkeypatch.setattr(os, "copy_file_range", refusing)
    bundle = site.bundle("one", {"a": "x" * 3_000_000, "b": "y", "c": ""})
    site.install(bundle)
    assert seen(site.root / "srv/app") == seen(bundle)


def test_records_on_another_filesystem(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install(site.bundle("one", {"a": "old", "gone": "old", "link": "-> a"}))
    site.commit()
    before, real = site.seen(), os.rename

    def across(source: str, target: str) -> None:
        if (Path(source).parent == site.state / "aside") is not (Path(target).parent == site.state / "aside"):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "rename", across)
    site.install(site.bundle("two", {"a": "new"}))
    assert sorted(seen(site.root / "srv/app")) == ["a"]
    assert site.undo() == ()
    assert site.seen() == before
