"""What scripts say: every byte on disk up to the limit, every line to who listens, the newest in the diagnostics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.host.script_log import LineCutter, ScriptLog, Transcript
from domain.hooks import cut_pieces
from tests.unit.adapters.script_site import ScriptSite

STAMP = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")
NOTICE = "[warning]the log has reached its size limit; what follows is left out"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ScriptSite]:
    site = ScriptSite(tmp_path)
    yield site
    site.kill_all()


def entries(path: Path) -> list[bytes]:
    """The log's entries without their times; each has one."""
    *lines, last = path.read_bytes().split(b"\n")
    assert last == b""
    assert all(STAMP.match(line) for line in lines)
    return [STAMP.sub(b"", line, count=1) for line in lines]


def test_the_log_reads_as_documented(site: ScriptSite) -> None:
    site.script("a.sh", "echo one; echo; printf 'no newline'")
    site.script("b.sh", "echo two >&2")
    assert site.run("a.sh", "b.sh") is None
    expected = [
        "LifecycleEvent - AfterInstall",
        "Script - a.sh",
        "[stdout]one",
        "[stdout]",
        "[stdout]no newline",
        "Script - b.sh",
        "[stderr]two",
    ]
    assert [entry.decode() for entry in entries(site.log_path)] == site.lines == expected


def test_events_follow_one_another_in_one_file(site: ScriptSite) -> None:
    site.script("a.sh", "echo one")
    assert site.run("a.sh") is None
    assert site.run("a.sh") is None
    assert entries(site.log_path) == 2 * [b"LifecycleEvent - AfterInstall", b"Script - a.sh", b"[stdout]one"]


def test_any_bytes_survive(site: ScriptSite) -> None:
    everything = bytes(byte for byte in range(256) if byte != 10)
    (site.work / "bytes").write_bytes(everything + b"\ncaf\xc3\xa9\xff\n")
    site.script("x.sh", "cat $WORK/bytes; exit 1")
    trouble = site.fail("x.sh")
    assert entries(site.log_path)[2:] == [b"[stdout]" + everything, b"[stdout]caf\xc3\xa9\xff"]
    assert site.output()[1] == "café\\xff"
    assert trouble.log_tail.endswith("[stdout]café\\xff")
    trouble.model_dump_json()


def test_a_megabyte_without_a_newline_comes_in_pieces(site: ScriptSite) -> None:
    site.script("x.sh", "head -c 1000000 /dev/zero | tr '\\0' x; exit 1")
    trouble = site.fail("x.sh")
    assert "".join(site.output()) == "x" * 1_000_000
    assert max(map(len, site.lines)) <= 8192 + len("[stdout]")
    assert len(trouble.log_tail) <= 4096
    assert trouble.log_tail.endswith("x" * 100)


def test_many_lines_all_arrive_in_order(site: ScriptSite) -> None:
    site.script("x.sh", "seq 1 100000; exit 1")
    trouble = site.fail("x.sh")
    assert site.output() == [str(number) for number in range(1, 100_001)]
    assert len(entries(site.log_path)) == 100_002
    assert trouble.log_tail.endswith("[stdout]99999\n[stdout]100000")
    assert 4000 < len(trouble.log_tail) <= 4096


def test_lines_are_told_while_the_script_runs(site: ScriptSite) -> None:
    """The script ends only after its first line was heard."""

    def hear(line: str) -> None:
        if line == "[stdout]go on":
            (site.work / "heard").touch()

    site.on_line = hear
    site.script("x.sh", "echo go on; until [ -e $WORK/heard ]; do sleep 0.02; done")
    assert site.run("x.sh") is None


def test_a_full_log_keeps_its_head_and_says_so_once(site: ScriptSite) -> None:
    site.script("x.sh", "seq 1 10000; echo newest >&2; exit 1")
    for _ in range(2):
        trouble = site.run("x.sh", log_limit=2000)
        assert trouble is not None
        assert trouble.log_tail.endswith(("[stderr]newest", "[stdout]10000"))
    kept = entries(site.log_path)
    assert kept[2:4] == [b"[stdout]1", b"[stdout]2"]
    assert [kept.index(entry) for entry in kept if entry == NOTICE.encode()] == [len(kept) - 1]
    assert site.log_path.stat().st_size < 2000 + 100


def test_what_is_told_is_bounded_for_each_event(site: ScriptSite) -> None:
    site.script("x.sh", "seq 1 10000")
    assert site.run("x.sh", log_limit=2000) is None
    first, site.lines = site.lines, []
    assert site.run("x.sh", log_limit=2000) is None
    assert first == site.lines
    assert site.lines[-1] == NOTICE
    assert sum(map(len, site.lines)) < 2100


def test_a_log_that_cannot_be_written_does_not_fail_the_event(site: ScriptSite) -> None:
    site.log_path.parent.write_text("a file where a folder should be")
    site.script("x.sh", "echo said; exit 1")
    trouble = site.fail("x.sh")
    assert trouble.message.endswith("exit code 1")
    assert site.output() == ["said"]
    assert [line for line in site.lines if line.startswith("[warning]")] == [
        f"[warning]{site.log_path} cannot be written (File exists); the log is incomplete"
    ]


def test_a_link_in_the_logs_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "scripts.log").symlink_to(tmp_path / "elsewhere")
    lines: list[str] = []
    transcript = Transcript(ScriptLog(tmp_path / "scripts.log", limit=1000), lines.append)
    transcript.add(b"entry")
    transcript.close()
    assert lines[0].startswith("[warning]")
    assert not (tmp_path / "elsewhere").exists()


def test_entries_that_just_fit_are_kept(tmp_path: Path) -> None:
    size = len("2026-01-01 00:00:00 ") + len(b"entry\n")
    log = ScriptLog(tmp_path / "scripts.log", limit=2 * size)
    log.append([b"entry", b"entry"])
    assert entries(tmp_path / "scripts.log") == [b"entry", b"entry"]
    log.append([b"e"])
    log.append([b"e"])
    log.close()
    assert entries(tmp_path / "scripts.log") == [b"entry", b"entry", NOTICE.encode()]


def test_a_long_newest_entry_is_cut_from_the_left(tmp_path: Path) -> None:
    transcript = Transcript(ScriptLog(tmp_path / "scripts.log", limit=10**6), lambda _: None)
    transcript.add(b"old", b"start" + b"\xc3\xa4" * 4094 + b"end")
    transcript.close()
    assert transcript.tail() == "ä" * 4093 + "end"


@given(st.lists(st.binary(max_size=30)), st.integers(1, 8))
def test_lines_are_the_same_however_they_are_read(chunks: list[bytes], size: int) -> None:
    cutter = LineCutter(lambda line: list(cut_pieces(line, size)))
    lines = [line for chunk in chunks for line in cutter.feed(chunk)] + cutter.finish()
    whole = b"".join(chunks)
    assert b"".join(lines) == whole.replace(b"\n", b"")
    assert all(len(line) <= size and b"\n" not in line for line in lines)
    if all(len(line) < size for line in whole.split(b"\n")):
        assert lines == whole.removesuffix(b"\n").split(b"\n") or whole == b""
