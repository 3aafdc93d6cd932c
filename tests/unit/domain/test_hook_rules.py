"""How a script is called, how its output reads in the log, and what is said when it goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import hooks
from domain.appspec import Script
from domain.hooks import Account, Interpreter
from domain.lifecycle import Event

APP = Account("app", 1000, "/bin/bash")


@pytest.mark.parametrize(
    ("user", "sudo", "expected"),
    [
        (None, False, ["/a/x.sh"]),
        (None, True, ["sudo", "/a/x.sh"]),
        (APP, False, ["su", "app", "-c", "/a/x.sh"]),
        (APP, True, ["sudo", "su", "app", "-c", "/a/x.sh"]),
        (Account("www", 33, "/usr/sbin/nologin"), False, ["su", "-s", "/bin/sh", "www", "-c", "/a/x.sh"]),
        (Account("www", 33, "/bin/false"), False, ["su", "-s", "/bin/sh", "www", "-c", "/a/x.sh"]),
    ],
)
def test_command_line(user: Account | None, sudo: bool, expected: list[str]) -> None:
    assert hooks.command_line("/a/x.sh", runas=user, sudo=sudo) == expected


def test_the_path_is_one_word_for_the_shell_of_su() -> None:
    assert hooks.command_line("/a/b c;$(d).sh", runas=APP)[-1] == "'/a/b c;$(d).sh'"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", None),
        (b"echo #!/bin/sh", None),
        (b"#!/bin/sh", Interpreter("/bin/sh")),
        (b"#!\t /bin/sh\t-e \necho", Interpreter("/bin/sh", "-e")),
        (b"#!/usr/bin/env python3 -u\n", Interpreter("/usr/bin/env", "python3 -u")),
        (b"#!/bin/sh\r\necho", Interpreter("/bin/sh\r")),
        (b"#!\n", Interpreter("")),
        (b"#!/bin/\xff\n", Interpreter("/bin/\udcff")),
    ],
)
def test_read_interpreter(head: bytes, expected: Interpreter | None) -> None:
    assert hooks.read_interpreter(head) == expected


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        (b"#!/bin/sh\r\n", "CRLF"),
        (b"#!/usr/bin/env bash\r\n", "CRLF"),
        (b"#!\n", "no interpreter"),
        (b"#!\r\n", "no interpreter"),
        (b"#!/bin/sh\n", None),
        (b"#!/usr/bin/perl -w\r\n", None),
    ],
)
def test_interpreter_complaint(head: bytes, hint: str | None) -> None:
    interpreter = hooks.read_interpreter(head)
    assert interpreter is not None
    complaint = hooks.interpreter_complaint(interpreter)
    assert complaint is None if hint is None else complaint is not None and hint in complaint


@given(st.binary(max_size=600))
def test_any_first_bytes_can_be_judged_and_spoken_of(head: bytes) -> None:
    interpreter = hooks.read_interpreter(b"#!" + head)
    assert interpreter is not None
    hooks.interpreter_complaint(interpreter)
    hooks.missing_interpreter(interpreter).encode()


def test_log_entries() -> None:
    assert hooks.event_entry(Event.BEFORE_INSTALL) == b"LifecycleEvent - BeforeInstall"
    assert hooks.script_entry(Script(location="a/b.sh")) == b"Script - a/b.sh"
    assert hooks.output_entry("stderr", b"\xff\0") == b"[stderr]\xff\0"


def test_a_location_cannot_forge_an_entry() -> None:
    assert hooks.script_entry(Script(location="a\n2026-01-01 00:00:00 x")) == b"Script - a\\n2026-01-01 00:00:00 x"


@given(st.text())
def test_shown_text_is_one_printable_line(text: str) -> None:
    shown = hooks.show(text)
    assert shown.isprintable()
    shown.encode()


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert hooks.readable(b"caf\xc3\xa9 \xff\xfe") == "café \\xff\\xfe"
    assert hooks.readable(b"[stdout]from Windows\r") == "[stdout]from Windows"


@given(st.binary(max_size=200), st.integers(1, 50))
def test_pieces_make_up_the_line_again(line: bytes, size: int) -> None:
    pieces = list(hooks.cut_pieces(line, size))
    assert b"".join(pieces) == line
    assert all(len(piece) <= size for piece in pieces)
    assert all(pieces) or line == b""


@given(st.text(max_size=100), st.integers(4, 20))
def test_pieces_do_not_split_a_character(text: str, size: int) -> None:
    assert "".join(piece.decode() for piece in hooks.cut_pieces(text.encode(), size)) == text


@pytest.mark.parametrize(
    ("entries", "limit", "expected"),
    [
        ([], 10, ""),
        (["a", "b"], 10, "a\nb"),
        (["aaaa", "bbbb", "cccc"], 9, "bbbb\ncccc"),
        (["aaaa", "bbbb", "cccc"], 8, "cccc"),
        (["aaaa", "b" * 20], 6, "bbbbbb"),
        (["a", "123456789"], 4, "6789"),
        (["", "", "x"], 3, "\n\nx"),
    ],
)
def test_cut_tail(entries: list[str], limit: int, expected: str) -> None:
    assert hooks.cut_tail(entries, limit) == expected


@given(st.lists(st.text(max_size=30)), st.integers(1, 60))
def test_a_tail_fits_and_ends_with_the_newest(entries: list[str], limit: int) -> None:
    tail = hooks.cut_tail(entries, limit)
    assert len(tail) <= limit
    assert not entries or tail.endswith(entries[-1][-limit:])


def test_messages_name_script_user_and_cause() -> None:
    plain, other = Script(location="a.sh", timeout=7), Script(location="a.sh", runas="app")
    assert hooks.exit_message(plain, 3) == "script a.sh failed with exit code 3"
    assert hooks.exit_message(other, 3) == "script a.sh run as user app failed with exit code 3"
    assert hooks.exit_message(plain, -9) == "script a.sh was killed by SIGKILL"
    assert hooks.exit_message(plain, -63) == "script a.sh was killed by signal 63"
    assert "a.sh did not end within its timeout of 7 seconds" in hooks.timeout_message(plain, all_ended=True)
    assert "not all" in hooks.timeout_message(plain, all_ended=False)
    assert "stopped" in hooks.stopped_message(plain)
