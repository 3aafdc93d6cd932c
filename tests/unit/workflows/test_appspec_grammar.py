"""The grammar, row by row: what is accepted and what is rejected, as the original agent does."""

from __future__ import annotations

import pytest

from workflows.appspec import read_appspec

HEAD = "version: 0.0\nos: linux\n"
PLAIN_ZEROS = ["0.0", "0", "0.00", "-0.0", ".0", "0.", "+0.0", "0x0", "0_0.0", "0:0", "0,0", "-0", "00", "0b0", "0:0.0"]


def accepts(text: str | bytes, os: str = "linux") -> bool:
    reading = read_appspec(text, os=os)
    assert reading.accepted is not any(problem.severity == "error" for problem in reading.problems)
    assert reading.accepted is (reading.spec is not None)
    return reading.accepted


def file_with(section: str) -> str:
    return HEAD + section


def permission_with(lines: str) -> str:
    return HEAD + "permissions:\n  - object: /srv\n    " + lines


def script_with(lines: str) -> str:
    return HEAD + "hooks:\n  AfterInstall:\n    - location: run.sh\n      " + lines


DOCUMENTS = [
    (HEAD, True),
    ('{"version": 0.0, "os": "linux", "files": []}', True),
    (HEAD + "---\n]broken", True),
    (HEAD + "...\nrubbish: [", True),
    (HEAD + "files: &unused []\n", True),
    (HEAD + "x: *nowhere\n", False),
    (HEAD + "files: &f []\nhooks: *f\n", False),
    (HEAD + "extra: 2024-01-01\n", False),
    (HEAD + "extra: 2001-12-14 21:59:43\n", False),
    (HEAD + "extra: !!set {a}\n", False),
    (HEAD + "extra: !ruby/regexp /a/\n", False),
    (HEAD + "extra: !ruby/object:Object {}\n", False),
    (HEAD + "extra: !!python/object:os.system {}\n", True),
    (HEAD + 'extra: "2024-01-01"\n', True),
    (HEAD + "<<: {files: []}\n", True),
    ("<<: {version: 0.0, os: linux}\n", True),
    ("version: 1\nos: linux\nversion: 0.0\n", True),
    ("version: 0.0\nos: linux\nversion: 1\n", False),
    ("Version: 0.0\nos: linux\n", False),
    (HEAD + "Hooks: 1\nfileExistsBehavior: NO\nAfterInstall: [1]\n", True),
    ("", False),
    ("# only a comment\n", False),
    ("---\n", False),
    ("null", False),
    ("~", False),
    ("false", False),
    ("[]", False),
    ("- version: 0.0\n- os: linux\n", False),
    ("12", False),
    ("true", False),
    ("version and os", False),
    (HEAD.replace("\n", "\r\n"), True),
    (HEAD.replace("\n", "\r"), True),
    ("version:\t0.0\t\nos: linux\t\n", True),
    (HEAD + "hooks:\n\tAfterInstall:\n\t\t- location: x\n", False),
    (HEAD + "extra: \x00\n", False),
    (HEAD + "extra: \x07\n", False),
    ("\ufeff" + HEAD, True),
    (HEAD + "files:\nhooks:\npermissions:\n", True),
    (HEAD + "files: false\nhooks: no\npermissions: ~\n", True),
]


@pytest.mark.parametrize(("text", "accepted"), DOCUMENTS)
def test_documents(text: str, accepted: bool) -> None:
    assert accepts(text) is accepted


@pytest.mark.parametrize(
    "data",
    [b"version: 0.0\nos: linux\nx: \xff\n", HEAD.encode("utf-16"), HEAD.encode("utf-16-be"), b"\xc3\x28", b"\x00"],
)
def test_other_encodings_are_rejected(data: bytes) -> None:
    assert not accepts(data)


def test_a_byte_order_mark_is_skipped() -> None:
    assert accepts(b"\xef\xbb\xbf" + HEAD.encode())


@pytest.mark.parametrize("value", [*PLAIN_ZEROS, "0.0e+5", "!!float '0'"])
def test_versions_that_are_zero(value: str) -> None:
    assert accepts(f"version: {value}\nos: linux\n")


@pytest.mark.parametrize(
    "value",
    [
        '"0.0"',
        "'0'",
        "1.0",
        "0e0",
        "0.0e5",
        "[0.0]",
        "{}",
        "null",
        "",
        "false",
        "true",
        ".inf",
        ".nan",
        "zero",
        "!!str 0",
    ],
)
def test_versions_that_are_not(value: str) -> None:
    assert not accepts(f"version: {value}\nos: linux\n")


def test_a_version_is_needed() -> None:
    assert not accepts("os: linux\n")


@pytest.mark.parametrize(
    ("value", "os", "accepted"),
    [
        ("linux", "linux", True),
        ("windows", "windows", True),
        ('"linux"', "linux", True),
        ("windows", "linux", False),
        ("linux", "windows", False),
        ("Linux", "linux", False),
        ('" linux"', "linux", False),
        ("[linux]", "linux", False),
        (":linux", "linux", False),
        ("", "linux", False),
        ("true", "linux", False),
    ],
)
def test_operating_systems(value: str, os: str, accepted: bool) -> None:
    assert accepts(f"version: 0.0\nos: {value}\n", os) is accepted


@pytest.mark.parametrize("value", ["DISALLOW", "OVERWRITE", "RETAIN", '"RETAIN"', "null", "~", ""])
def test_file_exists_behaviors(value: str) -> None:
    assert accepts(file_with(f"file_exists_behavior: {value}\n"))


@pytest.mark.parametrize("value", ["retain", '""', "false", "true", '" RETAIN"', "[RETAIN]", "OTHER", ":RETAIN", "0"])
def test_other_file_exists_behaviors(value: str) -> None:
    assert not accepts(file_with(f"file_exists_behavior: {value}\n"))


FILES = [
    ("[]", True),
    ("{}", True),
    ("[{source: a, destination: /b}]", True),
    ("[{source: a, destination: /b, file_exists_behavior: nonsense}]", True),
    ("[{source: '', destination: /b}]", True),
    ("[{source: ' ../.. ', destination: relative}]", True),
    ("[{source: 1, destination: [2]}]", True),
    ("[{source: false, destination: {a: b}}]", True),
    ("['a source and a destination']", True),
    ("['a source']", False),
    ("['nothing of the kind']", False),
    ("[{source: a}]", False),
    ("[{source: a, destination: }]", False),
    ("[{destination: /b}]", False),
    ("[{source: ~, destination: /b}]", False),
    ("[{Source: a, destination: /b}]", False),
    ("[{}]", False),
    ("[~]", False),
    ("[1]", False),
    ("[true]", False),
    ("[[source, destination]]", False),
    ("{source: a, destination: /b}", False),
    ("text", False),
    ("''", False),
    ("1", False),
    ("true", False),
]


@pytest.mark.parametrize(("value", "accepted"), FILES)
def test_files(value: str, accepted: bool) -> None:
    assert accepts(file_with(f"files: {value}\n")) is accepted


PERMISSIONS = [
    ("[]", True),
    ("{}", True),
    ("[{object: /a}]", True),
    ("[{object: 12}]", True),
    ("[{object: [a]}]", True),
    ("[{object: false}]", True),
    ("[{}]", False),
    ("[{object: }]", False),
    ("[{object: ''}]", False),
    ('[{object: " \\t "}]', False),
    ("[text]", False),
    ("[~]", False),
    ("[[object]]", False),
    ("{object: /a}", False),
    ("text", False),
    ("1", False),
]


@pytest.mark.parametrize(("value", "accepted"), PERMISSIONS)
def test_permissions(value: str, accepted: bool) -> None:
    assert accepts(file_with(f"permissions: {value}\n")) is accepted


@pytest.mark.parametrize(("value", "accepted"), [("[]", True), ("~", True), ("[{object: /a}]", False), ("[{}]", False)])
def test_permissions_on_windows(value: str, accepted: bool) -> None:
    assert accepts(f"version: 0.0\nos: windows\npermissions: {value}\n", "windows") is accepted


PERMISSION_FIELDS = [
    ("pattern: '*.txt'", True),
    ("pattern: 12", True),
    ("pattern: [a]", True),
    ("pattern: ''", True),
    ("except: []", True),
    ("except: [a, 1, [b], ~]", True),
    ("except: {a: b}", True),
    ("except: false", True),
    ("except: a", False),
    ("except: 1", False),
    ("except: true", False),
    ("type: [file]", True),
    ("type: [file, directory, file]", True),
    ("type: []", True),
    ("type: {}", True),
    ("type: false", True),
    ("type: file", False),
    ("type: [files]", False),
    ("type: [File]", False),
    ("type: [~]", False),
    ("type: [[file]]", False),
    ("type: {file: 1}", False),
    ("owner: bob", True),
    ("owner: 1000", True),
    ("group: ''", True),
    ("group: [a]", True),
    ("acls: []", True),
    ("acls: {}", True),
    ("acls: ~", True),
    ("acls: false", False),
    ("acls: 'u:bob:rw'", False),
    ("acls: {u: bob}", False),
    ("acls: [1:30:4]", False),
    ("acls: [~]", False),
    ("acls: [[u]]", False),
    ("context: ~", True),
    ("context: {type: t}", True),
    ("context: {type: 1}", True),
    ("context: {type: false}", True),
    ("context: {type: t, name: u, user: v, range: s0}", True),
    ("context: 'the type'", True),
    ("context: {}", False),
    ("context: {type: }", False),
    ("context: text", False),
    ("context: false", False),
    ("context: [type]", False),
    ("context: 1", False),
]


@pytest.mark.parametrize(("lines", "accepted"), PERMISSION_FIELDS)
def test_fields_of_a_permission(lines: str, accepted: bool) -> None:
    assert accepts(permission_with(lines + "\n")) is accepted


MODES: list[tuple[str, str | None]] = [
    ("644", "0644"),
    ("0644", "0644"),
    ("0755", "0755"),
    ("01777", "1777"),
    ("04755", "4755"),
    ("00644", "0644"),
    ("010", "0010"),
    ("4755", "4755"),
    ("0", "0000"),
    ("7", "0007"),
    ("1,000", "1000"),
    ("0o644", "0644"),
    ('"0o644"', "0644"),
    ('"0644"', "0644"),
    ('"644"', "0644"),
    ('"4755"', "4755"),
    ('"7"', "0007"),
    ('""', "0000"),
    (":644", "0644"),
    ('"00644"', None),
    ('"04755"', None),
    ("77777", None),
    ("077777", None),
    ("888", None),
    ("0888", None),
    ("-644", None),
    ("-0644", None),
    ("644.0", None),
    ("0x10", None),
    ("0b11", None),
    ("1:30", None),
    ("0o", None),
    ("0o8", None),
    ("0o77777", None),
    ("rwxr-xr-x", None),
    ('"644 "', None),
    ("true", None),
    ("false", None),
    ("[]", None),
    ("[644]", None),
    ("{}", None),
    (".inf", None),
]


@pytest.mark.parametrize(("value", "mode"), MODES)
def test_modes(value: str, mode: str | None) -> None:
    reading = read_appspec(permission_with(f"mode: {value}\n"))
    assert reading.accepted is (mode is not None)
    if reading.spec:
        assert f"{reading.spec.permissions[0].mode:04o}" == mode


def test_an_absent_mode_is_none() -> None:
    reading = read_appspec(permission_with("mode:\n"))
    assert reading.spec is not None
    assert reading.spec.permissions[0].mode is None


HOOKS = [
    ("{}", True),
    ("{AfterInstall: }", True),
    ("{AfterInstall: false}", True),
    ("{AfterInstall: []}", True),
    ("{AfterInstall: {}}", True),
    ("{AfterInstall: [{location: a}]}", True),
    ("{Anything: [{location: a}]}", True),
    ("{on: [{location: a}]}", True),
    ("{1: [{location: a}]}", True),
    ("{DownloadBundle: [{location: a}]}", True),
    ("[]", False),
    ("[AfterInstall]", False),
    ("text", False),
    ("1", False),
    ("true", False),
    ("{AfterInstall: text}", False),
    ("{AfterInstall: 1}", False),
    ("{AfterInstall: true}", False),
    ("{AfterInstall: {location: a}}", False),
    ("{AfterInstall: [text]}", False),
    ("{AfterInstall: [~]}", False),
    ("{AfterInstall: [[location]]}", False),
    ("{AfterInstall: [{}]}", False),
    ("{AfterInstall: [{location: }]}", False),
    ("{AfterInstall: [{location: ''}]}", False),
    ("{AfterInstall: [{location: '  '}]}", False),
    ("{AfterInstall: [{Location: a}]}", False),
    ("{AfterInstall: [{location: 12}]}", True),
    ("{AfterInstall: [{location: [a]}]}", True),
    ("{AfterInstall: [{location: a, runas: 12, sudo: 'false', extra: 1}]}", True),
]


@pytest.mark.parametrize(("value", "accepted"), HOOKS)
def test_hooks(value: str, accepted: bool) -> None:
    assert accepts(file_with(f"hooks: {value}\n")) is accepted


TIMEOUTS: list[tuple[str, int | None]] = [
    ("300", 300),
    ('"300"', 300),
    ("30s", 30),
    ('" 30"', 30),
    ("1.9", 1),
    ("1,000", 1000),
    ('"1,000"', 1),
    ("1_000", 1000),
    ("010", 8),
    ('"010"', 10),
    ("0x10", 16),
    ("0b11", 3),
    ("1:30", 5400),
    ("1:30:4", 5404),
    ('"1:30"', 1),
    ("1:30.5", 5430),
    ("+5", 5),
    ("null", 3600),
    ("", 3600),
    ("false", 3600),
    ("999999", 999999),
    ("99999999999999999999", 2**31 - 1),
    ("0", None),
    ("-1", None),
    ("soon", None),
    ('""', None),
    ("0.5", None),
    ("'0x10'", None),
    ("true", None),
    ("[300]", None),
    ("{}", None),
    (".inf", None),
    (".nan", None),
    (":300", None),
]


@pytest.mark.parametrize(("value", "seconds"), TIMEOUTS)
def test_timeouts(value: str, seconds: int | None) -> None:
    reading = read_appspec(script_with(f"timeout: {value}\n"))
    assert reading.accepted is (seconds is not None)
    if reading.spec:
        assert reading.spec.scripts("AfterInstall")[0].timeout == seconds


def test_no_timeout_means_an_hour() -> None:
    reading = read_appspec(script_with("sudo: true\n"))
    assert reading.spec is not None
    assert reading.spec.scripts("AfterInstall")[0].timeout == 3600


@pytest.mark.parametrize(
    ("value", "sudo"),
    [("true", True), ("yes", True), ('"false"', True), ("0", True), ("[]", True), ("false", False), ("off", False)],
)
def test_sudo(value: str, sudo: bool) -> None:
    reading = read_appspec(script_with(f"sudo: {value}\n"))
    assert reading.spec is not None
    assert reading.spec.scripts("AfterInstall")[0].sudo is sudo


@pytest.mark.parametrize(("value", "user"), [("bob", "bob"), ("' bob '", "bob"), ("''", ""), ("~", None), ("12", "12")])
def test_runas(value: str, user: str | None) -> None:
    reading = read_appspec(script_with(f"runas: {value}\n"))
    assert reading.spec is not None
    assert reading.spec.scripts("AfterInstall")[0].runas == user
