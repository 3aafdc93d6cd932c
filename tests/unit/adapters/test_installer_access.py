"""ACLs and SELinux contexts: how the programs are called, with stand-ins that write their arguments down."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from adapters.host.access import whole_acl
from domain.appspec import AclEntry, ObjectType, Permission, SelinuxContext
from domain.errors import InstallError
from tests.services import set_attribute
from tests.unit.adapters.installing_site import Site

STAND_IN = """#!{python}
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
if os.path.exists({log!r} + ".fail") and open({log!r} + ".fail").read() in sys.argv:
    sys.exit("it did not work")
"""


class Tools:
    """The stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        folder.mkdir()

    def add(self, *names: str) -> None:
        for name in names:
            (self.folder / name).write_text(STAND_IN.format(python=sys.executable, log=str(self.log)))
            (self.folder / name).chmod(0o755)

    def fail_on(self, word: str) -> None:
        self.log.with_name("log.fail").write_text(word)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    return Tools(tmp_path / "tools")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


def named(kind: str, name: str, perms: str, *, default: bool = False) -> AclEntry:
    return AclEntry(kind=kind, name=name, perms=perms, default=default)


def test_each_object_gets_its_own_acl(site: Site, tools: Tools) -> None:
    tools.add("setfacl")
    site.with_permissions(
        Permission(object="/srv/app", pattern="a", mode=0o640, acls=(named("user", "www", "r--"),)),
        Permission(object="/srv/app", pattern="b;x y", mode=0o604, acls=(named("group", "www", "rw-"),)),
        Permission(object="/srv/app", pattern="c", acls=()),
    )
    site.install(site.bundle("one", {"a": "1", "b;x y": "2", "c": "3"}))
    app = site.root / "srv/app"
    assert tools.calls() == [
        ["setfacl", "--set", "user:www:r--,user::rw-,group::r--,other::---,mask::r--", "--", f"{app}/a"],
        ["setfacl", "--set", "group:www:rw-,user::rw-,group::---,other::r--,mask::---", "--", f"{app}/b;x y"],
        ["setfacl", "--set", "user::rw-,group::r--,other::r--", "--", f"{app}/c"],
    ]


def test_default_entries_bring_their_base() -> None:
    entries = ("user:a:rwx", "mask::r-x", "default:group:b:r--")
    assert whole_acl(entries, 0o751) == (
        "user:a:rwx",
        "mask::r-x",
        "user::rwx",
        "group::r-x",
        "other::--x",
        "default:group:b:r--",
        "default:user::rwx",
        "default:group::r-x",
        "default:other::--x",
        "default:mask::r-x",
    )


def test_a_context_needs_no_range_and_names_are_no_patterns(site: Site, tools: Tools) -> None:
    tools.add("semanage", "restorecon")
    site.with_permissions(
        Permission(object="/srv/app", types=frozenset({ObjectType.FILE}), context=SelinuxContext(type="httpd_t")),
        Permission(object="/srv", pattern="app", context=SelinuxContext(user="u", type="t", range="s0-s1")),
    )
    site.install(site.bundle("one", {"a.b+": "1"}))
    app = str(site.root / "srv/app")
    pattern = app.replace(".", r"\.")
    assert tools.calls() == [
        ["semanage", "fcontext", "-a", "-t", "httpd_t", pattern + r"/a\.b\+"],
        ["restorecon", "-v", f"{app}/a.b+"],
        ["semanage", "fcontext", "-a", "-s", "u", "-t", "t", "-r", "s0-s1", pattern],
        ["restorecon", "-v", app],
    ]


def test_the_next_revision_drops_the_rules(site: Site, tools: Tools) -> None:
    tools.add("semanage", "restorecon")
    site.with_permissions(Permission(object="/srv/app/a", context=SelinuxContext(type="httpd_t")))
    site.install(site.bundle("one", {"a": "1"}))
    site.with_permissions()
    tools.log.unlink()
    site.install(site.bundle("two", {"a": "1"}))
    path = str(site.root / "srv/app/a")
    assert tools.calls() == [["semanage", "fcontext", "-d", path.replace(".", r"\.")]]
    tools.log.unlink()
    assert site.undo() == ()
    assert [call[:3] for call in tools.calls()] == [["semanage", "fcontext", "-a"], ["restorecon", "-v", path]]


@pytest.mark.parametrize("word", ["--set", "-a"])
def test_a_program_that_fails_undoes_everything(site: Site, tools: Tools, word: str) -> None:
    tools.add("setfacl", "semanage", "restorecon")
    tools.fail_on(word)
    site.with_permissions(Permission(object="/srv/app", acls=(), context=SelinuxContext(type="t")))
    with pytest.raises(InstallError, match=r"failed with exit status 1: it did not work.*was undone"):
        site.install(site.bundle("one", {"a": "1"}))
    assert site.seen() == {}


@pytest.mark.parametrize(
    ("permission", "told"),
    [
        (Permission(object="/srv/app", acls=()), "has no setfacl: install the package acl"),
        (Permission(object="/srv/app", context=SelinuxContext(type="t")), "no restorecon and no semanage"),
    ],
)
def test_a_missing_program_is_found_before_anything_is_touched(site: Site, permission: Permission, told: str) -> None:
    old = os.environ["PATH"]
    os.environ["PATH"] = str(site.folder)
    try:
        site.with_permissions(permission)
        with pytest.raises(InstallError, match=told):
            site.install(site.bundle("one", {"a": "1"}))
    finally:
        os.environ["PATH"] = old
    assert site.seen() == {}


def test_a_file_with_an_acl_of_its_own_is_made_anew(site: Site) -> None:
    site.install(site.bundle("one", {"a": "1"}))
    named_user = bytes.fromhex(
        "0200000001000600ffffffff020006000100000004000400ffffffff10000600ffffffff20000400ffffffff"
    )
    path = site.root / "srv/app/a"
    set_attribute(path, "system.posix_acl_access", named_user)
    assert site.install(site.bundle("two", {"a": "1"})).copied == 1
    assert os.listxattr(path) == []
    assert site.undo() == ()
    assert os.listxattr(path) == ["system.posix_acl_access"]
