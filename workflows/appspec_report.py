"""What reading an AppSpec found out, as plain data for `slipway validate --json`. Knows shapes only.

The shape is `{"accepted", "problems": [{line, column, message, hint, severity}], "parsed": {…} or null}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.appspec import AppSpec, ObjectType, Permission, Problem, Script
from workflows.appspec import Reading


def report_reading(reading: Reading, extra: Sequence[Problem] = ()) -> dict[str, Any]:
    """A reading as data, with problems that were found elsewhere (in the bundle) among its own."""
    problems = merge_problems(reading, extra)
    return {
        "accepted": reading.accepted,
        "problems": [problem.model_dump(mode="json") for problem in problems],
        "parsed": None if reading.spec is None else _spec(reading.spec),
    }


def merge_problems(reading: Reading, extra: Sequence[Problem]) -> list[Problem]:
    """All problems by line and column."""
    return sorted((*reading.problems, *extra), key=lambda problem: (problem.line, problem.column))


def _spec(spec: AppSpec) -> dict[str, Any]:
    return {
        "os": spec.os,
        "version": spec.version,
        "file_exists_behavior": spec.file_exists_behavior,
        "files": [{"source": entry.source, "destination": entry.destination} for entry in spec.files],
        "permissions": [_permission(permission) for permission in spec.permissions],
        "hooks": {event: [_script(script) for script in scripts] for event, scripts in spec.hooks.items()},
    }


def _permission(permission: Permission) -> dict[str, Any]:
    context = permission.context
    return {
        "object": permission.object,
        "pattern": permission.pattern,
        "except": list(permission.exclude),
        "owner": permission.owner,
        "group": permission.group,
        "mode": None if permission.mode is None else f"{permission.mode:04o}",
        "type": [kind.value for kind in ObjectType if kind in permission.types],
        "acls": None if permission.acls is None else [str(entry) for entry in permission.acls],
        "context": context and {"user": context.user, "type": context.type, "range": context.range},
    }


def _script(script: Script) -> dict[str, Any]:
    return {
        "location": script.location,
        "timeout": script.timeout,
        "runas": script.runas,
        "sudo": script.sudo,
    }
