"""Keeps the disk of a host from filling with old revisions: drops the oldest deployments of a group."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from adapters.host.staging import remove_tree

logger = logging.getLogger(__name__)

_DROPPED = ".dropped-"
"""Put before the name of a deployment that is being removed: a half-removed one is never taken for a whole."""


def prune(group_dir: Path, *, keep: int, spare: Collection[str]) -> list[str]:
    """Remove the oldest deployments of a group until `keep` are left; the names of those removed, oldest first.

    Those in `spare` (the new one, the last successful one) count but are never removed, so more than `keep` may stay.
    What cannot be removed is logged and tried again next time: a full deployment is worth more than a tidy disk.

    Source: aws-codedeploy-agent, command_executor.rb (`cleanup_old_archives`); there a failure fails the deployment.
    """
    if keep < 1:
        raise ValueError(f"max_revisions is {keep}: keep 1 revision or more")
    try:
        _remove_left_overs(group_dir)
        deployments = _deployments(group_dir)
    except OSError as error:
        logger.warning("old deployments in %s cannot be listed: %s", group_dir, error)
        return []
    excess = max(len(deployments) - keep, 0)
    old = [name for name in deployments if name not in spare][:excess]
    return [name for name in old if _removed(group_dir, name)]


def _deployments(group_dir: Path) -> list[str]:
    """Names of deployments, by the time of their directories, oldest first."""
    with suppress(FileNotFoundError), os.scandir(group_dir) as listing:
        found = [item for item in listing if item.is_dir(follow_symlinks=False) and not item.name.startswith(".")]
        return [name for _, name in sorted((item.stat(follow_symlinks=False).st_mtime_ns, item.name) for item in found)]
    return []


def _remove_left_overs(group_dir: Path) -> None:
    with suppress(FileNotFoundError):
        for name in os.listdir(group_dir):
            if name.startswith(_DROPPED):
                _remove(group_dir / name)


def _removed(group_dir: Path, name: str) -> bool:
    dropped = group_dir / (_DROPPED + name)
    try:
        (group_dir / name).rename(dropped)
    except OSError as error:
        logger.warning("the old deployment %s cannot be removed: %s", group_dir / name, error)
        return False
    return _remove(dropped)


def _remove(path: Path) -> bool:
    try:
        remove_tree(path)
    except (OSError, RecursionError) as error:
        logger.warning("the old deployment %s cannot be removed; it is tried again next time: %s", path, error)
        return False
    return True
