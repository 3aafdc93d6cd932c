"""What a reading holds: the values, the problems with their places and hints, and the choice of the file's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.appspec import FileExistsBehavior, FileMapping, ObjectType, Problem, Script, SelinuxContext, Severity
from domain.errors import InvalidAppSpec
from workflows.appspec import BundlePath, choose_appspec_name, parse_appspec, read_appspec
from workflows.appspec_findings import MAX_PROBLEMS
from workflows.appspec_report import report_reading
from workflows.appspec_yaml import MAX_BYTES, MAX_DEPTH, MAX_VALUES

EXAMPLES = Path(__file__).parents[3] / "examples" / "appspec"
HEAD = "version: 0.0\nos: linux\n"


def problems_of(text: str | bytes, os: str = "linux") -> list[tuple[int, int, str]]:
    return [(p.line, p.column, p.severity.value) for p in read_appspec(text, os=os).problems]


def only_problem(text: str | bytes, os: str = "linux") -> Problem:
    problems = read_appspec(text, os=os).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_the_annotated_example_is_read_whole() -> None:
    reading = read_appspec((EXAMPLES / "appspec.yml").read_bytes())
    assert reading.problems == ()
    assert reading.spec is not None
    assert reading.spec.file_exists_behavior is FileExistsBehavior.OVERWRITE
    assert reading.spec.files[1] == FileMapping(source="config/shop.conf", destination="/etc/shop")
    first = reading.spec.permissions[0]
    assert (first.mode, first.exclude, first.types) == (0o640, ("secrets.txt", "*.bak"), frozenset({ObjectType.FILE}))
    assert first.context == SelinuxContext(user="system_u", type="httpd_sys_content_t", range="s0:c1.c3")
    assert [str(entry) for entry in first.acls or ()] == ["user:deploy:rw-", "mask::rw-"]
    assert next(iter(reading.spec.hooks)) == "ApplicationStop"
    assert reading.spec.scripts("BeforeInstall") == (Script(location="scripts/backup.sh", timeout=600, runas="shop"),)
    assert reading.spec.scripts("Unheard") == ()


@pytest.mark.parametrize(("name", "os"), [("smallest.yml", "linux"), ("windows.yml", "windows")])
def test_the_other_examples_are_accepted_without_a_warning(name: str, os: str) -> None:
    reading = read_appspec((EXAMPLES / name).read_bytes(), os=os)
    assert reading.accepted
    assert reading.problems == ()


def test_paths_of_the_bundle_are_listed_with_their_places() -> None:
    text = HEAD + "files:\n  - source: app\n    destination: /srv\nhooks:\n  AfterInstall:\n    - location: run.sh\n"
    assert read_appspec(text).paths == (
        BundlePath(role="source", path="app", line=4, column=13),
        BundlePath(role="script", path="run.sh", line=8, column=17),
    )


def test_all_problems_come_at_once_in_line_order() -> None:
    text = (
        'version: "0.0"\nos: Linux\nhooks:\n  AfterInstal:\n    - timout: 3\nfiles: x\npermissions:\n  - type: file\n'
    )
    assert problems_of(text) == [
        (1, 10, "error"),
        (2, 5, "error"),
        (4, 3, "warning"),
        (5, 7, "warning"),
        (5, 7, "error"),
        (6, 8, "error"),
        (8, 5, "error"),
        (8, 11, "error"),
    ]


HINTS = [
    ('version: "0.0"\nos: linux\n', "remove the quotes"),
    ("version: 1.0\nos: linux\n", "version: 0.0"),
    ("version: 0.0\nos: Linux\n", "lower case"),
    (HEAD + "file_exists_behavior: retain\n", "RETAIN"),
    (HEAD + "Hooks: {}\n", "`hooks`"),
    (HEAD + "fileExistsBehavior: RETAIN\n", "`file_exists_behavior`"),
    (HEAD + "permission: []\n", "`permissions`"),
    (HEAD + "AfterInstall:\n  - location: a\n", "under `hooks`: indent it"),
    (HEAD + "afterinstall:\n  - location: a\n", "spell it AfterInstall"),
    (HEAD + "Resources: []\n", "ECS or Lambda"),
    (HEAD + "files: {source: a, destination: /b}\n", "begin each entry with '- '"),
    (HEAD + "files: app\n", "begins with '- '"),
    (HEAD + "files:\n  - source: app\n", "destination"),
    (HEAD + "files:\n  - {source: a, destination: /b, file_exists_behavior: RETAIN}\n", "top level"),
    (HEAD + "files:\n  - {source: a, destination: b}\n", "begin it with /"),
    (HEAD + "permissions:\n  - {object: /a, type: file}\n", "[file]"),
    (HEAD + "permissions:\n  - {object: /a, type: [files]}\n", "`file`"),
    (HEAD + "permissions:\n  - {object: /a, except: a.txt}\n", '["a.txt"]'),
    (HEAD + 'permissions:\n  - {object: /a, mode: "00644"}\n', "leave out the leading zeros: 644"),
    (HEAD + "permissions:\n  - {object: /a, mode: rwxr-xr-x}\n", "0755"),
    (HEAD + "permissions:\n  - {object: /a, owner: 1000}\n", "name of the user"),
    (HEAD + "permissions:\n  - {object: /a, group: '33'}\n", "name of the group"),
    (HEAD + "permissions:\n  - {object: /a, acl: []}\n", "`acls`"),
    (HEAD + "permissions:\n  - {object: /a, acls: [1:30:4]}\n", "quote it"),
    (HEAD + "permissions:\n  - {object: /a, context: {type: t, range: 3}}\n", "s0-s3"),
    (HEAD + "permissions:\n  - {object: /a, context: {type: t, user: a, name: b}}\n", "keep one"),
    (HEAD + "hooks:\n  AfterInstal:\n    - location: a\n", "`AfterInstall`"),
    (HEAD + "hooks:\n  BlockTraffic:\n    - location: a\n", "AfterBlockTraffic"),
    (HEAD + "hooks:\n  AfterInstall:\n    - {location: a, timout: 3}\n", "`timeout`"),
    (HEAD + "hooks:\n  AfterInstall:\n    - {location: a, timeout: 1:30}\n", "base 60"),
    (HEAD + "hooks:\n  AfterInstall:\n    - {location: a, timeout: 30s}\n", "write 30 "),
    (HEAD + 'hooks:\n  AfterInstall:\n    - {location: a, sudo: "no"}\n', "without quotes"),
    (HEAD + "hooks:\n  AfterInstall:\n    - {location: 1.10}\n", 'quote it: "1.10"'),
    (HEAD + "hooks:\n  on:\n    - {location: a}\n", "quote it"),
    (HEAD + "files: []\nfiles: []\n", "merge the two"),
    (HEAD + "when: 2024-01-01\n", '"2024-01-01"'),
    (HEAD + "a: &b 1\nfiles: *b\n", "write the value out"),
    (HEAD + "hooks:\n\t- a\n", "not tabs"),
    (HEAD + "files: a: b\n", "indentation"),
    (HEAD.encode("utf-16"), "UTF-8"),
    (b"version: 0.0\nos: \xff\n", "UTF-8"),
    ("", "version: 0.0"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_hints_say_how_to_mend_it(text: str | bytes, hint: str) -> None:
    hints = [problem.hint for problem in read_appspec(text).problems]
    assert any(hint in given for given in hints), hints


@pytest.mark.parametrize("event", ["DownloadBundle", "Install", "BlockTraffic", "AllowTraffic", "Start", "End"])
def test_scripts_that_never_run_are_warned_about(event: str) -> None:
    problem = only_problem(HEAD + f"hooks:\n  {event}:\n    - location: a\n")
    assert (problem.line, problem.column, problem.severity) == (4, 3, Severity.WARNING)
    assert "never run" in problem.message


def test_an_event_may_not_take_more_than_an_hour_in_all() -> None:
    text = HEAD + "hooks:\n  AfterInstall:\n    - {location: a, timeout: 1800}\n    - {location: b, timeout: %d}\n"
    assert problems_of(text % 1800) == []
    problem = only_problem(text % 1801)
    assert "3601 seconds" in problem.message
    assert (problem.line, problem.severity) == (4, Severity.WARNING)


def test_the_last_of_repeated_keys_wins_with_a_warning() -> None:
    text = HEAD + "hooks:\n  AfterInstall:\n    - location: a\nhooks:\n  AfterInstall:\n    - location: b\n"
    reading = read_appspec(text)
    assert reading.spec is not None
    assert [script.location for script in reading.spec.scripts("AfterInstall")] == ["b"]
    assert problems_of(text) == [(6, 1, "warning")]
    assert "line 3" in reading.problems[0].message


def test_a_merge_key_brings_in_a_mapping() -> None:
    text = "<<: [{os: windows, files: []}, {version: 0.0, os: linux}]\nos: linux\n"
    assert read_appspec(text).accepted


def test_wrong_shapes_say_what_was_expected_and_what_came() -> None:
    assert only_problem(HEAD + "hooks: [a]\n").message == "`hooks`: expected a mapping, got a list"
    assert only_problem(HEAD + "files: a\n").message == '`files`: expected a list of mappings, got the string "a"'
    assert only_problem("[]").message == "the AppSpec: expected a mapping with version and os, got a list"


def test_messages_carry_no_control_characters_and_stay_short() -> None:
    reading = read_appspec(f'version: "\\e[2J{"x" * 5000}"\nos: "\\u202e"\n')
    assert all(problem.message.isprintable() and len(problem.message) < 200 for problem in reading.problems)
    assert "\\x1b" in reading.problems[0].message


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\u2028"])
def test_lines_are_counted_as_yaml_does(newline: str) -> None:
    text = newline.join(["version: 0.0", "os: linux", "# ünï", "files: 1"])
    assert problems_of(text) == [(4, 8, "error")]


def test_columns_after_a_byte_order_mark_and_wide_characters() -> None:
    assert problems_of(b"\xef\xbb\xbfversion: 1\nos: linux\n") == [(1, 10, "error")]
    assert problems_of('{"é😀": 1, version: 1, os: linux}') == [(1, 2, "warning"), (1, 20, "error")]


def test_invalid_utf8_is_placed() -> None:
    assert problems_of(b"version: 0.0\nos: \xc3\xa9\xff\n") == [(2, 6, "error")]


def test_limits_are_kept_with_a_clear_error() -> None:
    assert "larger than 1,048,576 bytes" in only_problem("a" * (MAX_BYTES + 1)).message
    assert f"deeper than {MAX_DEPTH} levels" in only_problem("[" * 100_000).message
    assert "more than 100,000 values" in only_problem("[" + "1," * (MAX_VALUES + 1) + "]").message


def test_aliases_cannot_multiply() -> None:
    laughs = "a: &a [x,x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    reading = read_appspec(HEAD + laughs)
    assert not reading.accepted
    assert sum("alias" in problem.message for problem in reading.problems) == 18


def test_a_flood_of_warnings_does_not_hide_the_error() -> None:
    text = HEAD + "".join(f"k{i}: 1\n" for i in range(2000)) + "files: 1\n"
    reading = read_appspec(text)
    assert len(reading.problems) == MAX_PROBLEMS + 1
    assert [problem.line for problem in reading.problems if problem.severity is Severity.ERROR] == [2003]


def test_parse_raises_with_file_place_hint_and_count() -> None:
    with pytest.raises(InvalidAppSpec) as caught:
        parse_appspec('version: "0.0"\nos: linux\nfiles: 1\nhooks: 2\n', name="deploy/appspec.yaml")
    message = caught.value.message
    assert message.startswith("deploy/appspec.yaml, line 1, column 10: `version`: expected the number 0.0")
    assert "remove the quotes" in message
    assert message.endswith("(2 more errors)")


def test_parse_returns_the_spec_despite_warnings() -> None:
    assert parse_appspec(HEAD + "extra: 1\n").os == "linux"


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (["appspec.yml"], None, "appspec.yml"),
        (["appspec.yaml"], None, "appspec.yaml"),
        (["appspec.yaml", "appspec.yml"], None, "appspec.yml"),
        (["appspec.yaml", "deploy/spec.yml"], "deploy/spec.yml", "deploy/spec.yml"),
        (["appspec.yaml"], "deploy/spec.yml", "appspec.yaml"),
        (["appspec.yaml"], "appspec.yml", "appspec.yaml"),
        (["appspec.yaml"], "", "appspec.yaml"),
        (["APPSPEC.YML"], None, None),
        ([], None, None),
    ],
)
def test_the_name_of_the_file(names: list[str], wanted: str | None, chosen: str | None) -> None:
    assert choose_appspec_name(names, wanted) == chosen


def test_the_report_of_a_rejected_file_has_no_parsed_part() -> None:
    report = report_reading(read_appspec("version: 0.0\n"))
    assert report["accepted"] is False
    assert report["parsed"] is None
    assert set(report["problems"][0]) == {"line", "column", "message", "hint", "severity"}


def test_the_report_of_an_accepted_file() -> None:
    text = HEAD + (
        "files: [{source: a, destination: /b}]\n"
        "permissions:\n"
        "  - {object: /b, mode: 0644, type: [file], acls: [m:rw], context: {type: t, name: u}}\n"
        "  - {object: /c}\n"
        "hooks: {AfterInstall: [{location: run.sh, timeout: 60, runas: bob, sudo: yes}], Install: }\n"
    )
    rest: dict[str, object] = {"pattern": "**", "except": [], "owner": None, "group": None}
    assert report_reading(read_appspec(text))["parsed"] == {
        "os": "linux",
        "version": "0.0",
        "file_exists_behavior": None,
        "files": [{"source": "a", "destination": "/b"}],
        "permissions": [
            {
                "object": "/b",
                "mode": "0644",
                "type": ["file"],
                "acls": ["mask::rw-"],
                "context": {"user": "u", "type": "t", "range": None},
                **rest,
            },
            {"object": "/c", "mode": None, "type": ["file", "directory"], "acls": None, "context": None, **rest},
        ],
        "hooks": {"AfterInstall": [{"location": "run.sh", "timeout": 60, "runas": "bob", "sudo": True}]},
    }
