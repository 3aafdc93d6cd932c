"""Looks at a bundle and at what lies where it wants to go, in one walk down both; changes nothing."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePath

from adapters.host.comparing import same_bytes
from adapters.host.rooted import Rooted, kind_of, lstat
from adapters.host.spreading import spread
from domain.errors import InstallError
from domain.install import Entry, Facts, Found, Kind, Question, Recorded, Tree

_TOOLS = ("setfacl", "semanage", "restorecon")
_ACLS = ("system.posix_acl_access", "system.posix_acl_default")


def look(question: Question, record: tuple[Recorded, ...], root: PurePath, *, also: Iterable[str] = ()) -> Facts:
    """Everything planning needs to know, with what lies at the paths of `also` and above.

    Raises InstallError for ways out of the root, OSError from the disk.
    """
    return _Look(question, record, Rooted(root)).facts(also)


class _Look:
    """One look: collects what lies at destinations while it walks the bundle."""

    def __init__(self, question: Question, record: tuple[Recorded, ...], host: Rooted) -> None:
        self.question, self.record, self.host = question, record, host
        self.archive = os.path.realpath(question.archive)
        self.ours = {each.path: each.kind for each in record}
        self.passing = frozenset(path for path, kind in self.ours.items() if kind is Kind.LINK)
        self.there: dict[str, Found] = {}
        self.names: dict[str, frozenset[str]] = {}
        self.twins: list[tuple[str, str]] = []

    def facts(self, also: Iterable[str]) -> Facts:
        if not os.path.isdir(self.archive):
            raise InstallError(f"There is no bundle at {self.archive}: fetch it again with DownloadBundle.")
        trees = tuple(self._tree(*mapping) for mapping in self.question.mappings)
        self._compare()
        self._look_at_record()
        for path in also:
            self._walk_down(path)
        return Facts(
            archive=self.archive,
            trees=trees,
            there=self.there,
            record=self.record,
            objects={each: self._object(each) for each in self.question.objects},
            owners=_ids(self.question.owners, lambda name: pwd.getpwnam(name).pw_uid),
            groups=_ids(self.question.groups, lambda name: grp.getgrnam(name).gr_gid),
            tools=frozenset(tool for tool in _TOOLS if shutil.which(tool)),
            uid=os.geteuid(),
            gids=frozenset({os.getegid(), *os.getgroups()}),
            directory_mode=0o777 & ~_umask(),
        )

    def _object(self, path: str) -> tuple[str, str]:
        above, _, name = path.rstrip("/").rpartition("/")
        try:
            itself = f"{self.host.resolve(above, self.passing).rstrip('/')}/{name}"
            return itself, self.host.resolve(path, self.passing)
        except InstallError:
            return "", ""  # It names nothing that is planned, and such objects have no effect.

    def _tree(self, source: str, destination: str) -> Tree:
        resolved = self.host.resolve(destination, self.passing)
        start = self._source(source)
        real = os.path.realpath(start)
        outside = real != self.archive and not real.startswith(self.archive.rstrip("/") + "/")
        if outside and not self.question.allow_outside:
            return Tree(source, start, resolved, (), outside=True)
        status = lstat(start)
        if status is None:
            return Tree(source, start, resolved, (), missing=True)
        present = self._walk_down(resolved)
        if os.path.isdir(real):
            return Tree(source, real, resolved, tuple(self._walk(real, resolved, present)))
        folder, name = os.path.split(start)
        place = f"{resolved.rstrip('/')}/{name}"
        found = self._find(place) if present else None
        return Tree(source, folder, resolved, (self._entry(start, name, kind_of(status.st_mode), place, found),))

    def _source(self, source: str) -> str:
        """Where a source is: below the bundle, even with a leading slash, unless only the place outside exists."""
        start = os.path.join(self.archive, source.strip("/")).rstrip("/")
        if self.question.allow_outside and source.startswith("/") and not os.path.lexists(start):
            return source.rstrip("/") or "/"
        return start

    def _walk_down(self, destination: str) -> bool:
        """Look at a destination and the directories above it; whether it can have something in it already."""
        here = ""
        for part in destination.split("/"):
            if part:
                here = f"{here}/{part}"
                if not self._enters(here, self._find(here)):
                    return False
        return True

    def _find(self, path: str) -> Found | None:
        found = self.there.get(path)
        if found is None:
            status = lstat(self.host.prefix + path)
            if status is not None:
                found = self.there[path] = self._found(path, status)
        return found

    def _found(self, path: str, status: os.stat_result) -> Found:
        kind, real = kind_of(status.st_mode), self.host.prefix + path
        found = Found(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, size=status.st_size)
        if kind is Kind.LINK:
            try:
                leads = kind_of(os.stat(real).st_mode)
            except OSError:
                return found
            return found._replace(leads=leads, outside=leads is Kind.DIRECTORY and self.host.leads_out(path))
        if path in self.ours and kind in {Kind.FILE, Kind.DIRECTORY}:
            return found._replace(attributes=acls_of(real))
        return found

    def _enters(self, path: str, found: Found | None) -> bool:
        """Whether what is planned below a path can meet something."""
        if found is None or found.outside:
            return False
        return found.kind is Kind.DIRECTORY or (found.leads is Kind.DIRECTORY and path not in self.passing)

    def _listed(self, path: str) -> frozenset[str]:
        if path not in self.names:
            self.names[path] = frozenset(os.listdir(self.host.prefix + path))
        return self.names[path]

    def _walk(self, top: str, destination: str, present: bool) -> Iterator[Entry]:
        if top != self.archive:
            status = os.lstat(top)
            yield Entry("", Kind.DIRECTORY, "", stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        base = destination.rstrip("/")
        waiting = [("", present)]
        while waiting:
            inside, present = waiting.pop()
            here = self._listed(f"{base}/{inside}".rstrip("/") or "/") if present else frozenset()
            deeper: list[tuple[str, bool]] = []
            with os.scandir(f"{top}/{inside}") as listing:
                for item in sorted(listing, key=_name):
                    path = f"{inside}{item.name}"
                    if item.is_file(follow_symlinks=False) and item.name not in here:
                        yield Entry(path, Kind.FILE)
                        continue
                    place = f"{base}/{path}"
                    found = self._find(place) if item.name in here else None
                    kind = Kind.FILE if item.is_file(follow_symlinks=False) else kind_of(os.lstat(item.path).st_mode)
                    yield self._entry(item.path, path, kind, place, found)
                    if kind is Kind.DIRECTORY:
                        deeper.append((path + "/", self._enters(place, found)))
            waiting.extend(reversed(deeper))

    def _entry(self, source: str, path: str, kind: Kind, place: str, found: Found | None) -> Entry:
        """An entry with what planning needs for its kind; sets a file of ours with the same size apart to compare."""
        if kind is Kind.LINK:
            target = os.readlink(source)
            if found is not None and found.kind is Kind.LINK and os.readlink(self.host.prefix + place) == target:
                self.there[place] = found._replace(same=True)
            return Entry(path, kind, target)
        if kind is Kind.OTHER or (kind is Kind.FILE and (found is None or place not in self.ours)):
            return Entry(path, kind)
        status = os.lstat(source)
        if kind is Kind.FILE and found is not None and found.kind is Kind.FILE:
            self.twins.append((source, place))
        return Entry(path, kind, "", stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def _compare(self) -> None:
        prefix = self.host.prefix
        verdicts = spread(lambda twin: same_bytes(twin[0], prefix + twin[1]), self.twins)
        for (_, place), same in zip(self.twins, verdicts, strict=True):
            if same:
                self.there[place] = self.there[place]._replace(same=True)

    def _look_at_record(self) -> None:
        """Look at what the previous revision made, but for what links now lead out of the root."""
        safe: dict[str, bool] = {}
        for path, kind in self.ours.items():
            folder = path.rpartition("/")[0]
            if folder not in safe:
                safe[folder] = not self.host.leads_out(folder)
            if not safe[folder]:
                self.there.pop(path, None)
                continue
            found = self._find(path)
            if kind is Kind.DIRECTORY and found is not None and found.kind is Kind.DIRECTORY:
                self.there[path] = found._replace(children=self._listed(path))


def _name(item: os.DirEntry[str]) -> str:
    return item.name


def acls_of(path: str) -> tuple[tuple[str, str], ...]:
    """The ACLs of a file or directory as extended attributes, values in hexadecimal."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.ENOENT}:
            return ()
        raise
    return tuple((name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names if name in _ACLS)


def _ids(names: Iterable[str], number: Callable[[str], int]) -> dict[str, int | None]:
    known: dict[str, int | None] = {}
    for name in names:
        try:
            known[name] = number(name)
        except (KeyError, ValueError):
            known[name] = None
    return known


def _umask() -> int:
    """The process's umask, read without setting it: other threads make files too."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))
    except (OSError, StopIteration):
        return 0o022
