"""Packs a directory into a bundle. The same tree gives the same bytes: entries in order of name, owners left out, times
of files in whole seconds. Times are kept because web servers tell browsers by them what changed; a directory's is that
of the newest file below it, since its own changes with every temporary file.
"""

from __future__ import annotations

import gzip
import os
import stat
import struct
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from adapters.host.links import first_way_out
from adapters.host.unpack import OWN_FOLDER
from adapters.revisions.checking import hash_file
from domain.bundles import BundleType
from domain.errors import BundleError

__all__ = ["hash_file", "pack_directory"]

_DOS_EPOCH = 315_532_800
_DOS_END = 4_354_819_198
_TYPES = {stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE}


class _Item(NamedTuple):
    """Something to pack: its path below the root, where it is, mode with type, size, time, and text if it is a link."""

    path: str
    place: str
    mode: int
    size: int
    time: int
    link: str = ""

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.mode)


def pack_directory(directory: Path, to: Path, kind: BundleType) -> str:
    """Pack a directory, without its `.slipway`, into the file `to`, which is there whole or not at all; its SHA-256.

    Raises BundleError if no AppSpec is in its root, or for what no host would take: sockets, pipes, devices, links out.
    """
    write = _WRITERS.get(kind)
    if write is None:
        raise BundleError(f"a directory cannot be packed as {kind}: say {', '.join(_WRITERS)}")
    part = to.with_name(f"{to.name}.part")
    try:
        items = _items(directory)
        with part.open("wb") as file:
            write(file, items)
        sha256 = hash_file(part)
        part.replace(to)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise BundleError(f"cannot pack {directory}: {error.strerror or error}{where}") from error
    finally:
        part.unlink(missing_ok=True)
    return sha256


def _items(directory: Path) -> list[_Item]:
    items = list(_walk(str(directory), ""))
    if not any("/" not in item.path and item.path.lower().startswith("appspec") for item in items):
        raise BundleError(f"there is no AppSpec in {directory}: put an appspec.yml into its root")
    links = {item.path: item.link for item in items if item.kind == stat.S_IFLNK}
    out = first_way_out(links)
    if out is not None:
        raise BundleError(
            f"the link {directory / out} leads out of the revision or in circles ({links[out]!r}): "
            "make it relative, to something inside"
        )
    return _with_times_of_content(items)


def _walk(root: str, inside: str) -> Iterator[_Item]:
    with os.scandir(f"{root}/{inside}") as listing:
        names = sorted((item.name for item in listing), key=os.fsencode)
    for name in names:
        path = inside + name
        if path == OWN_FOLDER:
            continue
        item = _look(path, f"{root}/{path}")
        yield item
        if item.kind == stat.S_IFDIR:
            yield from _walk(root, path + "/")


def _look(path: str, place: str) -> _Item:
    status = os.lstat(place)
    kind = stat.S_IFMT(status.st_mode)
    if kind not in _TYPES:
        raise BundleError(
            f"{place} is a socket, pipe or device: only files, directories and links can be in a revision"
        )
    size = status.st_size if kind == stat.S_IFREG else 0
    link = os.readlink(place) if kind == stat.S_IFLNK else ""  # noqa: PTH115  (a Path tidies the text)
    return _Item(path, place, status.st_mode, size, max(int(status.st_mtime), 0), link)


def _with_times_of_content(items: list[_Item]) -> list[_Item]:
    newest: dict[str, int] = {}
    for item in items:
        above = item.path if item.kind == stat.S_IFREG else ""
        while above := above.rpartition("/")[0]:
            newest[above] = max(newest.get(above, 0), item.time)
    return [item if item.kind == stat.S_IFREG else item._replace(time=newest.get(item.path, 0)) for item in items]


def _write_tar(file: IO[bytes], items: list[_Item]) -> None:
    with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for item in items:
            member = tarfile.TarInfo(item.path)
            member.type, member.mode = _TYPES[item.kind], stat.S_IMODE(item.mode)
            member.size, member.mtime, member.linkname = item.size, item.time, item.link
            if item.kind == stat.S_IFREG:
                with Path(item.place).open("rb") as content:
                    archive.addfile(member, content)
            else:
                archive.addfile(member)


def _write_tgz(file: IO[bytes], items: list[_Item]) -> None:
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
        _write_tar(packed, items)  # type: ignore[arg-type]


def _write_zip(file: IO[bytes], items: list[_Item]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for item in items:
            member = _zip_member(item)
            if item.kind == stat.S_IFREG:
                with Path(item.place).open("rb") as content, archive.open(member, "w") as target:
                    while data := content.read(1024 * 1024):
                        target.write(data)
            else:
                archive.writestr(member, os.fsencode(item.link))


def _zip_member(item: _Item) -> zipfile.ZipInfo:
    """Dates of zips are local times; ours are UTC, so that the same tree gives the same bytes in every zone, and the
    exact time is in Info-ZIP's extra field."""
    when = time.gmtime(min(max(item.time, _DOS_EPOCH), _DOS_END))
    member = zipfile.ZipInfo(item.path + "/" * (item.kind == stat.S_IFDIR), when[:6])
    member.create_system = 3
    member.external_attr = item.mode << 16
    member.compress_type = zipfile.ZIP_DEFLATED if item.size else zipfile.ZIP_STORED
    member.file_size = item.size
    if item.time < 2**31:
        member.extra = struct.pack("<HHBi", 0x5455, 5, 1, item.time)
    return member


_WRITERS: Mapping[BundleType, Callable[[IO[bytes], list[_Item]], None]] = {
    BundleType.TAR: _write_tar,
    BundleType.TGZ: _write_tgz,
    BundleType.ZIP: _write_zip,
}
