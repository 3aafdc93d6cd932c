"""Bundles on the host are taken without a copy where a link will do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.revisions.local import fetch_local
from domain.bundles import BundleLimits
from domain.errors import BundleError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "app.tgz"
    path.write_bytes(b"bundle")
    return path


def _refuse(*_arguments: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def test_on_one_filesystem_it_is_the_same_file(source: Path, tmp_path: Path) -> None:
    assert fetch_local(source, tmp_path / "bundle") == tmp_path / "bundle"
    assert (tmp_path / "bundle").samefile(source)
    assert not (tmp_path / "bundle").is_symlink()


def test_what_was_there_is_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").write_bytes(b"old")
    for _ in range(2):
        fetch_local(source, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == b"bundle"


def test_across_filesystems_it_is_a_link(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _refuse)
    fetch_local(source, tmp_path / "bundle")
    assert (tmp_path / "bundle").readlink() == source


def test_without_links_it_is_a_copy(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "hardlink_to", _refuse)
    monkeypatch.setattr(Path, "symlink_to", _refuse)
    fetch_local(source, tmp_path / "bundle")
    assert (tmp_path / "bundle").read_bytes() == b"bundle"
    assert not (tmp_path / "bundle").samefile(source)


def test_a_link_is_followed_to_its_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to("app.tgz")
    fetch_local(tmp_path / "latest", tmp_path / "bundle")
    source.rename(tmp_path / "moved")
    assert (tmp_path / "bundle").read_bytes() == b"bundle"


@pytest.mark.parametrize("name", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="no file"):
        fetch_local(tmp_path / name, tmp_path / "bundle")


def test_size_and_hash_are_checked(source: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="max_bytes"):
        fetch_local(source, tmp_path / "bundle", limits=BundleLimits(max_bytes=5))
    with pytest.raises(BundleError, match="0000 was expected"):
        fetch_local(source, tmp_path / "bundle", sha256="0" * 64)
    assert not (tmp_path / "bundle").exists()


def test_a_local_bundle_loads_no_http_client() -> None:
    code = "import sys, cli.local, workers.local, adapters.revisions.local; print('httpx' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "False"
