"""Packing gives the same bytes for the same tree, and what is packed unpacks to it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.host.unpack import unpack
from adapters.revisions.checking import hash_file
from adapters.revisions.pack import pack_directory
from domain.bundles import BundleLimits, BundleType
from domain.errors import BundleError
from tests.unit.adapters.bundle_making import SPEC, entries, mode_of, names_in

PACKED = [BundleType.TAR, BundleType.TGZ, BundleType.ZIP]
LATER = 1_700_000_001


def lay(root: Path, names: list[str]) -> Path:
    """A revision whose entries are made in the order given."""
    root.mkdir()
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(SPEC if name == "appspec.yml" else name.encode() * 100)
        os.utime(root / name, (LATER, LATER))
    (root / "bin").mkdir(exist_ok=True)
    (root / "bin/start").symlink_to("../run.sh")
    return root


NAMES = ["run.sh", "appspec.yml", "web/ünï.html", "web/a.css", ".env"]


@pytest.mark.parametrize("kind", PACKED)
def test_the_same_tree_gives_the_same_bytes(kind: BundleType, tmp_path: Path) -> None:
    one, other = lay(tmp_path / "one", NAMES), lay(tmp_path / "other", NAMES[::-1])
    (one / ".slipway").mkdir()
    (one / ".slipway/secret").touch()
    sums = [pack_directory(root, tmp_path / f"{root.name}.b", kind) for root in (one, other)]
    assert sums[0] == sums[1] == hash_file(tmp_path / "one.b")
    (other / ".env").write_bytes(b"changed")
    assert pack_directory(other, tmp_path / "other.b", kind) != sums[0]


@pytest.mark.parametrize("kind", PACKED)
def test_what_is_packed_unpacks_to_the_same(kind: BundleType, tmp_path: Path) -> None:
    root = lay(tmp_path / "root", NAMES)
    (root / "run.sh").chmod(0o750)
    (root / "empty").mkdir(mode=0o700)
    pack_directory(root, tmp_path / "b", kind)
    unpack(tmp_path / "b", kind, tmp_path / "out", BundleLimits())
    assert names_in(tmp_path / "out") == names_in(root)
    for name in NAMES:
        assert (tmp_path / "out" / name).read_bytes() == (root / name).read_bytes()
        assert (tmp_path / "out" / name).stat().st_mtime == LATER
    assert [mode_of(tmp_path / "out" / name) for name in ("run.sh", "empty")] == [0o750, 0o700]
    assert str((tmp_path / "out/bin/start").readlink()) == "../run.sh"
    assert (tmp_path / "out/web").stat().st_mtime == LATER


@pytest.mark.parametrize("kind", PACKED)
def test_a_file_older_than_zip_itself_can_be_packed(kind: BundleType, tmp_path: Path) -> None:
    root = lay(tmp_path / "root", NAMES)
    os.utime(root / "run.sh", (5, 5))
    pack_directory(root, tmp_path / "b", kind)
    unpack(tmp_path / "b", kind, tmp_path / "out", BundleLimits())
    assert (tmp_path / "out/run.sh").stat().st_mtime == 5


def _no_appspec(root: Path) -> None:
    (root / "appspec.yml").rename(root / "web/appspec.yml")


def _link_out(root: Path) -> None:
    (root / "out").symlink_to("../elsewhere")


def _absolute_link(root: Path) -> None:
    (root / "out").symlink_to("/etc")


def _circle(root: Path) -> None:
    (root / "out").symlink_to("out")


def _pipe(root: Path) -> None:
    os.mkfifo(root / "out")


def _socket(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(root / "out"))


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_no_appspec, "put an appspec.yml"),
        (_link_out, "leads out"),
        (_absolute_link, "leads out"),
        (_circle, "leads out"),
        (_pipe, "socket, pipe or device"),
        (_socket, "socket, pipe or device"),
    ],
)
def test_what_no_host_would_take_is_not_packed(
    kind: BundleType, spoil: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    spoil(lay(tmp_path / "root", NAMES))
    with pytest.raises(BundleError, match=reason):
        pack_directory(tmp_path / "root", tmp_path / "b", kind)
    assert entries(tmp_path) == ["root"]


def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        pack_directory(tmp_path / "missing", tmp_path / "b", BundleType.TGZ)


def test_packing_as_a_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be packed"):
        pack_directory(tmp_path, tmp_path / "b", BundleType.DIRECTORY)
