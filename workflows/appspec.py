"""AppSpec text -> AppSpec, with every complaint at its line and column. Accepts and rejects what the original agent
does, but for the improvements that docs/appspec.md lists. Pure: text in, values out.

Source: AWS CodeDeploy user guide, "AppSpec file structure"; aws-codedeploy-agent, `application_specification.rb`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from domain.appspec import AppSpec, FileExistsBehavior, Problem, Severity
from domain.errors import InvalidAppSpec
from domain.lifecycle import Event
from domain.values import Value
from workflows.appspec_files import read_files
from workflows.appspec_findings import Findings, did_you_mean, kind_of, nearest, warn_unknown_keys
from workflows.appspec_hooks import EVENT_LIMIT, read_hooks
from workflows.appspec_nodes import Entries, Node, Refused, key_text
from workflows.appspec_permissions import read_permissions
from workflows.appspec_yaml import compose

NAMES = ("appspec.yml", "appspec.yaml")
"""The names an AppSpec may have without being asked for, in the order they are tried."""
KEYS = ("version", "os", "file_exists_behavior", "files", "permissions", "hooks")

_BEHAVIORS = {behavior.value: behavior for behavior in FileExistsBehavior}


class BundlePath(Value):
    """A path of the bundle that an AppSpec names, and where it does so."""

    role: Literal["source", "script"]
    path: str
    line: int
    column: int


class Reading(Value):
    """What came of reading an AppSpec: the value (None if rejected) and every problem found, by line."""

    spec: AppSpec | None
    problems: tuple[Problem, ...]
    paths: tuple[BundlePath, ...] = ()
    """The sources and scripts that the bundle must hold; empty if rejected."""

    @property
    def accepted(self) -> bool:
        """No problem is an error."""
        return self.spec is not None


def read_appspec(text: bytes | str, *, os: str = "linux", event_seconds: int = EVENT_LIMIT) -> Reading:
    """Read an AppSpec for hosts of an operating system (`linux` or `windows`) and a limit of one lifecycle event; never
    raises, whatever the text."""
    found = Findings()
    root = compose(text, found)
    document = _Document(os, found, event_seconds)
    spec = None if found.rejected and root is None else document.read(root)
    if found.rejected or spec is None:
        return Reading(spec=None, problems=found.in_order())
    return Reading(spec=spec, problems=found.in_order(), paths=tuple(document.paths))


def parse_appspec(text: bytes | str, *, os: str = "linux", name: str = "appspec.yml") -> AppSpec:
    """The AppSpec a text means; raises InvalidAppSpec, whose message names the file and describes the first error."""
    reading = read_appspec(text, os=os)
    if reading.spec is not None:
        return reading.spec
    errors = [problem for problem in reading.problems if problem.severity is Severity.ERROR]
    more = len(errors) - 1
    rest = f" ({more} more {'error' if more == 1 else 'errors'})" if more else ""
    raise InvalidAppSpec(f"{name}, {describe(errors[0])}{rest}")


def describe(problem: Problem) -> str:
    """A problem as one line of text."""
    hint = f"; {problem.hint}" if problem.hint else ""
    return f"line {problem.line}, column {problem.column}: {problem.message}{hint}"


def choose_appspec_name(names: Collection[str], wanted: str | None) -> str | None:
    """The AppSpec to read, out of paths relative to the bundle's root; None if none is there. Alike for every event."""
    tried = (wanted, *NAMES) if wanted else NAMES
    return next((name for name in tried if name in names), None)


class _Document:
    """Reads the sections of one document and gathers the paths they name."""

    def __init__(self, os: str, found: Findings, event_seconds: int) -> None:
        self.paths: list[BundlePath] = []
        self._os = os
        self._event_seconds = event_seconds
        self._found = found

    def read(self, root: Node | None) -> AppSpec | None:
        """The AppSpec; None if the document is no mapping. Errors in its parts are only noted."""
        if root is None or root.off:
            at = root or Node(None, 1, 1)
            self._found.error(at, "the AppSpec is empty", "it needs at least `version: 0.0` and `os: linux`")
            return None
        if not isinstance(root.value, Entries):
            if not isinstance(root.value, Refused):
                message = f"the AppSpec: expected a mapping with version and os, got {kind_of(root)}"
                self._found.error(root, message, "begin the file with `version: 0.0`, then `os: linux`")
            return None
        return self._read_sections(root.value, root)

    def _read_sections(self, entries: Entries, root: Node) -> AppSpec:
        _warn_top_level(entries, self._found)
        _check_version(entries, root, self._found)
        _check_os(entries, root, self._os, self._found)
        behavior = _read_behavior(entries, self._found)
        hooks, files, permissions = (entries.given(name) for name in ("hooks", "files", "permissions"))
        scripts = read_hooks(hooks, self._found, event_seconds=self._event_seconds) if hooks else []
        copies = read_files(files, self._os, self._found) if files else []
        rights = read_permissions(permissions, self._os, self._found) if permissions else []
        self._gather("source", [(copy.source, place) for copy, place in copies])
        self._gather("script", [(script.location, place) for _, rows in scripts for script, place in rows])
        return AppSpec(
            os=self._os,
            file_exists_behavior=behavior,
            files=tuple(copy for copy, _ in copies),
            permissions=tuple(rights),
            hooks={event: tuple(script for script, _ in rows) for event, rows in scripts},
        )

    def _gather(self, role: Literal["source", "script"], named: list[tuple[str, Node]]) -> None:
        self.paths += [BundlePath(role=role, path=path, line=at.line, column=at.column) for path, at in named]


def _warn_top_level(entries: Entries, found: Findings) -> None:
    """Unknown keys of the top level, the commonest being an event that slipped out of `hooks`."""
    special = {
        "Resources": "this is the AppSpec of ECS or Lambda; servers use `files` and `hooks`",
        "Hooks": "did you mean `hooks`? Keys are in lower case",
    }
    for key, _ in entries:
        name = key_text(key)
        if found.full or name in KEYS:
            continue
        if (event := nearest(name, Event, cutoff=0.85)) and name != "Hooks":
            spelled = "" if event == name else f" and spell it {event}"
            special[name] = f"lifecycle events belong under `hooks`: indent it{spelled}"
    warn_unknown_keys(entries, KEYS, "the AppSpec", found, special=special)


def _check_version(entries: Entries, root: Node, found: Findings) -> None:
    node = entries.get("version")
    if node is None:
        found.error(root, "no version was given, expected 0.0", "add `version: 0.0`")
        return
    value = node.value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
        return
    if not isinstance(value, Refused):
        quoted = isinstance(value, str) and value.strip() in {"0.0", "0"}
        hint = "remove the quotes: `version: 0.0`" if quoted else "write `version: 0.0`"
        found.error(node, f"`version`: expected the number 0.0, got {kind_of(node)}", hint)


def _check_os(entries: Entries, root: Node, os: str, found: Findings) -> None:
    node = entries.get("os")
    if node is None:
        found.error(root, f"no operating system was given, expected {os}", f"add `os: {os}`")
        return
    if node.value == os or isinstance(node.value, Refused):
        return
    hint = f"write `os: {os}`" + (", in lower case and without spaces" if _is_near_os(node, os) else "")
    found.error(node, f"`os`: unsupported operating system, expected {os}, got {kind_of(node)}", hint)


def _is_near_os(node: Node, os: str) -> bool:
    return isinstance(node.value, str) and node.value.strip().lower() == os


def _read_behavior(entries: Entries, found: Findings) -> FileExistsBehavior | None:
    node = entries.get("file_exists_behavior")
    if node is None or isinstance(node.value, Refused):
        return None
    if isinstance(node.value, str) and node.value in _BEHAVIORS:
        return _BEHAVIORS[node.value]
    choices = ", ".join(_BEHAVIORS)
    near = did_you_mean(node.value.strip(), _BEHAVIORS) if isinstance(node.value, str) else ""
    message = f"`file_exists_behavior`: expected one of {choices}, got {kind_of(node)}"
    found.error(node, message, near or f"write one of {choices}, in capitals")
    return None
