"""The store on disk: objects by their hash, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from adapters.bundles.disk import BundleDisk, Stored
from domain.errors import BundleError
from tests.unit.adapters.bundle_making import names_in

CONTENT = b"bundle" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def disk(root: Path) -> BundleDisk:
    return BundleDisk(root)


def test_what_is_put_is_found_by_its_hash(disk: BundleDisk, root: Path) -> None:
    assert disk.put([CONTENT[:10], b"", CONTENT[10:]], expected=SHA256) == Stored(SHA256, 6000, fresh=True)
    found = disk.find(SHA256)
    assert found == root / "objects" / SHA256[:2] / SHA256
    assert found.read_bytes() == CONTENT
    assert disk.list() == [Stored(SHA256, 6000)]


def test_the_same_again_is_not_fresh(disk: BundleDisk) -> None:
    assert [disk.put([CONTENT]).fresh for _ in range(2)] == [True, False]
    assert len(disk.list()) == 1


def test_another_hash_than_expected_leaves_nothing(disk: BundleDisk, root: Path) -> None:
    with pytest.raises(BundleError) as caught:
        disk.put([b"other"], expected=SHA256)
    assert SHA256 in str(caught.value)
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value)
    assert names_in(root) == ["incoming", "objects"]


def test_a_stream_that_breaks_leaves_nothing(disk: BundleDisk, root: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        disk.put(bytes(1 // (2 - number)) for number in range(3))
    assert names_in(root) == ["incoming", "objects"]


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256.upper(), SHA256[:-1], SHA256 + "\n", "0" * 64])
def test_what_is_no_hash_or_not_there_is_not_found(name: str, disk: BundleDisk) -> None:
    disk.put([CONTENT])
    assert disk.find(name) is None
    assert disk.remove(name) is False


def test_objects_can_be_removed(disk: BundleDisk) -> None:
    disk.put([CONTENT])
    assert disk.remove(SHA256) is True
    assert disk.list() == []


def test_uploads_of_dead_processes_are_swept_and_others_are_not(disk: BundleDisk, root: Path) -> None:
    dead, alive = disk.receive(), disk.receive()
    alive.write(CONTENT)
    first, second = sorted((root / "incoming").iterdir(), key=lambda path: path.stat().st_size)
    os.utime(first, (1_000, 1_000))
    assert disk.sweep(before=2_000) == 1
    assert list((root / "incoming").iterdir()) == [second]
    dead.discard()
    assert alive.keep(SHA256).fresh


def test_many_may_put_the_same_at_once(root: Path) -> None:
    threads = [threading.Thread(target=lambda: BundleDisk(root).put([CONTENT])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(root) == ["incoming", "objects", f"objects/{SHA256[:2]}", f"objects/{SHA256[:2]}/{SHA256}"]
