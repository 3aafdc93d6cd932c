"""Which planned object each entry of `permissions` reaches, and what it does to it.

Source: AppSpec `permissions` section, and the AWS agent's matching rules for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from domain.appspec import ObjectType, Permission
from domain.errors import InstallError
from domain.install import Context, Facts, Instruction, SetAcl, SetContext, SetMode, SetOwner

_SET_ID = 0o6000


def reach(
    permissions: tuple[Permission, ...], facts: Facts, *, files: Mapping[str, object], directories: Mapping[str, object]
) -> dict[str, Permission]:
    """The permission of every object one reaches: planned files first, in plan order, then directories, entry by entry.

    An object that names a planned file reaches just that; one that names a directory reaches what is planned below it,
    never the directory itself; any other reaches nothing. Raises InstallError for an object reached twice, a pattern on
    a file, default ACLs on a file, unknown owners and missing tools.
    """
    reached: dict[str, Permission] = {}
    for permission in permissions:
        for path in _matches(permission, facts, files, directories):
            if path in reached:
                raise InstallError(
                    f"{path} is reached by two entries of `permissions`, with objects {reached[path].object!r} and "
                    f"{permission.object!r}: leave it out of one with `pattern` or `except`."
                )
            reached[path] = permission
    for permission in {id(each): each for each in reached.values()}.values():
        _check(permission, facts)
    return reached


def _matches(
    permission: Permission, facts: Facts, files: Mapping[str, object], directories: Mapping[str, object]
) -> Iterator[str]:
    itself, resolved = facts.objects.get(permission.object, ("", ""))
    if not itself:
        return
    if itself in files:
        yield from _match_file(permission, itself)
        return
    below = resolved.rstrip("/") + "/"
    if ObjectType.FILE in permission.types:
        refuse_default = permission.acls is not None and any(entry.default for entry in permission.acls)
        for path in _below(permission, below, files):
            if refuse_default:
                raise _default_acl(permission, path)
            yield path
    if ObjectType.DIRECTORY in permission.types:
        yield from _below(permission, below, directories)


def _match_file(permission: Permission, path: str) -> Iterator[str]:
    if ObjectType.FILE not in permission.types:
        return
    if permission.pattern != "**" or permission.exclude:
        raise InstallError(
            f"The object {permission.object!r} of `permissions` is a file: leave `pattern` and `except` out, "
            "or name its directory as the object."
        )
    if any(entry.default for entry in permission.acls or ()):
        raise _default_acl(permission, path)
    yield path


def _default_acl(permission: Permission, path: str) -> InstallError:
    return InstallError(
        f"The object {permission.object!r} of `permissions` gives default ACL entries to {path}, which is a file: "
        "only directories have them, so set `type` to directory."
    )


def _below(permission: Permission, base: str, paths: Mapping[str, object]) -> Iterator[str]:
    everything = permission.pattern == "**"
    for path in paths:
        if not path.startswith(base):
            continue
        name = path[len(base) :]
        if not everything and not matches(name, permission.pattern):
            continue
        if not any(matches(name, each) for each in permission.exclude):
            yield path


def matches(name: str, pattern: str) -> bool:
    """Whether the name of a direct child matches; `*` is the only wildcard and a deeper path never matches.

    Taking the earliest place for every part is enough, so that no pattern can take long.
    """
    if "/" in name or not pattern:
        return False
    first, *middle = pattern.split("*")
    if not middle:
        return name == pattern
    last = middle.pop()
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        place = name.find(part, at, end)
        if place < 0:
            return False
        at = place + len(part)
    return True


def _check(permission: Permission, facts: Facts) -> None:
    if permission.acls is not None and "setfacl" not in facts.tools:
        raise InstallError(
            f"The object {permission.object!r} of `permissions` sets ACLs and this host has no setfacl: "
            "install the package acl."
        )
    missing = {"semanage", "restorecon"} - facts.tools
    if permission.context is not None and missing:
        raise InstallError(
            f"The object {permission.object!r} of `permissions` sets an SELinux context and this host has no "
            f"{' and no '.join(sorted(missing))}: install the package policycoreutils."
        )
    uid, gid = owner_of(permission, facts)
    if facts.uid != 0 and (uid not in {-1, facts.uid} or (gid != -1 and gid not in facts.gids)):
        raise InstallError(
            f"The object {permission.object!r} of `permissions` changes the owner to {permission.owner or ''}:"
            f"{permission.group or ''}, which only root may: run the agent as root."
        )


def owner_of(permission: Permission | None, facts: Facts) -> tuple[int, int]:
    """The user and group ids a permission asks for, -1 where it does not. Raises InstallError for an unknown name."""
    if permission is None:
        return -1, -1
    return (
        _id(permission, "owner", permission.owner, facts.owners),
        _id(permission, "group", permission.group, facts.groups),
    )


def _id(permission: Permission, word: str, name: str | None, known: Mapping[str, int | None]) -> int:
    if name is None:
        return -1
    number = known.get(name)
    if number is None:
        hint = (
            "numbers are not looked up, so write the name" if name.isdecimal() else "create it first, in BeforeInstall"
        )
        raise InstallError(
            f"The {word} {name!r} for the object {permission.object!r} of `permissions` is not known on this host: "
            f"{hint}."
        )
    return number


def plan_permission(path: str, permission: Permission, facts: Facts, *, link: bool = False) -> Iterator[Instruction]:
    """The steps for one object: mode, ACL, context, owner, and the set-id bits again that a new owner costs.

    A link has no mode and no ACL; setting them would change what it leads to.
    """
    uid, gid = owner_of(permission, facts)
    if permission.mode is not None and not link:
        yield SetMode(path, permission.mode)
    if permission.acls is not None and not link:
        yield SetAcl(path, tuple(map(str, permission.acls)))
    if permission.context is not None:
        yield SetContext(path, context_of(permission))
    if (uid, gid) != (-1, -1):
        yield SetOwner(path, uid, gid, permission.owner or "", permission.group or "")
        if permission.mode is not None and permission.mode & _SET_ID and not link:
            yield SetMode(path, permission.mode, restore=True)


def context_of(permission: Permission) -> Context:
    """The SELinux context of a permission that has one."""
    context = permission.context
    return Context(context.type, context.user or "", context.range or "") if context else Context("")
