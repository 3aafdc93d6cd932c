"""Archives, honest and hostile, and what can be seen of an unpacked tree."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from domain.bundles import BundleType

TIME = 1_700_000_000
SPEC = b"version: 0.0\nos: linux\n"

Member = tuple[tarfile.TarInfo, bytes]


def file(name: str, content: bytes = b"hello\n", *, mode: int = 0o644, **more: Any) -> Member:
    """A file for a tar; `more` are members of TarInfo."""
    return _member(name, tarfile.REGTYPE, mode=mode, size=len(content), **more), content


def folder(name: str, *, mode: int = 0o755) -> Member:
    """A directory for a tar."""
    return _member(name, tarfile.DIRTYPE, mode=mode), b""


def link(name: str, to: str) -> Member:
    """A symbolic link for a tar."""
    return _member(name, tarfile.SYMTYPE, linkname=to), b""


def hard_link(name: str, to: str) -> Member:
    """A hard link for a tar."""
    return _member(name, tarfile.LNKTYPE, linkname=to), b""


def special(name: str, kind: bytes) -> Member:
    """A device, a pipe, or what else has a type of its own, for a tar."""
    return _member(name, kind), b""


def _member(name: str, kind: bytes, **more: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mtime = kind, TIME
    for key, value in more.items():
        setattr(member, key, value)
    return member


def tar_bytes(members: Iterable[Member]) -> bytes:
    """A tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def make_tar(path: Path, *members: Member) -> Path:
    """A tar archive in a file."""
    path.write_bytes(tar_bytes(members))
    return path


def make_zip(path: Path, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    """A zip archive in a file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def zip_member(name: str, mode: int, *, system: int = 3) -> zipfile.ZipInfo:
    """A member with a mode, type included, as `system` (3 is Unix) writes it."""
    member = zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20))
    member.create_system, member.external_attr = system, mode << 16
    return member


def zip_link(name: str, to: str) -> tuple[zipfile.ZipInfo, bytes]:
    """A symbolic link for a zip."""
    return zip_member(name, stat.S_IFLNK | 0o777), to.encode()


def _tar_of(path: Path, tree: dict[str, bytes]) -> None:
    make_tar(path, *(file(name, content) for name, content in tree.items()))


def _tgz_of(path: Path, tree: dict[str, bytes]) -> None:
    path.write_bytes(gzip.compress(tar_bytes(file(name, content) for name, content in tree.items())))


def _zip_of(path: Path, tree: dict[str, bytes]) -> None:
    make_zip(path, *tree.items())


_MAKERS: dict[BundleType, Callable[[Path, dict[str, bytes]], None]] = {
    BundleType.TAR: _tar_of,
    BundleType.TGZ: _tgz_of,
    BundleType.ZIP: _zip_of,
}


def make_bundle(path: Path, kind: BundleType, tree: dict[str, bytes]) -> Path:
    """A bundle of any packed kind with files only."""
    _MAKERS[kind](path, tree)
    return path


def noise(size: int) -> bytes:
    """Bytes that do not compress, the same each time."""
    return random.Random(size).randbytes(size)  # noqa: S311


def entries(folder: Path) -> list[str]:
    """The names in a directory, in order."""
    return sorted(path.name for path in folder.iterdir())


def names_in(root: Path) -> list[str]:
    """Everything below a directory, in order."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def mode_of(path: Path) -> int:
    """The permission bits of what lies at a path, links not followed."""
    return stat.S_IMODE(os.lstat(path).st_mode)
