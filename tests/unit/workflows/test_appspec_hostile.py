"""Whatever the text, reading an AppSpec never raises, and its verdict agrees with its problems."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.appspec import Severity
from domain.errors import InvalidAppSpec
from workflows import appspec, appspec_files, appspec_hooks, appspec_permissions, appspec_yaml
from workflows.appspec import Reading, parse_appspec, read_appspec
from workflows.appspec_report import report_reading

KEYS = [
    *appspec.KEYS,
    *appspec_files.KEYS,
    *appspec_permissions.KEYS,
    *appspec_permissions.CONTEXT_KEYS,
    *appspec_hooks.KEYS,
]
WORDS = [
    *KEYS,
    *("AfterInstall", "Install", "on", "linux", "windows", "file", "directory", "RETAIN", "u:bob:rw", "m:rw", "s0:c1"),
    *("0644", "0.0", "~", "1:30", "2024-01-01", ".inf", ":x"),
]
PIECES = [
    *WORDS,
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "[",
    "]",
    "{",
    "}",
    ",",
    '"',
    "'",
    "&a ",
    "*a",
    "!!str ",
    "|",
    "#",
    "<<",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.dates(),
    st.binary(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


def fields(*names: str) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, values))


permissions = fields("object", "pattern", "except", "type", "owner", "group", "mode", "acls", "context")
scripts = fields("location", "timeout", "runas", "sudo")
documents = st.fixed_dictionaries(
    {"version": st.just(0.0) | values, "os": st.just("linux") | values},
    optional={
        "file_exists_behavior": values,
        "files": st.lists(fields("source", "destination") | values, max_size=3) | values,
        "permissions": st.lists(permissions | values, max_size=3) | values,
        "hooks": st.dictionaries(st.sampled_from(WORDS), st.lists(scripts | values, max_size=3) | values, max_size=3),
    },
)


def check(text: str | bytes, os: str = "linux") -> Reading:
    reading = read_appspec(text, os=os)
    rejected = any(problem.severity is Severity.ERROR for problem in reading.problems)
    assert reading.accepted is (reading.spec is not None) is not rejected
    assert list(reading.problems) == sorted(reading.problems, key=lambda problem: (problem.line, problem.column))
    assert len(set(reading.problems)) == len(reading.problems)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in reading.problems)
    json.dumps(report_reading(reading), ensure_ascii=False).encode()
    return reading


@given(st.text())
@example("\ud800")
@example("a: \x07\ud800")
@example('version: 0.0\nos: linux\nhooks: {"\\ud800": []}')
@example("!!float .inf")
@example("? ? ? a")
@example("version: 0.0\nos: linux\n? [a]\n: {b}\n")
def test_any_text(text: str) -> None:
    check(text)


@given(st.binary())
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["linux", "windows", "plan9"]))
def test_any_pieces_of_an_appspec(pieces: list[str], os: str) -> None:
    check("version: 0.0\nos: linux\n" + "".join(pieces), os)


@settings(max_examples=300)
@given(documents)
def test_any_shape(document: dict[str, object]) -> None:
    check(yaml.safe_dump(document))


@given(documents)
def test_parse_gives_a_spec_or_says_why_not(document: dict[str, object]) -> None:
    text = yaml.safe_dump(document)
    reading = read_appspec(text)
    if reading.spec is not None:
        assert parse_appspec(text) == reading.spec
        return
    with pytest.raises(InvalidAppSpec, match=r"^appspec.yml, line \d+, column \d+: "):
        parse_appspec(text)


@pytest.mark.parametrize(
    "text", ["version: 0.0\nos: linux\n", '{"version": 0.0, "os": "linux"}', "<<: {version: 0, os: linux}"]
)
def test_the_pure_yaml_parser_stands_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(appspec_yaml, "_LOADER", yaml.Loader)
    assert check(text).accepted


@pytest.mark.parametrize("text", ["[" * 5000, 'os: "\\ud800"', "a: \x07", "a: b: c", "a:\n\t- b", "*a", "{", "\ufeff"])
def test_the_pure_yaml_parser_rejects_with_a_place(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(appspec_yaml, "_LOADER", yaml.Loader)
    assert not check(text).accepted
