"""`slipway validate`: what it prints, what it looks for in a bundle, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.validate import validate

HEAD = "version: 0.0\nos: linux\n"


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(validate, list(arguments), input=stdin)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "app").mkdir()
    return tmp_path


def write(bundle: Path, rest: str, name: str = "appspec.yml") -> None:
    (bundle / name).write_text(HEAD + rest)


def test_an_accepted_file(bundle: Path) -> None:
    write(bundle, "")
    result = run(str(bundle / "appspec.yml"))
    assert (result.exit_code, result.output) == (0, f"{bundle / 'appspec.yml'}: accepted\n")


def test_all_problems_are_shown_with_caret_and_hint(bundle: Path) -> None:
    (bundle / "appspec.yml").write_text('version: "0.0"\nos: linux\nfiles: app\nHooks: {}\n')
    result = run(str(bundle / "appspec.yml"))
    assert result.exit_code == 1
    assert ':1:10: error: `version`: expected the number 0.0, got the string "0.0"' in result.output
    assert '     1 | version: "0.0"\n       |          ^\n         hint: remove the quotes' in result.output
    assert ":3:8: error" in result.output
    assert ":4:1: warning" in result.output
    assert result.output.endswith("appspec.yml: rejected, 2 errors, 1 warning\n")


def test_long_lines_and_control_characters_are_cut_out_of_the_excerpt() -> None:
    result = run("-", stdin="version: 0.0\nos: linux\n" + "x" * 5000 + ": \x1b[2J\n")
    assert result.exit_code == 1
    assert "\x1b" not in result.output
    assert max(map(len, result.output.splitlines())) < 250


def test_standard_input() -> None:
    assert run("-", stdin=HEAD).output == "standard input: accepted\n"
    assert run("-", stdin="").exit_code == 1
    assert run("-", stdin=b"\xff\xfe").exit_code == 1


def test_json(bundle: Path) -> None:
    write(bundle, "hooks:\n  AfterInstall:\n    - location: missing.sh\n")
    result = run("--json", str(bundle))
    report = json.loads(result.output)
    assert result.exit_code == 0
    assert report["accepted"] is True
    assert report["parsed"]["hooks"] == {
        "AfterInstall": [{"location": "missing.sh", "timeout": 3600, "runas": None, "sudo": False}]
    }
    assert [(p["line"], p["column"], p["severity"]) for p in report["problems"]] == [(5, 17, "warning")]


def test_json_of_a_rejected_file() -> None:
    result = run("--json", "-", stdin="os: linux\n")
    report = json.loads(result.output)
    assert (result.exit_code, report["accepted"], report["parsed"]) == (1, False, None)


def test_the_operating_system_can_be_chosen() -> None:
    text = "version: 0.0\nos: windows\n"
    assert run("-", stdin=text).exit_code == 1
    assert run("--os", "windows", "-", stdin=text).exit_code == 0


@pytest.mark.parametrize("name", ["appspec.yml", "appspec.yaml"])
def test_a_directory_is_searched_for_either_name(bundle: Path, name: str) -> None:
    write(bundle, "", name)
    assert run(str(bundle)).output == f"{bundle / name}: accepted\n"


def test_a_name_can_be_asked_for(bundle: Path) -> None:
    write(bundle, "")
    (bundle / "other.yml").write_text("os: linux\n")
    assert run(str(bundle)).exit_code == 0
    assert run("--name", "other.yml", str(bundle)).exit_code == 1


def test_what_the_bundle_holds_is_not_complained_of(bundle: Path) -> None:
    hooks = "hooks:\n  AfterInstall:\n    - {location: /scripts/run.sh}\n"
    write(bundle, "files:\n  - {source: /, destination: /a}\n  - {source: app, destination: /b}\n" + hooks)
    assert run(str(bundle)).output.endswith(": accepted\n")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("scripts/gone.sh", "is not in the bundle"),
        ("scripts/run.sh now", "scripts take no arguments"),
        ("scripts", "is a directory"),
        ("../outside.sh", "leads outside the bundle"),
        ('"a\\0b"', "NUL"),
        ("a" * 5000, "cannot be looked up"),
    ],
)
def test_scripts_that_are_not_there_are_warned_about(bundle: Path, location: str, message: str) -> None:
    write(bundle, f"hooks:\n  AfterInstall:\n    - location: {location}\n")
    result = run(str(bundle))
    assert result.exit_code == 0
    assert message in result.output
    assert "appspec.yml: accepted, " in result.output


def test_sources_that_are_not_there_are_warned_about(bundle: Path) -> None:
    (bundle / "link").symlink_to("/")
    write(bundle, "files:\n  - {source: gone, destination: /a}\n  - {source: link/etc, destination: /a}\n")
    result = run(str(bundle))
    assert 'the source "gone" is not in the bundle' in result.output
    assert 'the source "link/etc" leads outside the bundle' in result.output
    assert result.exit_code == 0


def test_nothing_to_read_exits_with_two(tmp_path: Path) -> None:
    missing = run(str(tmp_path / "gone.yml"))
    assert missing.exit_code == 2
    assert "does not exist" in missing.output
    empty = run(str(tmp_path))
    assert empty.exit_code == 2
    assert "none of appspec.yml, appspec.yaml is there" in empty.output
    assert run(str(tmp_path / ("x" * 5000))).exit_code == 2


def test_no_more_is_read_than_the_limit_needs() -> None:
    result = run("/dev/zero")
    assert result.exit_code == 1
    assert "larger than" in result.output


def test_loading_the_command_loads_no_heavy_library() -> None:
    code = "import sys, cli.validate; print(sorted({'yaml', 'pydantic', 'celery', 'boto3', 'rich'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "[]"
