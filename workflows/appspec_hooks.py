"""The `hooks` section of an AppSpec: which scripts run at which lifecycle event.

Source: AWS CodeDeploy user guide, "AppSpec 'hooks' section".
"""

from __future__ import annotations

import math

from domain.appspec import Script
from domain.lifecycle import SCRIPTED, Event
from workflows.appspec_findings import Findings, did_you_mean, kind_of, shown, warn_unknown_keys
from workflows.appspec_nodes import Entries, Node, Refused, text_of
from workflows.appspec_scalars import Symbol, leading_integer, trimmed
from workflows.appspec_shapes import mapping_of, members_of, plain_text

KEYS = ("location", "timeout", "runas", "sudo")
DEFAULT_TIMEOUT = 3600
EVENT_LIMIT = 3600
"""Seconds all scripts of one event may take together, where nothing says otherwise; agents end what takes longer."""
LONGEST_TIMEOUT = 2**31 - 1
"""Seconds; a longer limit is read as this one, for timers cannot count further."""

_TIMEOUT_HINT = "write whole seconds, as 300"
_NEVER_RUN = frozenset({*Event, "Start", "End"}) - SCRIPTED
_SPECIAL = {
    "args": "scripts take no arguments; write a small script that calls the real one",
    "arguments": "scripts take no arguments; write a small script that calls the real one",
    "user": "did you mean `runas`?",
    "run_as": "did you mean `runas`?",
}


def read_hooks(
    node: Node, found: Findings, *, event_seconds: int = EVENT_LIMIT
) -> list[tuple[str, list[tuple[Script, Node]]]]:
    """The events in order, each with its scripts and the places of their locations; null and false are left out.

    `event_seconds`: what the scripts of one event may take together.
    """
    hint = "write each event as `AfterInstall:` and its scripts as a list below"
    entries = mapping_of(node, "`hooks`", found, hint=hint)
    return (
        []
        if entries is None
        else [_read_event(key, value, found, event_seconds) for key, value in entries if not value.off]
    )


def read_timeout(node: Node, found: Findings) -> int | None:
    """A script's limit in whole seconds, read as the original does (`30s` is 30, `1:30` is 5400); None if refused."""
    seconds = _seconds(node)
    if seconds is None:
        if not isinstance(node.value, Refused):
            found.error(node, f"`timeout`: expected a number of seconds, got {kind_of(node)}", _TIMEOUT_HINT)
        return None
    if seconds <= 0:
        message = f"`timeout`: expected a number of seconds greater than 0, got {kind_of(node)}"
        found.error(node, message, _TIMEOUT_HINT)
        return None
    return _checked_timeout(seconds, node, found)


def _read_event(key: Node, value: Node, found: Findings, event_seconds: int) -> tuple[str, list[tuple[Script, Node]]]:
    name = text_of(key)
    _check_name(key, name, value, found)
    scripts = [_read_script(entry, name, found) for entry in members_of(value, name, found)]
    kept = [script for script in scripts if script is not None]
    total = sum(script.timeout for script, _ in kept)
    if total > event_seconds and name not in _NEVER_RUN:
        message = f"the scripts of {shown(name)} may take {total} seconds together; an event may take {event_seconds}"
        found.warn(key, message, f"give each script a `timeout`, together at most {event_seconds}")
    return name, kept


def _check_name(key: Node, name: str, value: Node, found: Findings) -> None:
    if not isinstance(key.value, str):
        if not isinstance(key.value, Refused):
            hint = "quote it if it is meant as a name"
            found.warn(key, f"the event {shown(key.text)} is read as {kind_of(key)}, not as a name", hint)
    elif name in _NEVER_RUN:
        if value.value:
            usable = ", ".join(event for event in Event if event in SCRIPTED)
            found.warn(key, f"scripts under {name} never run", f"use one of {usable}")
    elif name not in SCRIPTED and not found.full:
        hint = did_you_mean(name, SCRIPTED) or "scripts there run only where a deployment names this event"
        found.warn(key, f"{shown(name)} is no lifecycle event of CodeDeploy", hint)


def _read_script(entry: Node, event: str, found: Findings) -> tuple[Script, Node] | None:
    hint = "write `- location: scripts/run.sh`"
    entries = mapping_of(entry, f"script of {shown(event)}", found, hint=hint)
    if entries is None:
        return None
    warn_unknown_keys(entries, KEYS, "a script", found, special=_SPECIAL)
    location = entries.get("location")
    text = trimmed(plain_text(location, "`location`", found)) if location else ""
    timeout_node = entries.given("timeout")
    timeout = read_timeout(timeout_node, found) if timeout_node else DEFAULT_TIMEOUT
    runas = entries.get("runas")
    user = trimmed(plain_text(runas, "`runas`", found)) if runas else None
    if location and isinstance(location.value, Refused):
        return None
    if not text or location is None:
        message = f"script of {shown(event)}: no location was given"
        found.error(location or entry, message, "add `location:`, a path in the bundle")
        return None
    sudo = _read_sudo(entries, found)
    return None if timeout is None else (Script(location=text, timeout=timeout, runas=user, sudo=sudo), location)


def _read_sudo(entries: Entries, found: Findings) -> bool:
    node = entries.given("sudo")
    if node is not None and node.value is not True:
        message = f"`sudo`: {kind_of(node)} counts as yes; only false, no, off and null count as no"
        found.warn(node, message, "write true or false, without quotes")
    return node is not None


def _seconds(node: Node) -> int | None:
    value = node.value
    if isinstance(value, (bool, Symbol, tuple, Entries, Refused)):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return leading_integer(value) if isinstance(value, str) else value


def _checked_timeout(seconds: int, node: Node, found: Findings) -> int:
    if seconds > LONGEST_TIMEOUT:
        found.warn(node, f"`timeout` is longer than a timer can count; {LONGEST_TIMEOUT} is used", "write at most 3600")
        return LONGEST_TIMEOUT
    if node.text.strip() != str(seconds):
        written = f"`timeout: {shown(node.text)}` means {seconds} seconds"
        colon = ":" in node.text and node.plain
        why = "YAML reads numbers with colons in base 60, hours first; " if colon else ""
        found.warn(node, written, f"{why}write {seconds} if that is meant")
    return seconds
