"""Old deployments go, oldest first; those that count stay, and no failure to remove one fails anything."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

import pytest

from adapters.host import retention
from adapters.host.retention import prune
from adapters.host.staging import remove_tree


def lay(group: Path, *names: str) -> Path:
    """Deployments, the first the oldest."""
    for age, name in enumerate(names):
        (group / name / "deployment-archive").mkdir(parents=True)
        (group / name / "bundle.tar").write_bytes(b"x")
        os.utime(group / name, (1_000 + age, 1_000 + age))
    return group


@pytest.mark.parametrize(
    ("keep", "spare", "gone"),
    [
        (5, "e", []),
        (4, "e", ["a"]),
        (2, "e", ["a", "b", "c"]),
        (2, "ea", ["b", "c", "d"]),
        (1, "e", ["a", "b", "c", "d"]),
        (1, "ea", ["b", "c", "d"]),
        (3, "eab", ["c", "d"]),
        (3, ["e", "never-there"], ["a", "b"]),
    ],
)
def test_the_oldest_go_and_the_spared_stay(keep: int, spare: Collection[str], gone: list[str], tmp_path: Path) -> None:
    lay(tmp_path, *"abcde")
    assert prune(tmp_path, keep=keep, spare=spare) == gone
    assert sorted(os.listdir(tmp_path)) == sorted(set("abcde") - set(gone))  # noqa: PTH208


def test_age_is_the_directorys_time_and_not_its_name(tmp_path: Path) -> None:
    lay(tmp_path, "d-Z", "d-A", "d-M")
    assert prune(tmp_path, keep=1, spare=["d-M"]) == ["d-Z", "d-A"]


def test_files_and_links_are_left_alone_and_not_counted(tmp_path: Path) -> None:
    group = lay(tmp_path / "group", "a", "b")
    (group / "note").touch()
    (group / "link").symlink_to(tmp_path)
    assert prune(group, keep=2, spare=["b"]) == []
    assert len(list(group.iterdir())) == 4


def test_links_in_a_deployment_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep me")
    group = lay(tmp_path / "group", "a", "b")
    (group / "a" / "deployment-archive" / "out").symlink_to(tmp_path)
    assert prune(group, keep=1, spare=["b"]) == ["a"]
    assert (tmp_path / "precious").read_text() == "keep me"


def test_directories_without_permissions_go_too(tmp_path: Path) -> None:
    group = lay(tmp_path, "a", "b")
    (group / "a" / "deployment-archive" / "locked").mkdir(mode=0o555)
    (group / "a" / "deployment-archive").chmod(0)
    assert prune(group, keep=1, spare=["b"]) == ["a"]


def test_a_group_without_deployments_is_fine(tmp_path: Path) -> None:
    assert prune(tmp_path / "missing", keep=1, spare=[]) == []


def test_what_cannot_be_removed_is_logged_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    group = lay(tmp_path, "a", "b", "c")

    def stubborn(path: Path) -> None:
        if path.name.endswith("-a"):
            raise OSError("busy")
        remove_tree(path)

    monkeypatch.setattr(retention, "remove_tree", stubborn)
    with caplog.at_level(logging.WARNING):
        assert prune(group, keep=1, spare=["c"]) == ["b"]
    assert "-a cannot be removed" in caplog.text
    monkeypatch.undo()
    prune(group, keep=1, spare=["c"])
    assert [path.name for path in group.iterdir()] == ["c"]


def test_a_deployment_that_cannot_even_be_renamed_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_self: Path, _target: Path) -> Path:
        raise PermissionError("not yours")

    group = lay(tmp_path, "a", "b")
    monkeypatch.setattr(Path, "rename", refuse)
    assert prune(group, keep=1, spare=["b"]) == []
    assert "not yours" in caplog.text
    assert (group / "a" / "bundle.tar").is_file()


@pytest.mark.parametrize("keep", [0, -1])
def test_at_least_one_is_kept(keep: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_revisions"):
        prune(tmp_path, keep=keep, spare=[])
