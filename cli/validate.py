"""`slipway validate`: shows every problem of an AppSpec at once. Reads one file (or standard input) and, for a
directory, looks whether what the AppSpec names is there. Everything but click is imported when the command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.appspec import Problem
    from workflows.appspec import BundlePath, Reading

_EXCERPT = 100


class CannotRead(click.ClickException):
    """There is nothing to validate."""

    exit_code = 2


class Source(NamedTuple):
    """Where an AppSpec came from: a name for messages, its bytes, and the bundle's root if one was given."""

    name: str
    data: bytes
    root: Path | None = None


@click.command("validate")
@click.argument("target", metavar="[DIR|FILE|-]", default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--os", "os_name", type=click.Choice(["linux", "windows"]), default="linux", show_default=True)
@click.option("--name", "wanted", metavar="FILE", help="The AppSpec's name in DIR, if not appspec.yml or appspec.yaml.")
@click.option(
    "--event-seconds",
    type=click.IntRange(min=1),
    default=3600,
    show_default=True,
    help="The limit of one lifecycle event in the deployment group.",
)
def validate(target: str, as_json: bool, os_name: str, wanted: str | None, event_seconds: int) -> None:
    """Check an AppSpec file and show all its problems at once.

    DIR is the root of a bundle: its AppSpec is read and the sources and scripts it names are looked for. FILE is read
    alone, - is standard input. Exits 0 if the AppSpec is accepted, 1 if it is rejected, 2 if there is none to read.
    """
    from workflows.appspec import read_appspec

    source = read_source(target, wanted)
    reading = read_appspec(source.data, os=os_name, event_seconds=event_seconds)
    missing = [] if source.root is None else look_for_paths(source.root, reading.paths)
    if as_json:
        _print_json(reading, missing)
    else:
        _print_text(source, reading, missing)
    click.get_current_context().exit(0 if reading.accepted else 1)


def read_source(target: str, wanted: str | None = None) -> Source:
    """The bytes of an AppSpec, no more of them than the limit needs; raises CannotRead."""
    if target == "-":
        return Source("standard input", _read_limited(None))
    path = Path(target)
    try:
        if path.is_dir():
            return _read_from_bundle(path, wanted)
        return Source(click.format_filename(target), _read_limited(path))
    except FileNotFoundError:
        raise CannotRead(
            f"{click.format_filename(target)} does not exist; name a directory or an AppSpec file"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise CannotRead(f"{click.format_filename(target)} cannot be read: {reason}") from None


def look_for_paths(root: Path, paths: Sequence[BundlePath]) -> list[Problem]:
    """A warning for each source or script that an AppSpec names and the bundle at `root` does not hold."""
    from domain.appspec import Problem, Severity

    found = [(path, _complaint(root, path)) for path in paths]
    return [
        Problem(line=path.line, column=path.column, message=message, hint=hint, severity=Severity.WARNING)
        for path, complaint in found
        if complaint
        for message, hint in [complaint]
    ]


def _read_from_bundle(root: Path, wanted: str | None) -> Source:
    from workflows.appspec import NAMES, choose_appspec_name

    tried = [wanted, *NAMES] if wanted else list(NAMES)
    name = choose_appspec_name([name for name in tried if (root / name).is_file()], wanted)
    if name is None:
        where = click.format_filename(root)
        raise CannotRead(f"no AppSpec in {where}: none of {', '.join(tried)} is there; add one or give its --name")
    return Source(click.format_filename(root / name), _read_limited(root / name), root)


def _read_limited(path: Path | None) -> bytes:
    from workflows.appspec_yaml import MAX_BYTES

    with click.open_file("-", "rb") if path is None else path.open("rb") as file:
        return bytes(file.read(MAX_BYTES + 1))


def _complaint(root: Path, named: BundlePath) -> tuple[str, str] | None:
    """What is wrong with a path that an AppSpec names, as message and hint; None if it is there."""
    from workflows.appspec_findings import shown

    what = f"the {named.role} {shown(named.path)}"
    inside = root / named.path.lstrip("/")
    try:
        if not inside.resolve().is_relative_to(root.resolve()):
            return f"{what} leads outside the bundle", "name a path inside the bundle"
        if named.role == "script" and inside.is_dir():
            return f"{what} is a directory, expected a file", "name the script itself"
        if inside.exists():
            return None
    except (OSError, ValueError, RuntimeError):
        return f"{what} cannot be looked up", "check the path"
    return f"{what} is not in the bundle", _hint(root, named)


def _hint(root: Path, named: BundlePath) -> str:
    first, space, _ = named.path.lstrip("/").partition(" ")
    if named.role == "script" and space and first and (root / first).is_file():
        return "scripts take no arguments; write a small script that calls this one"
    return "paths are relative to the bundle's root, and letter case counts"


def _print_json(reading: Reading, missing: Sequence[Problem]) -> None:
    import json

    from workflows.appspec_report import report_reading

    click.echo(json.dumps(report_reading(reading, missing), indent=2))


def _print_text(source: Source, reading: Reading, missing: Sequence[Problem]) -> None:
    from workflows.appspec_report import merge_problems
    from workflows.appspec_yaml import lines_of

    lines = lines_of(source.data.decode("utf-8", errors="replace").removeprefix("\ufeff"))
    problems = merge_problems(reading, missing)
    for problem in problems:
        _print_problem(source.name, problem, lines)
    errors = sum(problem.severity == "error" for problem in problems)
    verdict = click.style("accepted", fg="green") if reading.accepted else click.style("rejected", fg="red")
    counts = [_count(errors, "error"), _count(len(problems) - errors, "warning")]
    click.echo(", ".join([f"{source.name}: {verdict}", *filter(None, counts)]))


def _print_problem(name: str, problem: Problem, lines: Sequence[str]) -> None:
    severity = click.style(problem.severity.value, fg="red" if problem.severity == "error" else "yellow", bold=True)
    click.echo(f"{name}:{problem.line}:{problem.column}: {severity}: {problem.message}")
    if 0 < problem.line <= len(lines):
        text, caret = _excerpt(lines[problem.line - 1], problem.column)
        click.echo(f"{problem.line:>6} | {text}\n       | {click.style(caret, bold=True)}")
    if problem.hint:
        click.echo(f"         hint: {problem.hint}")


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """The part of a line around a column, printable, and a caret to stand below it."""
    start = max(0, column - _EXCERPT // 2) if len(line) > _EXCERPT else 0
    part = line[start : start + _EXCERPT]
    shown = "".join(character if character.isprintable() else " " for character in part)
    return shown, " " * max(0, column - 1 - start) + "^"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}" if number else ""
