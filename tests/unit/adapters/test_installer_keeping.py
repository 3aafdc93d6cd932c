"""What OVERWRITE replaced of others is kept and comes back by a rollback: on a real disk, over several deployments."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import pytest

from adapters.host import keeping
from adapters.host.rooted import Rooted
from domain.errors import InstallError
from domain.install import InstallSummary, Kept, Kind
from domain.keeping import Keeping, Restoring
from tests.services import set_attribute
from tests.unit.adapters.installing_site import Site, lay

FOREIGN = "srv/app/x"


class Group(Site):
    """A group with the option: deployments are numbered, and began in that order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.number = 0
        lay(self.root, {FOREIGN: "a user's"})
        self.x = self.root / FOREIGN

    def deploy(self, tree: dict[str, str | None], *, ends: bool = True, **more: Any) -> int:
        """A deployment of a revision that succeeds, or that comes as far as Install; its number."""
        self.done(tree, **more)
        if ends:
            self.commit()
        return self.number

    def done(
        self,
        tree: dict[str, str | None],
        *,
        back_to: int | None = None,
        behavior: str = "OVERWRITE",
        limit: int = 1000,
        revisions: int = 5,
    ) -> InstallSummary:
        self.number += 1
        rule = Keeping(Restoring(began=self.number, back_to=back_to), limit, revisions)
        return self.install(self.bundle(f"v{self.number}", {"own": str(self.number), **tree}), behavior, keeping=rule)

    def rescued(self) -> list[str]:
        return [path.read_text() for path in sorted(self.state.glob("rescued-*/*"))]

    def copies(self) -> list[str]:
        return sorted(path.name for path in self.state.glob("kept/*"))


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path / "site")


def test_a_rollback_brings_back_what_the_failed_revision_replaced(group: Group) -> None:
    group.x.chmod(0o4710)
    before = group.seen()[FOREIGN]
    group.deploy({})
    assert group.done({"x": "ours"}).kept == 1
    assert group.x.read_text() == "ours"
    summary = group.done({}, back_to=1)
    assert (summary.restored, summary.left) == (1, ())
    assert "1 given back" in str(summary)
    assert group.seen()[FOREIGN] == before
    group.commit()
    assert not (group.state / "kept").exists()
    # It is a file of others again, and never ours.
    group.deploy({})
    assert group.x.read_text() == "a user's"
    with pytest.raises(InstallError, match="exist already"):
        group.done({"x": "ours"}, behavior="DISALLOW")


def test_over_several_deployments_each_state_comes_back(group: Group) -> None:
    first = group.deploy({})
    second = group.deploy({"x": "two"})
    group.deploy({"x": "three"})
    assert group.x.read_text() == "three"
    group.deploy({"x": "two"}, back_to=second)
    assert group.x.read_text() == "two"
    group.deploy({}, back_to=first)
    assert group.x.read_text() == "a user's"


def test_a_revision_that_has_no_use_for_the_path_removes_its_file_and_a_rollback_past_it_finds_the_copy(
    group: Group,
) -> None:
    first = group.deploy({})
    group.deploy({"x": "two"})
    third = group.deploy({})
    assert not group.x.exists()
    group.deploy({"y": "four"})
    group.deploy({}, back_to=third)
    assert not group.x.exists(), "it was gone when the third deployment was over"
    group.deploy({}, back_to=first)
    assert group.x.read_text() == "a user's"


def test_two_files_of_others_in_turn(group: Group) -> None:
    first = group.deploy({})
    group.deploy({"x": "two"})
    third = group.deploy({})
    group.x.write_text("another user's")
    group.deploy({"x": "four"})
    assert len(group.copies()) == 2
    group.deploy({}, back_to=third)
    assert group.x.read_text() == "another user's"
    # What others have there now is not thrown away for what they had earlier.
    assert group.done({}, back_to=first).left == (f"/{FOREIGN} (something else lies there by now)",)
    assert group.x.read_text() == "another user's"


def failed_then(group: Group, change: Callable[[], object]) -> InstallSummary:
    """A deployment that replaces x and fails, what somebody does after that, and the rollback."""
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    group.scripts_ran()
    change()
    summary = group.done({}, back_to=1)
    group.scripts_ran()
    group.commit()
    return summary


@pytest.mark.parametrize("content", ["an admin's", "mine"], ids=["another size", "the same size"])
def test_what_others_have_put_there_after_a_failure_stays(group: Group, content: str) -> None:
    summary = failed_then(group, lambda: group.x.write_text(content))
    assert (summary.restored, summary.rescued) == (0, ())
    assert summary.left == (f"/{FOREIGN} (something else lies there by now)",)
    assert f"not given back: /{FOREIGN}" in str(summary)
    assert (group.x.read_text(), group.copies()) == (content, ["1"])
    # It is a file of others from now on, never ours.
    with pytest.raises(InstallError, match="exist already"):
        group.done({"x": "ours"}, behavior="DISALLOW")
    group.deploy({})
    assert group.x.read_text() == content


def test_a_link_that_others_have_put_there_stays(group: Group) -> None:
    def link() -> None:
        group.x.unlink()
        group.x.symlink_to("own")

    assert failed_then(group, link).left
    assert group.x.readlink() == Path("own")


def test_a_file_of_ours_that_others_have_removed_is_in_nobodys_way(group: Group) -> None:
    assert failed_then(group, lambda: group.x.unlink()).restored == 1
    assert group.x.read_text() == "a user's"


def test_what_changes_only_rights_is_nothing_else(group: Group) -> None:
    assert failed_then(group, lambda: group.x.chmod(0o600)).restored == 1
    assert (group.x.read_text(), group.rescued()) == ("a user's", [])


def test_what_a_script_made_of_it_gives_way_and_is_not_lost(group: Group) -> None:
    """A script that fills in a file of the revision is common; an admin may have been as quick."""
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    group.x.write_text("ours, filled in")
    group.scripts_ran()
    summary = group.done({}, back_to=1)
    assert (summary.restored, summary.left, group.x.read_text()) == (1, (), "a user's")
    assert group.rescued() == ["ours, filled in"]
    (place,) = group.state.glob("rescued-*/*")
    assert summary.rescued == (f"/{FOREIGN} as {place}",)
    assert f"; what lay there is kept: /{FOREIGN} as {place}" in str(summary)
    group.commit()
    assert group.rescued() == ["ours, filled in"]


def test_what_comes_after_the_scripts_stays_whatever_they_made(group: Group) -> None:
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    group.x.write_text("ours, filled in")
    group.scripts_ran()
    group.x.write_text("an admin's, since")
    assert group.done({}, back_to=1).left
    assert (group.x.read_text(), group.rescued()) == ("an admin's, since", [])


def test_a_later_install_of_ours_is_what_counts(group: Group) -> None:
    group.deploy({})
    group.deploy({"x": "two"})
    group.deploy({"x": "three"}, ends=False)
    assert group.done({}, back_to=1).restored == 1
    assert (group.x.read_text(), group.rescued()) == ("a user's", [])


def test_an_install_that_is_undone_leaves_what_is_known(group: Group) -> None:
    group.deploy({})
    group.deploy({"x": "two"})
    group.done({"x": "three"})
    assert group.undo() == ()
    assert group.done({}, back_to=1).restored == 1
    assert (group.x.read_text(), group.rescued()) == ("a user's", [])


def test_a_record_that_cannot_tell_loses_nothing(group: Group) -> None:
    """As one that an earlier version wrote."""
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    record = group.state / "cleanup"
    *lines, copy = record.read_text().splitlines()
    assert json.loads(copy)[:4] == ["kept", "1", f"/{FOREIGN}", "file"]
    record.write_text("".join(f"{line}\n" for line in (*lines, json.dumps(json.loads(copy)[:7]))))
    group.x.write_text("an admin's")
    assert group.done({}, back_to=1).restored == 1
    assert (group.x.read_text(), group.rescued()) == ("a user's", ["an admin's"])


def test_a_rollback_that_is_undone_leaves_nothing_rescued_behind(group: Group) -> None:
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    group.x.write_text("ours, filled in")
    group.scripts_ran()
    before = group.seen()
    group.done({}, back_to=1)
    group.undo()
    assert (group.seen(), list(group.state.glob("rescued-*"))) == (before, [])


def test_the_directory_that_holds_what_stays_stays(group: Group) -> None:
    group.deploy({})
    lay(group.root, {"srv/app/conf/z": "a user's"})
    group.deploy({"conf/z": "ours"}, ends=False)
    (group.root / "srv/app/conf/z").write_text("an admin's")
    assert group.done({}, back_to=1).left == ("/srv/app/conf/z (something else lies there by now)",)
    assert (group.root / "srv/app/conf/z").read_text() == "an admin's"


def test_a_revision_that_has_the_path_installs_its_file(group: Group) -> None:
    group.deploy({"x": "one"})
    group.deploy({"x": "two"}, ends=False)
    group.x.write_text("an admin's")
    assert group.done({"x": "one"}, back_to=1).left == ()
    assert (group.x.read_text(), group.copies()) == ("one", ["1"])


def test_scripts_of_a_group_without_copies_cost_nothing(group: Group) -> None:
    group.deploy({})
    before = (group.state / "cleanup").stat()
    group.scripts_ran()
    assert (group.state / "cleanup").stat() == before


def test_a_file_that_was_retained_is_retained_again(group: Group) -> None:
    first = group.deploy({"x": "one"}, behavior="RETAIN")
    assert group.x.read_text() == "a user's"
    group.deploy({"x": "two"}, ends=False)
    assert group.x.read_text() == "two"
    assert group.done({"x": "one"}, behavior="RETAIN", back_to=first).restored == 1
    assert group.x.read_text() == "a user's"


def test_without_the_option_it_does_not_come_back(group: Group) -> None:
    group.install(group.bundle("one", {}))
    group.install(group.bundle("two", {"x": "ours"}), "OVERWRITE")
    assert group.copies() == []
    group.deploy({}, back_to=0)
    assert not group.x.exists()


def test_turning_the_option_off_drops_the_copies(group: Group) -> None:
    group.deploy({"x": "ours"})
    assert group.copies() == ["1"]
    group.install(group.bundle("off", {"x": "ours too"}))
    assert group.copies() == ["1"], "it can still be undone"
    group.commit()
    assert group.copies() == []


def test_links_come_back_as_links(group: Group) -> None:
    group.x.unlink()
    group.x.symlink_to("../nowhere")
    group.deploy({})
    group.deploy({"x": "-> own"}, ends=False)
    assert group.x.readlink() == Path("own")
    group.deploy({}, back_to=1)
    assert group.x.readlink() == Path("../nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_comes_back(group: Group) -> None:
    os.chown(group.x, 12345, 54321)
    group.x.chmod(0o6750)
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    assert stat.S_IMODE((group.state / "kept").stat().st_mode) == 0o700
    group.deploy({}, back_to=1)
    status = group.x.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o6750)


def test_acls_and_other_attributes_come_back(group: Group) -> None:
    set_attribute(group.x, "user.origin", b"a user")
    if shutil.which("setfacl"):
        subprocess.run(["setfacl", "-m", "u:1:r", str(group.x)], check=False)
    before = {name: os.getxattr(group.x, name) for name in os.listxattr(group.x)}
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    group.deploy({}, back_to=1)
    assert {name: os.getxattr(group.x, name) for name in os.listxattr(group.x)} == before


def test_what_does_not_fit_fails_before_anything_is_touched(group: Group) -> None:
    lay(group.root, {"srv/app/y": "12345678"})
    group.deploy({"x": "ours"}, limit=15)
    before = group.seen()
    with pytest.raises(InstallError, match=r"1 files of others .* 8 bytes: /srv/app/y.* may keep 15 .* keeps 8"):
        group.done({"x": "ours", "y": "ours"}, limit=15)
    assert group.seen() == before
    assert "its deployment is over" in group.describe(), "nothing was begun"
    assert group.done({"x": "ours", "y": "ours"}, limit=16).kept == 1


def test_a_file_that_grows_meanwhile_fails_before_anything_is_touched(group: Group) -> None:
    group.deploy({"gone-in-two": ""})
    grow = "a user's log, one line longer"
    with (
        happening_between(group, lambda: group.x.write_text(grow)),
        pytest.raises(InstallError, match="grew from 8 to 29 bytes"),
    ):
        group.done({"x": "ours"})
    assert group.x.read_text() == grow
    assert (group.root / "srv/app/gone-in-two").exists()
    assert group.copies() == []


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(group: Group) -> None:
    def swap() -> None:
        group.x.unlink()
        os.mkfifo(group.x)

    group.deploy({})
    with happening_between(group, swap), pytest.raises(InstallError, match="something that cannot be copied"):
        group.done({"x": "ours"})
    assert stat.S_ISFIFO(group.x.lstat().st_mode)


def test_copies_go_when_no_rollback_reaches_back_any_more(group: Group) -> None:
    group.deploy({"x": "ours"}, revisions=2)
    for _ in range(4):
        group.deploy({"x": "ours"}, revisions=2)
        assert group.copies() == ["1"], "the path is the group's: there is no other copy"
    group.deploy({}, revisions=2)
    group.deploy({}, revisions=2)
    assert group.copies() == ["1"]
    group.deploy({}, revisions=2)
    assert group.copies() == []


def test_numbers_are_not_used_twice_while_a_copy_stays(group: Group) -> None:
    lay(group.root, {"srv/app/y": "another"})
    group.deploy({"x": "ours"})
    group.deploy({"x": "ours", "y": "ours"})
    assert group.copies() == ["1", "2"]
    group.deploy({}, back_to=0)
    assert (group.x.read_text(), (group.root / "srv/app/y").read_text()) == ("a user's", "another")


def test_the_directory_of_what_comes_back_stays_or_is_made(group: Group) -> None:
    group.deploy({})
    group.deploy({"conf/own": "two"})
    lay(group.root, {"srv/app/conf/z": "a user's"})
    group.deploy({"conf/own": "three", "conf/z": "three"})
    group.deploy({})
    assert not (group.root / "srv/app/conf").exists()
    group.deploy({}, back_to=1)
    assert (group.root / "srv/app/conf/z").read_text() == "a user's"


def test_right_below_the_root_of_the_machine_wherever_the_agent_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1").write_text("a user's")
    monkeypatch.chdir(tmp_path)
    assert keeping.unfit(tmp_path, [Kept("1", "/motd", Kind.FILE, 8, 1.0)], Rooted(PurePath("/"))) == {}


def test_the_plan_and_the_description_show_it(group: Group) -> None:
    group.deploy({})
    group.deploy({"x": "ours"}, ends=False)
    assert '{"type":"save","file":"/srv/app/x","copy":"1","size":8}' in (group.state / "install.json").read_text()
    group.deploy({}, back_to=1)
    assert (
        '{"type":"restore","file":"/srv/app/x","copy":"1","kind":"file","replaces":true}'
        in (group.state / "install.json").read_text()
    )


def test_a_link_in_the_place_of_the_folder_is_not_followed(group: Group) -> None:
    elsewhere = group.folder / "elsewhere"
    lay(elsewhere, {"1": "somebody's", "2": "somebody's"})
    group.deploy({})
    (group.state / "kept").symlink_to(elsewhere)
    before = group.seen()
    with pytest.raises(InstallError, match="kept should be a directory"):
        group.done({"x": "ours"})
    assert group.seen() == before
    assert sorted(path.read_text() for path in elsewhere.iterdir()) == ["somebody's"] * 2


def test_a_folder_that_became_a_link_fails_the_rollback_before_anything_is_touched(group: Group) -> None:
    elsewhere = group.folder / "elsewhere"
    group.deploy({"x": "ours"})
    (group.state / "kept").rename(elsewhere)
    (group.state / "kept").symlink_to(elsewhere)
    before = group.seen()
    with pytest.raises(InstallError, match="kept should be a directory"):
        group.done({}, back_to=0)
    assert group.seen() == before
    assert (elsewhere / "1").read_text() == "a user's"


def test_a_link_in_the_place_of_a_new_copy_is_replaced(group: Group) -> None:
    precious = group.folder / "precious"
    precious.write_text("somebody's")
    group.deploy({})
    with happening_between(group, lambda: plant(group.state / "kept", precious)):
        group.deploy({"x": "ours"})
    assert precious.read_text() == "somebody's"
    assert (group.state / "kept/1").read_text() == "a user's"


def test_a_link_in_the_place_of_a_copy_is_no_copy(group: Group) -> None:
    secret = group.folder / "secret"
    secret.write_text("a secret")
    group.deploy({"x": "ours"})
    (group.state / "kept/1").unlink()
    (group.state / "kept/1").symlink_to(secret)
    summary = group.done({}, back_to=0)
    assert summary.left == (f"/{FOREIGN} (its copy is gone)",)
    assert not os.path.lexists(group.x)
    assert secret.exists()


def test_a_copy_that_is_swapped_at_the_last_moment_fails_and_is_undone(group: Group) -> None:
    secret = group.folder / "secret"
    secret.write_text("a secret")
    group.deploy({"x": "ours"})

    def swap() -> None:
        (group.state / "kept/1").unlink()
        (group.state / "kept/1").symlink_to(secret)

    before = group.seen()
    with happening_between(group, swap), pytest.raises(InstallError, match="is not what was kept of"):
        group.done({}, back_to=0)
    assert group.seen() == before


@pytest.mark.parametrize("inside", [True, False], ids=["inside the root", "out of the root"])
def test_a_path_that_leads_elsewhere_by_now_is_left_alone(group: Group, inside: bool) -> None:
    elsewhere = group.root / "elsewhere" if inside else group.folder / "elsewhere"
    elsewhere.mkdir()
    lay(group.root, {"srv/data/z": "a user's"})
    group.with_files(("/", "/srv/data"))
    group.deploy({"z": "ours"})
    shutil.rmtree(group.root / "srv/data")
    (group.root / "srv/data").symlink_to(elsewhere)
    group.with_files(("/", "/srv/app"))
    assert group.done({}, back_to=0).left == ("/srv/data/z (its path leads elsewhere by now)",)
    assert list(elsewhere.iterdir()) == []
    group.commit()
    assert group.copies() == ["1"]


def test_a_record_that_climbs_out_restores_nothing(group: Group) -> None:
    group.deploy({"x": "ours"})
    record = group.state / "cleanup"
    record.write_text(record.read_text().replace('"1","/srv/app/x"', '"1","/../outside"'))
    assert group.done({}, back_to=0).left == ("/../outside (its path leads elsewhere by now)",)
    assert not (group.folder / "outside").exists()
    record.write_text(record.read_text().replace('"kept","1"', '"kept","../../precious"'))
    with pytest.raises(InstallError, match="cleanup cannot be read"):
        group.done({}, back_to=0)


def test_a_record_that_cannot_be_read_costs_no_copy(group: Group) -> None:
    group.deploy({"x": "ours"})
    (group.state / "cleanup").write_text("{\n[\n")
    with pytest.raises(InstallError, match="cleanup cannot be read"):
        group.done({}, back_to=0)
    assert group.copies() == ["1"]


def test_a_record_that_is_moved_away_costs_no_copy(group: Group) -> None:
    group.deploy({"x": "ours"})
    (group.state / "cleanup").unlink()
    group.deploy({"x": "ours"})
    assert [path.read_text() for path in group.state.glob("rescued-*/*")] == ["a user's"]
    assert group.copies() == ["1", "2"], "what the group had itself is a file of others now"


@contextmanager
def happening_between(group: Group, act: Callable[[], object]) -> Iterator[None]:
    """Something happens between the look and the first step."""
    look = group.disk.look

    def looking(*given: Any) -> Any:
        facts = look(*given)
        act()
        return facts

    group.disk.look = looking  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        group.disk.look = look  # type: ignore[method-assign]


def plant(folder: Path, target: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "1").symlink_to(target)
