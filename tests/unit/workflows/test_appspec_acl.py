"""Entries of access control lists, and SELinux ranges."""

from __future__ import annotations

import pytest

from workflows.appspec_acl import InvalidAcl, odd_name, parse_acl_entry
from workflows.appspec_selinux import InvalidRange, parse_range

ENTRIES = [
    ("user:bob:rwx", "user:bob:rwx"),
    ("u:bob:rw", "user:bob:rw-"),
    ("bob:rw", "user:bob:rw-"),
    ("g:web:r", "group:web:r--"),
    ("group:web:5", "group:web:r-x"),
    ("m:rw", "mask::rw-"),
    ("mask::0", "mask::---"),
    ("mask::r", "mask::r--"),
    ("d:o:r", "default:other::r--"),
    ("default:other::7", "default:other::rwx"),
    ("d:u::rwx", "default:user::rwx"),
    ("d:u:bob:rw", "default:user:bob:rw-"),
    ("default:m::x", "default:mask::--x"),
    ("d:g:rw", "default:user:g:rw-"),
    ("u:m:rw", "user:mask:rw-"),
    ("g:other:rw", "group:other:rw-"),
    ("g:o:rw", "group:other:rw-"),
    ("g:rw", "user:g:rw-"),
    ("u:bob:", "user:bob:---"),
    ("u:bob:-", "user:bob:---"),
    ("u:bob:xwrr-", "user:bob:rwx"),
    ("u: b b :r", "user: b b :r--"),
    ("d::r", "default:user::r--"),
]


@pytest.mark.parametrize(("text", "normalised"), ENTRIES)
def test_entries(text: str, normalised: str) -> None:
    assert str(parse_acl_entry(text)) == normalised


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob",
        "a:b:c:d:e",
        "u:bob:r::",
        "x:u:bob:r",
        "d:d:bob:r",
        "default:default:x:r",
        "u:d:bob:r",
        "x:bob:r",
        "U:bob:r",
        "mask:bob:r",
        "m:m:r",
        "other:bob:r",
        "d:o:bob:r",
        "other::r",
        "o:r",
        "u::rw",
        "g::rw",
        ":rw",
        "u:bob:X",
        "u:bob:R",
        "u:bob:8",
        "u:bob:77",
        "u:bob:r w",
    ],
)
def test_entries_that_are_none(text: str) -> None:
    with pytest.raises(InvalidAcl):
        parse_acl_entry(text)


def test_base_entries_point_to_mode() -> None:
    with pytest.raises(InvalidAcl) as caught:
        parse_acl_entry("u::rw")
    assert "mode" in caught.value.hint


def test_a_wrong_permission_is_named() -> None:
    with pytest.raises(InvalidAcl, match='"X"'):
        parse_acl_entry("u:bob:rX")


@pytest.mark.parametrize(
    ("text", "meant"), [("d:g:rw", "group"), ("u:m:rw", "mask"), ("u:bob:rw", None), ("m:rw", None)]
)
def test_kinds_read_as_names_are_noticed(text: str, meant: str | None) -> None:
    assert odd_name(parse_acl_entry(text)) == meant


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("s0", "s0"),
        ("s007", "s7"),
        ("s0-s3", "s0-s3"),
        ("s2-s2", "s2"),
        ("s0:c1", "s0:c1"),
        ("s0:c1,c2,c3", "s0:c1.c3"),
        ("s0:c9,c1.c3,c5", "s0:c1.c3,c5,c9"),
        ("s0:c1,c2", "s0:c1.c2"),
        ("s0:c4.c4", "s0:c4"),
        ("s0:c0.c1023", "s0:c0.c1023"),
        ("s0-s1:c1,", "s0-s1:c1"),
        ("s0:c0001", "s0:c1"),
    ],
)
def test_ranges(text: str, normalised: str) -> None:
    assert parse_range(text) == normalised


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "S0",
        "0",
        "s0 ",
        "s3-s0",
        "s0-",
        "-s0",
        "s0-s1-s2",
        "s0:",
        "s0:c1024",
        "s0:c",
        "s0:1",
        "s0:c5.c2",
        "s0:c1.",
        "s0:.c1",
        "s0:c1.c2.c3",
        "s0:c1,c1",
        "s0:c1.c3,c2",
        "s0:c1,,c2",
        "s0:,c1",
        "s0:c1:c2",
    ],
)
def test_ranges_that_are_none(text: str) -> None:
    with pytest.raises(InvalidRange):
        parse_range(text)
